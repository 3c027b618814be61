package store

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// The ballast is a bucket of zeros that is there to be thrown off. Even to delete, bbolt first
// writes new copies of some pages, and the last commits before a disk is full may have used up
// the free ones: the file could then never be written again. Deleting a whole bucket touches one
// page only, and what that frees is enough for the commit that really makes room.
//
// 0 leaves it as it is.
type ballast uint8

const (
	releaseBallast ballast = 1
	restoreBallast ballast = 2

	// Two values to a page of 4 KiB, so that no page needs neighbours: 16 pages, three times
	// what a commit without rows has been seen to need.
	ballastValues = 32
	ballastSize   = 1900
)

func (b ballast) move(tx *bolt.Tx) error {
	there := tx.Bucket(bucketBallast) != nil
	switch {
	case b == releaseBallast && there:
		return tx.DeleteBucket(bucketBallast)
	case b == restoreBallast && !there:
		bucket, err := tx.CreateBucket(bucketBallast)
		if err != nil {
			return err
		}
		bucket.FillPercent = 1
		for i := range byte(ballastValues) {
			if err := bucket.Put([]byte{i}, make([]byte, ballastSize)); err != nil {
				return err
			}
		}
	}
	return nil
}

// makeRoom is what a full disk calls for: first settlements and deletions alone, which free pages
// inside the file; then, if that was not enough, the oldest sweeps give way to the new ones. err
// is for the sweeps, stateErr for all the rest. Nothing gives way before it is known that the
// file can be written at all. Rows of deliveries wait for better times.
func (s *Store) makeRoom(sweeps []*fresh) (err, stateErr error) {
	err, stateErr = s.tryRoom(sweeps)
	if errors.Is(err, ErrFull) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.refuse(sweeps, whyDiskFull)
		s.release(sweeps, nil)
	}
	return err, stateErr
}

func (s *Store) tryRoom(sweeps []*fresh) (err, stateErr error) {
	for _, drop := range s.steps(sweeps) {
		if stateErr = s.writeState(); stateErr != nil {
			return stateErr, stateErr
		}
		if drop > 0 {
			if stateErr = s.write(task{drop: drop}); stateErr != nil {
				return stateErr, stateErr
			}
		}
		// The ballast comes before the new sweeps, or these would use up its pages and the next
		// full disk would find none.
		err = s.write(task{ballast: restoreBallast})
		if err == nil && len(sweeps) > 0 {
			err = s.write(task{fresh: sweeps})
		}
		if !errors.Is(err, ErrFull) {
			return err, err
		}
		if len(sweeps) == 0 {
			return nil, nil // what else waited is written; nobody's samples give way for ballast
		}
	}
	return err, nil
}

// writeState writes what is no sweep. The pages of the ballast are free for the transaction after the one that releases it: that is
// for rows about gaps, which a kill must not take.
func (s *Store) writeState() error {
	if err := s.write(task{ballast: releaseBallast}); err != nil {
		return err
	}
	if err := s.write(task{rows: true, gapsOnly: true}); !errors.Is(err, ErrFull) {
		return err
	}
	return nil // they wait for room
}

// steps are how many bytes of old sweeps are to give way, one try after the other.
func (s *Store) steps(sweeps []*fresh) []int64 {
	if s.opts.RejectNewest {
		return []int64{0}
	}
	return []int64{0, s.roomFor(sweeps)}
}

// roomFor is how many bytes of old sweeps give way to new ones on a full disk: twice what these
// take, and never less than a hundredth of the outbox, so that it is not done at every commit.
func (s *Store) roomFor(sweeps []*fresh) int64 {
	const slack = 64 << 10 // the pages a commit touches beside its records
	need := int64(slack + ballastValues*ballastSize)
	for _, sw := range sweeps {
		need += 32 * int64(len(sw.sweep.Samples)) // a sample takes less than 16 bytes
	}
	return max(need, s.totals.Bytes/100)
}

// isFull reports whether a commit failed for want of space, so that nothing of it is in the file. That is so while
// the file is made longer and while pages are written, the head page among them, which is the last. A sync that fails
// comes after that, whatever it says: then the outcome is not known. bbolt wraps the errors of writing, prints that of growing, and
// passes that of a sync on bare.
func isFull(err error) bool {
	var write *fs.PathError
	switch {
	case errors.Is(err, berrors.ErrMaxSizeReached):
		return true
	case errors.As(err, &write) && write.Op != "sync" && (errors.Is(write.Err, syscall.ENOSPC) || errors.Is(write.Err, syscall.EDQUOT)):
		return true
	}
	text := err.Error()
	return strings.Contains(text, "file resize error: ") && noSpace(text)
}

// isFullDisk reports whether anything failed for want of space, where nothing depends on how far it came.
func isFullDisk(err error) bool {
	return err != nil && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || noSpace(err.Error()) || errors.Is(err, berrors.ErrMaxSizeReached))
}

func noSpace(text string) bool {
	return strings.HasSuffix(text, syscall.ENOSPC.Error()) || strings.HasSuffix(text, syscall.EDQUOT.Error())
}
