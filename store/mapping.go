package store

import (
	"syscall"

	bolt "go.etcd.io/bbolt"
)

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
