package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

const (
	// compactFrom is the size below which a file is left as it is.
	compactFrom = 16 << 20
	// compactRatio is how many times larger than its content a file must be. Pages are half full at worst, and copying
	// a quarter of the file costs a quarter of what filling it has cost.
	compactRatio = 4
	// logRoom is what trigger rows, gaps and names take beside the sweeps: 4 MiB for two integrations that keep 1,000
	// rows.
	logRoom = 4 << 20
)

// oversized reports whether the file is mostly free pages: what a long outage has left behind. It never shrinks by
// itself.
func (s *Store) oversized() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err == nil && s.fileBytes > compactFrom && s.fileBytes > compactRatio*(2*s.totals.Bytes+logRoom)
}

// compact replaces the file by a copy without its free pages. The old one keeps its name until the copy is whole and on
// the disk, so that a power cut costs nothing. Sweeps are taken meanwhile, and wait for the writer, who does this.
// Without room for the copy all stays as it is; an error after the renaming stops the store, because then it is not
// known which of the two a restart would find.
func (s *Store) compact() {
	defer func() {
		if p := recover(); p != nil { // bbolt panics on damaged pages
			s.abort(fmt.Errorf("compact: the file is damaged: %v", p))
		}
	}()
	before := s.fileBytes
	name, err := file.Create(s.path, s.copyTo)
	if err != nil {
		s.opts.Logger.Warn("the store stays as large as it is", "bytes", before, "error", err)
		return
	}
	db, err := bolt.Open(name, 0o600, file.BoltOptions(s.room()))
	if err != nil {
		_ = os.Remove(name) // a copy, of no use
		s.opts.Logger.Warn("the store stays as large as it is", "bytes", before, "error", err)
		return
	}
	db.AllocSize = file.AllocSize
	err = os.Rename(name, s.path)
	if _, gone := os.Lstat(name); err != nil && gone == nil { // nothing has happened
		s.opts.Logger.Warn("the store stays as large as it is", "bytes", before, "error",
			errors.Join(err, db.Close(), os.Remove(name)))
		return
	}
	if err == nil {
		err = file.SyncPath(filepath.Dir(s.path))
	}
	if err != nil {
		s.abort(errors.Join(fmt.Errorf("compact: %w", err), db.Close()))
		return
	}
	s.swap(db)
	s.opts.Logger.Info("the store was compacted", "bytes_before", before, "bytes", s.fileBytes)
}

// room is what the copy has to hold: what there is may still be more than a MaxSize that was made smaller.
func (s *Store) room() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.opts.MaxSize, s.totals.Bytes)
}

// copyTo fills a new file. It is synced once, when it is complete.
func (s *Store) copyTo(name string) error {
	o := file.BoltOptions(s.room())
	o.NoSync, o.NoGrowSync = true, true
	dst, err := bolt.Open(name, 0o600, o)
	if err != nil {
		return err
	}
	dst.AllocSize = file.AllocSize
	err = bolt.Compact(dst, s.db, file.SalvageBatch)
	if err := errors.Join(err, dst.Close()); err != nil {
		return err
	}
	return file.SyncPath(name)
}

// swap goes on with the copy. Readers have short transactions, and none is open now.
func (s *Store) swap(db *bolt.DB) {
	s.reading.Lock()
	old := s.db
	s.db, s.update = db, db.Update
	s.reading.Unlock()
	if err := old.Close(); err != nil {
		s.opts.Logger.Warn("close the old file", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if info, err := os.Stat(s.path); err == nil {
		s.fileBytes = info.Size()
	}
}

const (
	// letGoFrom is the size from which a file's pages are let go of: a smaller one may stay mapped whole.
	letGoFrom = 8 << 20
	// letGoEvery is how many commits lie between two times; those of a draining backlog touch some 50 kB each.
	letGoEvery = 64
)

// letGo takes the pages of the file out of the process's memory: opening walks through all of them, and a drain reads
// most. They stay in the system's cache, and come back when they are read. Without it the resident memory is as large
// as the backlog, and a limit on it (MemoryMax) ends the agent on a system that counts them.
//
// What is given to the system is the address of the mapping, and as many bytes as the transaction says are in use: all
// of these are mapped, and stay so while the transaction is open.
func (s *Store) letGo() {
	err := s.view(func(tx *bolt.Tx) error {
		size, at := tx.Size(), tx.DB().Info().Data
		if size < letGoFrom || at == 0 {
			return nil
		}
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, at, uintptr(size), syscall.MADV_DONTNEED); errno != 0 {
			return errno
		}
		return nil
	})
	if err != nil {
		s.opts.Logger.Debug("the store's pages stay in memory", "error", err)
	}
}
