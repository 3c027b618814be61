package store

import (
	"errors"
	"noi-agent/store/internal/file"
)

// makeRoom is what a full disk calls for: first settlements and deletions alone, which free pages inside the file;
// then, if that was not enough, the oldest sweeps are deleted for the new ones. err is for the sweeps, stateErr for all
// the rest. Nothing is deleted before it is known that the file can be written at all. Rows of deliveries wait for
// better times.
func (w *writer) makeRoom(sweeps []*offered) (err, stateErr error) {
	err, stateErr = w.tryRoom(sweeps)
	if errors.Is(err, ErrFull) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.refuseLocked(sweeps, whyDiskFull)
		w.releaseLocked(sweeps, nil)
	}
	return err, stateErr
}

func (w *writer) tryRoom(sweeps []*offered) (err, stateErr error) {
	for _, drop := range w.steps(sweeps) {
		if stateErr = w.writeState(); stateErr != nil {
			return stateErr, stateErr
		}
		if drop > 0 {
			if stateErr = w.write(task{drop: drop}); stateErr != nil {
				return stateErr, stateErr
			}
		}
		// The ballast comes before the new sweeps, or these would use up its pages and the next
		// full disk would find none.
		err = w.write(task{Ballast: file.Restore})
		if err == nil && len(sweeps) > 0 {
			err = w.write(task{offered: sweeps})
		}
		if !errors.Is(err, ErrFull) {
			return err, err
		}
		if len(sweeps) == 0 {
			return nil, nil // what else waited is written; no samples are deleted for ballast
		}
	}
	return err, nil
}

// writeState writes what is no sweep. The pages of the ballast are free for the transaction after the one that releases
// it: that is for rows about gaps, which a kill must not take.
func (w *writer) writeState() error {
	if err := w.write(task{Ballast: file.Release}); err != nil {
		return err
	}
	if err := w.write(task{rows: true, gapsOnly: true}); !errors.Is(err, ErrFull) {
		return err
	}
	return nil // they wait for room
}

// steps are how many bytes of old sweeps are deleted, one try after the other.
func (w *writer) steps(sweeps []*offered) []int64 {
	if w.opts.RejectNewest {
		return []int64{0}
	}
	return []int64{0, w.roomFor(sweeps)}
}

// roomFor is how many bytes of old sweeps are deleted for new ones on a full disk: twice what these take, and never
// less than a hundredth of the outbox, so that it is not done at every commit.
func (w *writer) roomFor(sweeps []*offered) int64 {
	const slack = 64 << 10 // the pages a commit touches beside its records
	need := int64(slack + file.BallastBytes)
	for _, sw := range sweeps {
		need += 32 * int64(len(sw.sweep.Samples)) // a sample takes less than 16 bytes
	}
	return max(need, w.totals.Bytes/100)
}
