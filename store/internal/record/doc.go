// Package record says what one value of the store's file is, byte for byte. It opens no file and takes no lock.
//
// Each value ends with a CRC-32C over its key and itself (Seal, Unseal). Each kind of value begins with a version of
// its own, or with a byte that no other kind begins with: a salvage finds values without the tree that they hung on.
//
// The package promises that a value reads as it was written, to the millisecond, whatever is damaged around it. A value
// that is damaged, of another version, or that refers to a name that is lost, does not read: decoders return false, or
// a zero value that means "not known". No decoder allocates more than the value is long, and none panics.
//
// The files, in reading order:
//
//	codec.go     checksums, keys, numbers, times, sets of samples
//	names.go     the dictionary: texts and sources as small numbers
//	sweep.go     one reading of one slave, with its routes and samples
//	row.go       one row of the trigger log: a publication, a gap, a dead letter
//	cursor.go    how far an integration is
//	identity.go  the store itself, its totals, and the errors of a file
//	runs.go      the runs, and what is known of their time
//	instant.go   moments whose clock may have been wrong, and gaps between them
//	accounts.go  up to when each object is accounted for
//	traffic.go   bytes sent and received
package record
