package store

import (
	"errors"
	"syscall"

	"noi-agent/store/internal/file"
)

// makeRoom handles a full disk. First it writes only settlements and deletions, which free pages inside the file. If
// this is not enough, it deletes the oldest sweeps for the new ones. It deletes nothing before it knows that the file
// can be written at all. Rows of deliveries wait until there is room. err is for the sweeps, stateErr for everything
// else.
func (w *writer) makeRoom(sweeps offers) (err, stateErr error) {
	err, stateErr = w.tryRoom(sweeps)
	if errors.Is(err, ErrFull) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.integrations.refuseLocked(sweeps, whyDiskFull, w.next)
		w.releaseLocked(sweeps, nil)
	}
	return err, stateErr
}

func (w *writer) tryRoom(sweeps offers) (err, stateErr error) {
	for _, drop := range w.steps(sweeps) {
		if stateErr = w.writeState(); stateErr != nil {
			return stateErr, stateErr
		}
		if drop > 0 {
			if stateErr = w.write(task{drop: drop}); stateErr != nil {
				return stateErr, stateErr
			}
		}
		// The ballast is restored before the new sweeps are written. Otherwise these would use its pages, and there
		// would be no ballast for the next full disk.
		err = w.write(task{Ballast: file.Restore})
		if err == nil && len(sweeps) > 0 {
			err = w.write(task{offered: sweeps})
		}
		if !errors.Is(err, ErrFull) {
			return err, err
		}
		if len(sweeps) == 0 {
			return nil, nil // everything else that waited is written; no samples are deleted for the ballast
		}
	}
	return err, nil
}

// writeState writes everything but sweeps. The pages of the ballast are free in the transaction after its release. That
// transaction writes rows about gaps, so that a kill does not lose them.
func (w *writer) writeState() error {
	if err := w.write(task{Ballast: file.Release}); err != nil {
		return err
	}
	if err := w.write(task{rows: true, gapsOnly: true}); !errors.Is(err, ErrFull) {
		return err
	}
	return nil // they wait for room
}

// steps returns how many bytes of old sweeps each try deletes.
func (w *writer) steps(sweeps offers) []int64 {
	if w.opts.RejectNewest {
		return []int64{0}
	}
	return []int64{0, w.roomFor(sweeps)}
}

// roomFor is how many bytes of old sweeps are deleted for new ones on a full disk: twice what these take, and never
// less than a hundredth of the outbox, so that not every commit must delete.
func (w *writer) roomFor(sweeps offers) int64 {
	const slack = 64 << 10 // the pages a commit touches beside its records
	need := int64(slack + file.BallastBytes)
	for _, sw := range sweeps {
		need += 32 * int64(len(sw.sweep.Samples)) // a sample takes less than 16 bytes
	}
	return max(need, w.totals.Bytes/100)
}

// freeBytes returns how many bytes this user may still write to the disk of a file; -1: not known.
func freeBytes(path string) int64 {
	var fs syscall.Statfs_t
	if syscall.Statfs(path, &fs) != nil {
		return -1
	}
	return int64(fs.Bavail) * int64(fs.Bsize)
}
