package store

import (
	"testing"

	"noi-agent/objects"
	"noi-agent/store/internal/record"
)

func offersOf(samples map[uint64]int, seqs ...uint64) offers {
	var all offers
	for _, seq := range seqs {
		all = append(all, &offered{seq: seq, sweep: objects.Sweep{Samples: make([]objects.Sample, samples[seq])}})
	}
	return all
}

// TestOffersAreFoundByNumber: the numbers have holes, because sweeps without routes are not offered.
func TestOffersAreFoundByNumber(t *testing.T) {
	all := offersOf(map[uint64]int{4: 1, 7: 2}, 4, 7)
	for seq, want := range map[uint64]bool{3: false, 4: true, 5: false, 7: true, 8: false} {
		if f := all.find(seq); (f != nil) != want || want && f.seq != seq {
			t.Errorf("find(%d) = %+v", seq, f)
		}
	}
	if from, empty := all.from(9), offers(nil).from(9); from != 4 || empty != 9 {
		t.Errorf("all sweeps before %d are in the file, without offers before %d; want 4 and 9", from, empty)
	}
	sweeps := map[uint64]objects.Sweep{}
	missing := all.take([]Result{{Seq: 7}, {Seq: 5}, {Seq: 7, Index: 1}}, sweeps)
	if len(missing) != 1 || !missing[5] || len(sweeps) != 1 || len(sweeps[7].Samples) != 2 {
		t.Errorf("missing %v, sweeps %v", missing, sweeps)
	}
}

// TestSweepRecordsCountWhatIsWritten: a dropped record is not in the sums.
func TestSweepRecordsCountWhatIsWritten(t *testing.T) {
	r := newSweepRecords(offersOf(map[uint64]int{4: 1, 7: 2, 8: 5}, 4, 7, 8))
	if _, ok := r.first(); ok || r.has(0) || r.has(3) || r.drop(1) != 0 {
		t.Error("there is a record before the first one is set")
	}
	value := make([]byte, 100)
	r.set(1, record.SeqKey(7), value)
	r.set(2, record.SeqKey(8), value)
	size := record.Size(record.SeqKey(7), value)
	if r.sweeps != 2 || r.samples != 7 || r.bytes != 2*size {
		t.Errorf("%d sweeps, %d samples, %d bytes; want 2, 7, %d", r.sweeps, r.samples, r.bytes, 2*size)
	}
	if n := r.drop(1); n != size || r.has(1) || r.sweeps != 1 || r.samples != 5 || r.bytes != size {
		t.Errorf("dropped %d: %d sweeps, %d samples, %d bytes", n, r.sweeps, r.samples, r.bytes)
	}
	if seq, ok := r.first(); !ok || seq != 8 {
		t.Errorf("first %d, %v; want 8", seq, ok)
	}
}
