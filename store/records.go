package store

import "noi-agent/store/internal/record"

// Types whose values are in the file.
type (
	// Trigger is one row of the trigger log: one sample handed to one integration and how it ended,
	// or a gap: samples that it will never get. Times are UTC, to the millisecond.
	Trigger = record.Trigger
	// Instant is a moment as the gateway knew it. With the run, and the time since the boot, its time is corrected as that of a sample is.
	Instant = record.Instant
	// Span is a gap between two instants. The gap gets its times when both are known: at once, or in a later run.
	Span = record.Span
	// Account says up to when an object is accounted for: each moment at which it was due until then is a sample or a gap that the
	// store has. What was due after that, and before the first sample of the next run, nobody has.
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
	// ErrVersion comes from Open, Check, Verify and Recover when the file was made by a newer version of the agent, in a
	// format that this version does not know. The file stays as it is: the newer version can go on with it.
	ErrVersion = record.ErrVersion
)
