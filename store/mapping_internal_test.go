package store

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"noi-agent/objects"
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
	(&writer{Store: s}).letGoPages()
	if after := residentFile(t); before-after < letGoFrom {
		t.Errorf("%d bytes of files are resident, and %d before", after, before)
	}
	read()
}

// A backlog of four times letGoFrom is read without a commit. Only a part of it is ever in memory.
func TestPagesAreLetGoWhileABacklogIsRead(t *testing.T) {
	s := openForTest(t, Options{})
	if err := s.SetIntegrations([]Integration{{ID: "aws", Topic: "t"}}); err != nil {
		t.Fatal(err)
	}
	text := objects.Text(strings.Repeat("x", 4000))
	for n := uint64(1); s.Stats().FileBytes < 4*letGoFrom; n += 50 {
		sw := sweepOf(n, 50, "aws")
		for i := range sw.Samples {
			sw.Samples[i].Value = text
		}
		if err := s.Append(t.Context(), sw); err != nil {
			t.Fatal(err)
		}
	}
	for name, read := range map[string]func() bool{
		"Pending": func() bool {
			ds, err := s.Pending("aws", 1<<20, nil)
			return err == nil && len(ds) > 5000
		},
		"Scan": func() bool {
			c := s.Scan(Range{})
			n := 0
			for more := true; more; {
				found, again, err := c.Step()
				if err != nil {
					return false
				}
				n, more = n+len(found), again
			}
			return n > 100
		},
	} {
		before := residentFile(t)
		if !read() {
			t.Errorf("%s did not read the backlog", name)
		}
		if after := residentFile(t); after-before > letGoFrom {
			t.Errorf("%s left %d bytes of files in memory, and before there were %d", name, after, before)
		}
	}
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
