package store

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
)

// A file is larger than letGoFrom, and all its pages were read. Afterwards it is not in memory, and reads as before.
func TestPagesAreLetGo(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "noi.db"),
		Options{Now: func() time.Time { return time.Unix(1656404429, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	want := bytes.Repeat([]byte{7}, 2*letGoFrom)
	key := []byte("large")
	if err := s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(file.BucketMeta).Put(key, want) }); err != nil {
		t.Fatal(err)
	}
	read := func() {
		t.Helper()
		err := s.view(func(tx *bolt.Tx) error {
			if got := tx.Bucket(file.BucketMeta).Get(key); !bytes.Equal(got, want) {
				t.Error("the value is different now")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	read()
	before := residentFile(t)
	(&writer{Store: s}).letGo()
	if after := residentFile(t); before-after < letGoFrom {
		t.Errorf("%d bytes of files are resident, and %d before", after, before)
	}
	read()
}

// residentFile returns how many bytes of the mapped files are in memory.
func residentFile(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "RssFile:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
