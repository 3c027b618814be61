package store

import (
	"context"
	"io"
	"noi-agent/store/internal/file"
	"noi-agent/store/internal/record"
)

// Types whose values are in the file.
type (
	// Trigger is one row of the trigger log. It is about one sample for one integration and the result of its
	// delivery, or about a gap: samples that the integration will never get. Times are UTC, to the millisecond.
	Trigger = record.Trigger
	// Instant is a moment as the gateway knew it. With the run, and the time since the boot, its time is corrected as
	// that of a sample is.
	Instant = record.Instant
	// Span is a gap between two instants. The gap gets its times when both are known: at once, or in a later run.
	Span = record.Span
	// Account is the time up to which each due moment of an object is a sample or a gap that the store has. Samples
	// that were due after this time, and before the first sample of the next run, are missing.
	Account = record.Account
	// Accounted is one object of a unit.
	Accounted = record.Accounted
	// Traffic is what an integration has sent and received, in bytes at its sockets.
	Traffic = record.Traffic
)

// The errors about the state of a file.
var (
	// ErrDamaged comes from Open, Check and Verify if the content of the file is impossible: the file must be moved
	// aside, as Recover does.
	ErrDamaged = record.ErrDamaged
	// ErrVersion comes from Open, Check, Verify and Recover when the file was made by a newer version of the agent, in
	// a format that this version does not know. The file is not changed: the newer version can still use it.
	ErrVersion = record.ErrVersion
)

// Types of the start.
type (
	// RecoverOptions are the options for checking a file that was not closed cleanly.
	RecoverOptions = file.RecoverOptions
	// Recovery is the result of Recover: what it found, and what it did.
	Recovery = file.Recovery
)

// ErrLocked comes from Open and Check when another process has the file open.
var ErrLocked = file.ErrLocked

// Check opens the file for reading and makes every check of its content. It returns all faults joined, at most 20, and
// nil for a sound store. It fails with ErrLocked while an agent has the file open. On a file damaged in its inner
// structure bbolt may panic: a program that must go on runs Check in a child process.
func Check(path string) error { return file.Check(path) }

// Verify checks whether an agent can work with the file. It runs after an unclean stop. It does not report single
// damaged sweeps and rows, because the store can work with them. It fails with ErrDamaged, with ErrVersion, with
// ErrLocked while an agent has the file open, and with the system's error when the check cannot be made. On a damaged
// file bbolt may panic, or hang (Verdict, InChild).
func Verify(path string) error { return file.Verify(path) }

// Verdict is the code of the child process: it runs Verify, prints the fault to say, and returns the exit code for
// InChild.
func Verdict(path string, say io.Writer) int { return file.Verdict(path, say) }

// InChild returns a RecoverOptions.Check that runs a command with the file's path as its last argument. The command
// must exit with the code that Verdict returns. If the child is killed by a signal or by ctx, or exits in another way,
// the file counts as damaged. If the child cannot be started, nothing is known about the file.
func InChild(argv ...string) func(ctx context.Context, path string) error {
	return file.InChild(argv...)
}

// RunsAt returns a number that is not below the run number of any run of the store at path. It is for the Options.Runs
// of a store in memory that replaces this store. RunsAt also works if the store does not open. 0: there is no store.
func RunsAt(path string) uint64 { return file.RunsAt(path) }
