package store

import (
	"context"
	"fmt"
	"noi-agent/store/internal/file"
	"noi-agent/store/internal/record"
)

// Recover opens a store in any state of the file at the path. An agent that runs unattended starts with it. After an
// unclean stop the file is checked first. A damaged, empty or foreign file, or a path that is no regular file, is moved
// aside as path.damaged-NNNN, and the newest of these are kept. A new store takes its place. It holds every readable
// sweep that an integration still waits for, with its sample ids, the readable gaps and dead letters, and the cursors,
// counters and device id. The new store has a new id.
//
// The old file keeps its name until the new file is complete, so a power cut meanwhile costs only time. Recover fails
// with ErrLocked; with ErrVersion, which leaves the file untouched; and without permission, directory or space.
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
	r.Reason = err.Error() // the file became damaged after its check
	if err := file.GiveUp(ctx, path, fo, ro, &r); err != nil {
		return nil, r, err
	}
	s, err = Open(path, o)
	return s, r, err
}

// tryOpen is Open for a file that was left clean, or was found sound. If the file became damaged meanwhile, bbolt may
// panic. On this goroutine a panic is an error like others. (On bbolt's own goroutine it ends the process, and the next
// start finds no note of a clean stop.) The process keeps the lock on the damaged file; this does no harm, because the
// file will be moved.
func tryOpen(path string, o Options) (s *Store, err error) {
	defer func() {
		if p := recover(); p != nil {
			s, err = nil, fmt.Errorf("%w: %v", record.ErrDamaged, p)
		}
	}()
	return Open(path, o)
}
