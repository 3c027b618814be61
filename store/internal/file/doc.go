// Package file makes a store's file, checks it, and makes it sound. The file is not in use meanwhile: the running
// store is package store.
//
// The package promises that MakeSound leaves a file that opens, or none, whatever lay at the path. A file that was not
// left clean is checked in a child process. A file that is damaged, empty, foreign or no file at all is moved aside as
// path.damaged-NNNN, and a new file takes its place: with every sweep that reads and that an integration waits for, the
// gaps, the dead letters, the cursors, the counters and the device id. The old file keeps its name until the new one is
// complete and synced, so a power cut costs nothing but time.
//
// It refuses a file that another process has open (ErrLocked), and one of a newer version (record.ErrVersion), which
// stays untouched. It fails without permission, directory or space. bbolt may panic on a damaged file, also on a
// goroutine of its own: that is why the check runs in a child (InChild, Verdict).
//
// The files, in reading order:
//
//	options.go       what the caller says
//	create.go        buckets, the options of bbolt, an empty file
//	ballast.go       room kept back for a full disk
//	errors.go        what an error of the system or of bbolt means, and the way out
//	clean.go         the note of a clean stop
//	image.go         a file in memory, without its outbox
//	names_copy.go    the second copy of names and identity
//	verify.go        can an agent work with the file?
//	check.go         everything that can be wrong with it
//	child.go         Verify in a child process
//	sound.go         MakeSound: what lies at the path, and what to do
//	aside.go         moving aside, and the new file in its place
//	pages.go         leaf pages of a damaged file, without bbolt
//	salvage.go       what the pages give, into a new file
//	salvage_rows.go  gaps and dead letters
package file
