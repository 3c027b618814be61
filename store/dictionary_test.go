package store

import (
	"fmt"
	"path/filepath"
	"testing"

	"noi-agent/objects"

	bolt "go.etcd.io/bbolt"
)

// A controller whose firmware register never shows the same number twice makes a source of each sweep. All of them read after a restart,
// however many there are.
func TestSourcesReadHoweverManyThereAre(t *testing.T) {
	const n = 2*maxNames + 100
	d := newDictionary()
	source := func(i int) objects.Source {
		return objects.Source{Line: "rs485", UnitID: 1, Slave: "OWN", Firmware: fmt.Sprint(i), FWVersion: "OWN 1"}
	}
	for i := range n {
		d.source(source(i))
	}
	db, err := bolt.Open(filepath.Join(t.TempDir(), "names.db"), 0o600, &bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("names"))
		if err != nil {
			return err
		}
		return d.put(b.Put)
	})
	if err != nil {
		t.Fatal(err)
	}
	read, damaged := &dictionary{}, 0
	_ = db.View(func(tx *bolt.Tx) error { // reads nothing that can fail
		damaged = read.load(eachRecord(tx.Bucket([]byte("names"))), n)
		return nil
	})
	if damaged != 0 || len(read.entries) != n || read.entries[n-1].source != source(n-1) {
		t.Errorf("%d of %d entries, %d damaged", len(read.entries), n, damaged)
	}
}
