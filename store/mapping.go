package store

import (
	"sync/atomic"
	"syscall"

	bolt "go.etcd.io/bbolt"
)

const (
	// letGoFrom is the size of a file from which on letGo releases its pages. A smaller file may stay mapped.
	letGoFrom = 8 << 20
	// letGoEvery is how many bytes of records may be read until the pages are released. Less would cost time, because a
	// page that is read again is mapped again.
	letGoEvery = 2 << 20
)

// mapping limits how much of the mapped file is resident memory of the process. Opening a file reads all pages, and
// sending a backlog reads most of them. Released pages stay in the system's cache, and are mapped again when they are
// read. Without this the resident memory is as large as the backlog, and a limit (MemoryMax) ends the agent on a system
// that counts these pages.
type mapping struct {
	read atomic.Int64 // bytes of records that were read since the last release
}

// hasRead notes that n bytes of records are read. It releases the pages if they are too many. An error would come
// again after the next commit, where it is logged.
func (m *mapping) hasRead(tx *bolt.Tx, n int) {
	if m.read.Add(int64(n)) >= letGoEvery {
		_ = m.letGo(tx)
	}
}

// letGo releases the mapped pages of the file from the process's memory. All bytes up to the size of the file in this
// transaction are mapped while the transaction is open.
func (m *mapping) letGo(tx *bolt.Tx) error {
	m.read.Store(0)
	size, at := tx.Size(), tx.DB().Info().Data
	if size < letGoFrom || at == 0 {
		return nil
	}
	if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, at, uintptr(size), syscall.MADV_DONTNEED); errno != 0 {
		return errno
	}
	return nil
}

// letGoPages releases the pages after a commit.
func (w *writer) letGoPages() {
	if err := w.view(w.mapping.letGo); err != nil {
		w.opts.Logger.Debug("the store's pages stay in memory", "error", err)
	}
}
