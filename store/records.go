package store

import (
	"context"
	"io"
	"noi-agent/store/internal/file"
	"noi-agent/store/internal/record"
)

// Types whose values are in the file.
type (
	// Trigger is one row of the trigger log: one sample handed to one integration and how it ended,
	// or a gap: samples that it will never get. Times are UTC, to the millisecond.
	Trigger = record.Trigger
	// Instant is a moment as the gateway knew it. With the run, and the time since the boot, its time is corrected as
	// that of a sample is.
	Instant = record.Instant
	// Span is a gap between two instants. The gap gets its times when both are known: at once, or in a later run.
	Span = record.Span
	// Account says up to when an object is accounted for: each moment at which it was due until then is a sample or a
	// gap that the store has. What was due after that, and before the first sample of the next run, is missing.
	Account = record.Account
	// Accounted is one object of a unit.
	Accounted = record.Accounted
	// Traffic is what an integration has sent and received, in bytes at its sockets.
	Traffic = record.Traffic
)

// Errors that say what a file is good for.
var (
	// ErrDamaged comes from Open, Check and Verify when the file says things that cannot be: it
	// has to be moved aside, as Recover does by itself.
	ErrDamaged = record.ErrDamaged
	// ErrVersion comes from Open, Check, Verify and Recover when the file was made by a newer version of the agent, in
	// a format that this version does not know. The file stays as it is: the newer version can go on with it.
	ErrVersion = record.ErrVersion
)

// Types of the start.
type (
	// RecoverOptions say how Recover looks at a file that was not left clean.
	RecoverOptions = file.RecoverOptions
	// Recovery says what Recover found and did.
	Recovery = file.Recovery
)

// ErrLocked comes from Open and Check when another process has the file open.
var ErrLocked = file.ErrLocked

// Check opens the file for reading and looks for everything that can be wrong with it. It returns all faults joined, at
// most 20, and nil for a sound store. It fails with ErrLocked while an agent has the file open. On a file damaged in
// its inner structure bbolt may panic: a program that must go on runs Check in a child process.
func Check(path string) error { return file.Check(path) }

// Verify looks whether an agent can work with the file, and is what runs after an unclean stop. It leaves alone what
// the store itself goes on with: single damaged sweeps and rows. It fails with ErrDamaged, with ErrVersion, with
// ErrLocked while an agent has the file open, and with the system's error when it cannot find out. On a damaged file
// bbolt may panic, or hang (Verdict, InChild).
func Verify(path string) error { return file.Verify(path) }

// Verdict is the side of the child process: it runs Verify, says what is wrong and returns the exit code that InChild
// understands.
func Verdict(path string, say io.Writer) int { return file.Verdict(path, say) }

// InChild returns a RecoverOptions.Check that runs a command with the file's path as its last argument. The command is
// to exit with what Verdict returns. A child that is killed by a signal or by ctx, or that exits in another way, has
// met a damaged file. A child that cannot be started says nothing about the file.
func InChild(argv ...string) func(ctx context.Context, path string) error {
	return file.InChild(argv...)
}

// RunsAt returns a number that no run of the store at path is above, for the Options.Runs of a store in memory that
// replaces it. The store itself may not open. 0: there is none.
func RunsAt(path string) uint64 { return file.RunsAt(path) }
