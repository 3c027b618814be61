package store_test

import (
	"encoding/binary"
	"hash/crc32"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"noi-agent/store"
	"noi-agent/store/storetest"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"
)

// damage changes one value of a closed store's file, as a bad flash cell would.
func damage(t *testing.T, path, bucket string, key []byte, change func([]byte) []byte) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		old := append([]byte(nil), b.Get(key)...)
		if len(old) == 0 {
			t.Fatalf("nothing under %x in %s", key, bucket)
		}
		return b.Put(key, change(old))
	}))
	must(t, db.Close())
}

// soon is a time at which the samples are still young.
func soon() time.Time { return storetest.Start.Add(time.Hour) }

func key(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func flip(v []byte) []byte { v[len(v)/2] ^= 0x10; return v }

// filled makes a closed store with five sweeps of four samples for both integrations.
func filled(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "noi.db")
	s, err := store.Open(path, store.Options{Now: soon})
	must(t, err)
	must(t, s.SetIntegrations(both))
	for n := uint64(1); n <= 20; n += 4 {
		add(t, s, storetest.Sweep(1, n, 4, "aws", "gcp"))
	}
	ds := pending(t, s, "aws", 20)
	settle(t, s, "aws", store.Retrying, ds[0])
	settle(t, s, "aws", store.Accepted, ds[1:6]...)
	must(t, s.Close())
	must(t, store.Check(path))
	return path
}

// reopen opens a damaged file. It does not check the file at the close, because that check must fail.
func reopen(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(path, store.Options{Now: soon})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	must(t, s.SetIntegrations(both))
	return s
}

func TestDamagedRecordsAreSkippedAndCounted(t *testing.T) {
	for what, change := range map[string]func([]byte) []byte{
		"bit flipped":     flip,
		"cut":             func(v []byte) []byte { return v[:len(v)-9] },
		"one byte":        func(v []byte) []byte { return v[:1] },
		"unknown version": func(v []byte) []byte { v[0] = 99; return v },
	} {
		t.Run(what, func(t *testing.T) {
			path := filled(t)
			damage(t, path, "sweeps", key(1), change) // 5 to 8: partly settled for aws
			damage(t, path, "sweeps", key(3), change) // 13 to 16
			if err := store.Check(path); err == nil || !strings.Contains(err.Error(), "sweep 3 is damaged") {
				t.Errorf("check: %v", err)
			}
			s := reopen(t, path)
			for id, want := range map[string][]uint64{
				"aws": {1, 9, 10, 11, 12, 17, 18, 19, 20},
				"gcp": {1, 2, 3, 4, 9, 10, 11, 12, 17, 18, 19, 20},
			} {
				ds := pending(t, s, id, 100)
				if diff := cmp.Diff(want, numbers(ds)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", id, diff)
				}
				settle(t, s, id, store.Accepted, ds...)
				if b := s.Stats().Integrations[id].Backlog; b != 0 {
					t.Errorf("%s: a backlog of %d that no integration can read", id, b)
				}
			}
			add(t, s, storetest.Sweep(2, 1, 3, "aws", "gcp"))
			if st := s.Stats(); st.Corrupt != 2 || st.Sweeps != 1 || st.Samples != 3 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

func TestLostNamesLoseOnlyTheirSamples(t *testing.T) {
	path := filled(t)
	damage(t, path, "names", key(3), flip) // the third name in the order of use: object_00 of every sweep so far
	s := reopen(t, path)
	add(t, s, storetest.Sweep(2, 100, 4, "aws"))
	ds := pending(t, s, "aws", 100)
	if got := numbers(ds); !cmp.Equal(got, upTo(100, 103)) {
		t.Fatalf("pending %v", got)
	}
	if name := ds[0].Sample.Object; name != "object_00" {
		t.Errorf("the name came back as %q", name)
	}
	if n := s.Stats().Corrupt; n != 5 {
		t.Errorf("%d corrupt, want the 5 sweeps", n)
	}
}

func TestLostCursorSendsAgainRatherThanLose(t *testing.T) {
	path := filled(t)
	damage(t, path, "cursors", []byte("aws"), flip)
	s := reopen(t, path)
	if got := numbers(pending(t, s, "aws", 100)); !cmp.Equal(got, upTo(1, 20)) {
		t.Errorf("pending %v", got)
	}
	if got := s.Stats().Integrations; got["aws"].Backlog != 20 || got["gcp"].Backlog != 20 {
		t.Errorf("stats %+v", got)
	}
}

func TestLostTotalsAreCountedAgain(t *testing.T) {
	path := filled(t)
	before := reopen(t, copyOf(t, path)).Stats()
	damage(t, path, "meta", []byte("totals"), flip)
	s, err := store.Open(path, store.Options{Now: soon})
	must(t, err)
	after := s.Stats()
	after.FileBytes = before.FileBytes // the second start makes the file larger
	after.FreeBytes = before.FreeBytes // other programs use the disk too
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	sw := storetest.Sweep(2, 21, 5, "aws") // with a new name: object_04
	add(t, s, sw)
	ds := pending(t, s, "aws", 100)
	if got := numbers(ds); !cmp.Equal(got, append([]uint64{1}, upTo(7, 25)...)) {
		t.Errorf("pending %v", got)
	}
	settle(t, s, "aws", store.Failed, ds...)
	rows := triggers(t, s, store.TriggerQuery{})
	if len(rows) != 6+19 {
		t.Errorf("%d rows: an id was given twice", len(rows))
	}
	must(t, s.Close())
	must(t, store.Check(path)) // sound again
}

func TestDamagedRowsAreLeftOut(t *testing.T) {
	path := filled(t)
	db, err := bolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte("triggers")).Bucket([]byte("aws"))
		return b.Put(key(2), flip(append([]byte(nil), b.Get(key(2))...)))
	}))
	must(t, db.Close())
	s := reopen(t, path)
	rows := triggers(t, s, store.TriggerQuery{})
	if len(rows) != 5 || rows[4].ID != 1 || rows[3].ID != 3 {
		t.Errorf("rows %+v", rows)
	}
}

// reseal replaces the wrong checksum at the end by the right one.
func reseal(key string, sealed []byte) []byte {
	value := sealed[:len(sealed)-4]
	sum := crc32.Update(crc32.Checksum([]byte(key), castagnoli()), castagnoli(), value)
	return binary.BigEndian.AppendUint32(value, sum)
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }
