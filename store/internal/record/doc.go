// Package record has the layout of each value in the store's file, byte by byte. It opens no file and takes no lock.
//
// Each value ends with a CRC-32C over its key and itself (Seal, Unseal). Each kind of value begins with a version of
// its own, or with a byte that no other kind begins with. A salvage can therefore find values without the tree of the
// file.
//
// Promise: a value is read as it was written, to the millisecond, even if other parts of the file are damaged. A value
// that is damaged, of another version, or refers to a lost name, is not read: decoders return false, or a zero value
// that means "not known". No decoder allocates more memory than the length of the value, and none panics.
//
// The files, in reading order:
//
//	codec.go     checksums, keys, numbers, times, sets of samples
//	names.go     the dictionary: texts and sources as small numbers
//	sweep.go     one reading of one slave, with its routes and samples
//	row.go       one row of the trigger log: a publication, a gap, a dead letter
//	cursor.go    the position of an integration
//	identity.go  the store itself, its totals, and the errors of a file
//	runs.go      the runs, and the known times of their boots
//	instant.go   moments whose clock may have been wrong, and gaps between them
//	accounts.go  the time of the last sample or gap of each object
//	traffic.go   bytes sent and received
//	note.go      what no commit has, as a file of its own
package record
