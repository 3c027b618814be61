// Package file makes a store's file, checks it, and repairs it. No store has the file open meanwhile: the running store
// is package store.
//
// Promise: after MakeSound there is a file that opens, or no file, in any state of the path before. After an unclean
// stop the file is checked in a child process. A damaged, empty or foreign file, or a path that is no regular file, is
// moved aside as path.damaged-NNNN, and a new file takes its place. The new file has every readable sweep that an
// integration still waits for, the gaps, the dead letters, the cursors, the counters and the device id. The old file
// keeps its name until the new file is complete and synced, so a power cut costs only time.
//
// Refused: a file that another process has open (ErrLocked), and a file of a newer version (record.ErrVersion), which
// stays untouched. Failure: no permission, no directory or no space. bbolt may panic on a damaged file, also on its own
// goroutine: therefore the check runs in a child process (InChild, Verdict).
//
// The files, in reading order:
//
//	options.go       the caller's options
//	create.go        buckets, the options of bbolt, an empty file
//	ballast.go       space that is reserved for a full disk
//	errors.go        the meaning of errors of the system and of bbolt, and the way out
//	clean.go         the note of a clean stop
//	image.go         a file in memory, without its outbox
//	names_copy.go    the second copy of names and identity
//	verify.go        can an agent work with the file?
//	check.go         every check of the content
//	child.go         Verify in a child process
//	sound.go         MakeSound: the state of the path, and the action for it
//	aside.go         moving aside, and the new file in its place
//	pages.go         leaf pages of a damaged file, without bbolt
//	salvage.go       the content of the pages, into a new file
//	salvage_rows.go  gaps and dead letters
package file
