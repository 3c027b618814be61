package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

const (
	// compactFrom is the size below which a file is left as it is.
	compactFrom = 16 << 20
	// compactRatio is how many times larger than its content a file must be. Pages are half full at worst, and copying
	// a quarter of the file costs a quarter of what filling it has cost.
	compactRatio = 4
	// logRoom is the size of trigger rows, gaps and names in the file: 4 MiB for two integrations that keep 1,000 rows.
	logRoom = 4 << 20
)

// oversized reports whether most pages of the file are free, as after a long outage. bbolt never makes a file smaller.
func (w *writer) oversized() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err == nil && w.fileBytes > compactFrom && w.fileBytes > compactRatio*(2*w.totals.Bytes+logRoom)
}

// compact replaces the file by a copy without its free pages. The old one keeps its name until the copy is whole and on
// the disk, so that a power cut loses nothing. The writer makes the copy. New sweeps are accepted meanwhile, and wait
// for the writer. Without room for the copy nothing changes. An error after the renaming stops the store, because it is
// not known which of the two files a restart would find.
func (w *writer) compact() {
	defer func() {
		if p := recover(); p != nil { // bbolt panics on damaged pages
			w.abort(fmt.Errorf("compact: the file is damaged: %v", p))
		}
	}()
	before := w.fileBytes
	name, err := file.Create(w.path, w.copyTo)
	if err != nil {
		w.opts.Logger.Warn("the store stays as large as it is", "bytes", before, "error", err)
		return
	}
	db, err := bolt.Open(name, 0o600, file.BoltOptions(w.room()))
	if err != nil {
		_ = os.Remove(name) // an incomplete copy
		w.opts.Logger.Warn("the store stays as large as it is", "bytes", before, "error", err)
		return
	}
	db.AllocSize = file.AllocSize
	err = os.Rename(name, w.path)
	if _, gone := os.Lstat(name); err != nil && gone == nil { // the file was not renamed
		w.opts.Logger.Warn("the store stays as large as it is", "bytes", before, "error",
			errors.Join(err, db.Close(), os.Remove(name)))
		return
	}
	if err == nil {
		err = file.SyncPath(filepath.Dir(w.path))
	}
	if err != nil {
		w.abort(errors.Join(fmt.Errorf("compact: %w", err), db.Close()))
		return
	}
	w.swap(db)
	w.opts.Logger.Info("the store was compacted", "bytes_before", before, "bytes", w.fileBytes)
}

// room returns the size for which the copy must have room: the content may still be larger than a new, smaller MaxSize.
func (w *writer) room() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return max(w.opts.MaxSize, w.totals.Bytes)
}

// copyTo fills a new file. It is synced once, when it is complete.
func (w *writer) copyTo(name string) error {
	o := file.BoltOptions(w.room())
	o.NoSync, o.NoGrowSync = true, true
	dst, err := bolt.Open(name, 0o600, o)
	if err != nil {
		return err
	}
	dst.AllocSize = file.AllocSize
	err = bolt.Compact(dst, w.db, file.SalvageBatch)
	if err := errors.Join(err, dst.Close()); err != nil {
		return err
	}
	return file.SyncPath(name)
}

// swap replaces the open file by the copy. Readers have short transactions, and none is open now.
func (w *writer) swap(db *bolt.DB) {
	w.reading.Lock()
	old := w.db
	w.db, w.update = db, db.Update
	w.reading.Unlock()
	if err := old.Close(); err != nil {
		w.opts.Logger.Warn("close the old file", "error", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if info, err := os.Stat(w.path); err == nil {
		w.fileBytes = info.Size()
	}
}
