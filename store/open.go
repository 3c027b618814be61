package store

import (
	"context"
	"fmt"
	"noi-agent/store/internal/file"
	"noi-agent/store/internal/record"
)

// Recover opens the store whatever lies at the path, and is how an agent that runs unattended
// starts. A file that was not left clean is checked first. One that is damaged, empty, foreign or
// no file at all is moved aside as path.damaged-NNNN, of which the newest are
// kept, and a new store takes its place that holds what was salvaged: every sweep that still reads
// and an integration still waits for, with its sample ids, the gaps and the dead letters that read,
// and the cursors, counters and device id. The new store has an id of its own.
//
// The old file keeps its name until the new one is complete, so that a power cut in between costs nothing but the time.
// Recover fails with ErrLocked, with ErrVersion, which leaves the file untouched, and where it may or can do nothing:
// no permission, no directory, no space, a directory that cannot be written.
func Recover(ctx context.Context, path string, o Options, ro file.RecoverOptions) (*Store, file.Recovery, error) {
	o = o.withDefaults()
	fo := file.Options{MaxSize: o.MaxSize, Now: o.Now, Logger: o.Logger}
	path, release, err := file.Hold(ctx, path)
	if err != nil {
		return nil, file.Recovery{}, err
	}
	defer release()
	r, err := file.MakeSound(ctx, path, fo, ro)
	if err != nil {
		return nil, r, err
	}
	s, err := tryOpen(path, o)
	if err == nil || !file.Spoiled(err) || r.Moved() {
		return s, r, err
	}
	r.Reason = err.Error() // it has gone bad since
	if err := file.GiveUp(ctx, path, fo, ro, &r); err != nil {
		return nil, r, err
	}
	s, err = Open(path, o)
	return s, r, err
}

// tryOpen is Open for a file that was left clean or found sound. Should it have gone bad since,
// bbolt may panic: on this goroutine that is an error like others. (On one of its own it ends the
// process, and the next start finds no note of a clean stop.) The lock on the bad file stays with
// the process, which is no harm: the file will be moved.
func tryOpen(path string, o Options) (s *Store, err error) {
	defer func() {
		if p := recover(); p != nil {
			s, err = nil, fmt.Errorf("%w: %v", record.ErrDamaged, p)
		}
	}()
	return Open(path, o)
}
