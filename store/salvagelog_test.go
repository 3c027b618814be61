package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"
)

// logged makes a store with rows of all kinds: accepted, failed, replayed, being retried, and gaps. Both integrations
// have the same topic. After the first commit one gap has grown and one retry was repeated, so that the file has old
// copies of both rows.
func logged(t *testing.T, path string) (rows []store.Trigger) {
	t.Helper()
	sameTopic := []store.Integration{{ID: "aws", Topic: "T"}, {ID: "gcp", Topic: "T"}}
	for run := range uint64(2) {
		s, err := store.Open(path, store.Options{Now: soon})
		must(t, err)
		must(t, errors.Join(s.SetDeviceID(device), s.SetIntegrations(sameTopic)))
		if run == 0 {
			for n := uint64(1); n <= 400; n += 8 {
				add(t, s, storetest.Sweep(s.Run(), n, 8, "aws", "gcp"))
			}
		}
		for i, id := range []string{"aws", "gcp"} {
			ds := pending(t, s, id, 100)
			settle(t, s, id, store.Retrying, ds[0], ds[99])
			settle(t, s, id, store.Accepted, ds[10:40]...)
			settle(t, s, id, store.Failed, ds[40:45]...)
			must(t, s.LogReplay(id, &store.Replayed{Delivery: ds[11]}, results(store.Accepted, ds[11])[0]))
			for m := range 30 {
				at := storetest.Start.Add(time.Duration(m) * time.Hour)
				must(t, s.Missing(id, objects.Gap{
					Unit: "rs485/1", Object: fmt.Sprint(id, m), Run: s.Run(), From: at, To: at.Add(time.Minute),
					First: 7, Last: 9, Count: 3,
					Reason: objects.GapBus + ": no answer",
				}))
			}
			must(t, s.SetDeviceID(fmt.Sprint(device[:23], 2*run+uint64(i)))) // makes a commit
		}
		rows = triggers(t, s, store.TriggerQuery{Limit: 1000})
		must(t, s.Close())
	}
	must(t, os.Remove(path+".clean"))
	return rows
}

// TestSalvageKeepsTheGapsAndDeadLetters clears the heads of a file. Rows of deliveries are only a log, and are lost.
func TestSalvageKeepsTheGapsAndDeadLetters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	logged := logged(t, path)
	want := gapsIn(logged)
	spoil(t, path, func(b []byte) []byte { clear(b[:2*page]); return b })
	s, r := recoverAt(t, path, store.RecoverOptions{Check: (&counted{}).check})
	got := triggers(t, s, store.TriggerQuery{Limit: 1000})
	if diff := cmp.Diff(want, got, sameValue); diff != "" || r.Rows != uint64(len(want)) || len(want) != 120 {
		t.Errorf("%d gaps salvaged of %d (-was +is):\n%.4000s", r.Rows, len(want), diff)
	}
	if letters := deadLetters(t, s, ""); len(letters) != 20 || r.DeadLetters != 20 {
		t.Errorf("%d dead letters, %+v", len(letters), r)
	}
	again := pending(t, s, "aws", 1)
	settle(t, s, "aws", store.Retrying, again...)
	if newest := triggers(t, s, store.TriggerQuery{Limit: 1})[0]; newest.ID <= logged[0].ID || newest.Attempts != 1 ||
		!newest.Open {
		t.Errorf("the next row is %+v after row %d", newest, logged[0].ID)
	}
}

// TestSalvageKeepsTheGapsOfIntegrationsThatAreLost also clears the records of the integrations, and the sweeps that
// wait for them.
func TestSalvageKeepsTheGapsOfIntegrationsThatAreLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	want := logged(t, path)
	want = gapsIn(want)
	spoil(t, path, func(b []byte) []byte {
		clear(b[:2*page])
		for at := 0; at < len(b); at += page {
			if bytes.Contains(b[at:at+page], []byte("identity")) || bytes.Contains(b[at:at+page], []byte("cursors")) ||
				firstByte(b[at:]) == 3 {
				clear(b[at : at+page])
			}
		}
		return b
	})
	s, r := recoverAt(t, path, store.RecoverOptions{Check: (&counted{}).check})
	got := gapsIn(triggers(t, s, store.TriggerQuery{Limit: 1000, Gaps: true}))
	if diff := cmp.Diff(want, got, sameValue); diff != "" || !r.Uncounted || r.Samples != 0 {
		t.Errorf("%+v; gaps (-was +is):\n%.4000s", r, diff)
	}
}

// firstByte is the first byte of the first value on a leaf page, which is the kind of the records. It is 0 if the
// page is no leaf.
func firstByte(b []byte) byte {
	if b[8] != 2 {
		return 0
	}
	at := 16 + binary.LittleEndian.Uint32(b[20:]) + binary.LittleEndian.Uint32(b[24:])
	return b[min(int(at), len(b)-1)]
}

// gapsIn returns the rows about gaps.
func gapsIn(rows []store.Trigger) (gaps []store.Trigger) {
	for _, w := range rows {
		if w.Gap.Reason != "" {
			gaps = append(gaps, w)
		}
	}
	return gaps
}

// TestSalvageKeepsDeadLetters clears the heads of a file with dead letters. One of them was sent later, and comes
// back from an old page. A second salvage follows: dead letters must keep the id of the store that took their
// samples.
func TestSalvageKeepsDeadLetters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{})
	took, run := s.ID(), s.Run()
	rejected(t, s, 1, 4)
	must(t, s.Close())
	old := map[string][]byte{}
	inFile(t, path, func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("dead")).Bucket([]byte("aws")).ForEach(func(k,
			v []byte) error {
			old[string(k)] = bytes.Clone(v)
			return nil
		})
	})
	s = openAt(t, path, store.Options{})
	letters := deadLetters(t, s, "aws")
	must(t, s.SettleDead("aws", letters[1].ID,
		store.Result{Outcome: store.Accepted, MessageID: "m", CompletedAt: storetest.Start,
			PublishedAt: storetest.Start}))
	if left := deadLetters(t, s, "aws"); len(left) != 3 {
		t.Errorf("left %+v", left)
	}
	want := letters
	must(t, s.Close())
	inFile(t, path, func(tx *bolt.Tx) error {
		attic, err := tx.CreateBucket([]byte("attic"))
		for k, v := range old {
			err = errors.Join(err, attic.Put([]byte(k), v))
		}
		return err
	})
	for again := range 2 {
		spoil(t, path, func(b []byte) []byte { clear(b[:2*page]); return b })
		s, r := recoverAt(t, path, store.RecoverOptions{Check: (&counted{}).check})
		got := deadLetters(t, s, "aws")
		if diff := cmp.Diff(want, got, sameValue); diff != "" || r.DeadLetters != 4 || r.Rows != 0 {
			t.Fatalf("salvage %d: %d letters, %d rows (-was +is):\n%.2000s", again, r.DeadLetters, r.Rows, diff)
		}
		for _, l := range got {
			if l.Store != took || l.Run != run || s.ID() == took {
				t.Errorf("salvage %d: sample %d is of store %s run %d, and was taken in %s, %d", again, l.Sample.N,
					l.Store, l.Run, took, run)
			}
		}
		if again == 1 {
			must(t, s.SetIntegrations(both))
			n, err := s.DropDead("aws", letters[0].ID)
			if n != 1 || err != nil || len(deadLetters(t, s, "aws")) != 3 {
				t.Errorf("dropped %d: %v", n, err)
			}
		}
		must(t, s.Close())
	}
}

// inFile changes a closed store's file.
func inFile(t *testing.T, path string, fn func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, errors.Join(db.Update(fn), db.Close()))
}
