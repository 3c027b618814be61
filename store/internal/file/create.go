package file

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"noi-agent/store/internal/record"

	bolt "go.etcd.io/bbolt"
)

// The buckets and keys of the file.
var (
	BucketMeta     = []byte("meta")     // identity and totals
	BucketNames    = []byte("names")    // number → name
	BucketSweeps   = []byte("sweeps")   // sequence number → sweep
	BucketCursors  = []byte("cursors")  // integration → cursor and counters
	BucketTriggers = []byte("triggers") // integration → bucket: row id → row
	BucketGaps     = []byte("gaps")     // integration → bucket: row id → row about missing samples
	BucketRuns     = []byte("runs")     // run → what was known about its times
	// integration → bucket: row id → row of a rejected delivery; made when needed
	BucketDead    = []byte("dead")
	bucketBallast = []byte("ballast") // pages kept back for a full disk
)

// CreateIfMissing makes an empty store under a temporary name. It renames the file when the file is complete and on the
// disk, because a power cut can damage a bbolt file only during its first writes.
func CreateIfMissing(path string) error {
	switch info, err := os.Stat(path); {
	case err == nil && info.Size() > 0:
		return nil
	case err == nil: // an empty file: bbolt would fill it in place
		if err := os.Remove(path); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	name, err := Create(path, format)
	if err != nil {
		return err
	}
	defer os.Remove(name)
	if err := install(name, path); err != nil {
		return err
	}
	return SyncPath(filepath.Dir(path))
}

// Create makes a store under a temporary name beside path, complete and synced.
func Create(path string, fill func(name string) error) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+staleSuffix+"*")
	if err != nil {
		return "", err
	}
	name = f.Name()
	if err = f.Close(); err == nil {
		err = fill(name)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(name))
	}
	return name, nil
}

const staleSuffix = ".new-"

func globStale(path string) ([]string, error) {
	return filepath.Glob(path + staleSuffix + "*")
}

// format fills a new file with an empty store.
func format(name string) error {
	db, err := bolt.Open(name, 0o600, BoltOptions(0))
	if err != nil {
		return err
	}
	db.AllocSize = AllocSize
	err = db.Update(func(tx *bolt.Tx) error {
		if err := putBuckets(tx); err != nil {
			return err
		}
		meta := tx.Bucket(BucketMeta)
		if err := meta.Put(record.KeyIdentity, record.Identity{ID: drawID()}.Encode()); err != nil {
			return err
		}
		return meta.Put(record.KeyTotals, record.Totals{}.Encode())
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return SyncPath(name)
}

// buckets returns the buckets that every store has. The ballast may be missing.
func buckets() [][]byte {
	return [][]byte{BucketMeta, BucketNames, BucketSweeps, BucketCursors, BucketTriggers, BucketGaps, BucketRuns}
}

func putBuckets(tx *bolt.Tx) error {
	for _, b := range buckets() {
		if _, err := tx.CreateBucket(b); err != nil {
			return err
		}
	}
	return nil
}

// BucketOf returns an integration's bucket of one kind. If it is missing, BucketOf makes it.
func BucketOf(tx *bolt.Tx, kind []byte, integration string) (*bolt.Bucket, error) {
	all, err := tx.CreateBucketIfNotExists(kind)
	if err != nil {
		return nil, err
	}
	return all.CreateBucketIfNotExists([]byte(integration))
}

// drawID returns a random store id.
func drawID() string {
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return hex.EncodeToString(id[:])
}

// install gives the file its name, but never takes it from a file that another agent made meanwhile:
// a link fails where a rename would replace. File systems without links get the rename.
func install(name, path string) error {
	err := os.Link(name, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(name, path)
}

// SyncPath makes a file's content, or a directory's entries, durable.
func SyncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// BoltOptions are the same for every opening for writing.
//
// The freelist is not written. After a backlog was sent, each commit would otherwise have the list of all free pages:
// 467 KB instead of 37 KB, as long as the file exists. This wears out a gateway's flash. The disadvantage: bbolt reads
// all pages when it opens the file, and panics if the inner structure is damaged. Such a file is useless in any case, a
// thousand simulated power cuts made none, and a child process opens the file first and catches the panic.
func BoltOptions(maxSize int64) *bolt.Options {
	return &bolt.Options{
		Timeout: lockWait, NoFreelistSync: true, FreelistType: bolt.FreelistMapType, NoStatistics: true,
		MaxSize: Limit(maxSize),
	}
}

// Limit returns the largest size of a file whose outbox may have this many bytes of records.
func Limit(maxSize int64) int {
	limit := int64(math.MaxInt)
	if maxSize < (limit-fileSlack)/2 {
		limit = 2*maxSize + fileSlack
	}
	return int(limit)
}

// RemoveStale removes the files of interrupted creations.
func RemoveStale(path string) {
	stale, err := globStale(path)
	if err != nil {
		return
	}
	for _, name := range stale {
		_ = os.Remove(name) // a failure only wastes some space
	}
}

const (
	// lockWait is how long Open waits for the file's lock: an agent that is ending releases the lock in this time.
	// bbolt's default is to wait for ever.
	lockWait = time.Second
	// AllocSize is the step by which the file grows, in bytes: bbolt's 16 MiB are much for the flash of a gateway.
	AllocSize = 1 << 20
	// fileSlack is the size of the file in addition to twice the records: the trigger log, and pages that are free or
	// half full. bbolt refuses to grow beyond the limit. Deletions still work.
	fileSlack = 64 << 20
)
