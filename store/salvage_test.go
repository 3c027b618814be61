package store_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"

	"github.com/google/go-cmp/cmp"
)

const device = "5300520006504b5957343920"

// laden makes a store of several runs with 1,200 samples. aws has taken the first 150 and every third of the next 30,
// gcp none. The store was killed, so there is no note.
func laden(t *testing.T) (path string, samples map[string]objects.Sample) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "noi.db")
	samples = map[string]objects.Sample{}
	n := uint64(1)
	for run := range 3 {
		s, err := store.Open(path, store.Options{Now: soon})
		must(t, err)
		must(t, s.SetDeviceID(device))
		must(t, s.SetIntegrations(both))
		for range 50 {
			sw := storetest.Sweep(s.Run(), n, 8, "aws", "gcp")
			add(t, s, sw)
			for _, sample := range sw.Samples {
				samples[objects.SampleID(device, s.ID(), s.Run(), sample.N)] = sample
			}
			n += 8
		}
		if run == 0 {
			ds := pending(t, s, "aws", 180)
			settle(t, s, "aws", store.Accepted, ds[:150]...)
			for i := 150; i < 180; i += 3 {
				settle(t, s, "aws", store.Accepted, ds[i])
			}
		}
		must(t, s.Close())
	}
	must(t, os.Remove(path+".clean"))
	return path, samples
}

// idOf is the sample id of a delivery, as the agent makes it.
func idOf(d store.Delivery) string { return objects.SampleID(device, d.Store, d.Run, d.Sample.N) }

// spoil changes a file's bytes.
func spoil(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, change(data), 0o600))
}

const page = 4096

func TestSalvageKeepsAllWhenOnlyTheHeadsAreGone(t *testing.T) {
	path, samples := laden(t)
	spoil(t, path, func(b []byte) []byte { clear(b[:2*page]); return b })
	var checks counted
	s, r := recoverAt(t, path, checks.options())
	aws, gcp := pending(t, s, "aws", 5000), pending(t, s, "gcp", 5000)
	if len(aws) != 1200-160 || len(gcp) != 1200 || r.Samples != 1200 || len(r.Lost) != 0 || r.Uncounted {
		t.Fatalf("aws %d, gcp %d, %+v", len(aws), len(gcp), r)
	}
	for i, d := range gcp {
		want, known := samples[idOf(d)]
		if diff := cmp.Diff(want, d.Sample, sameValue); !known || diff != "" || d.Sample.N != uint64(i+1) {
			t.Fatalf("%d: %s (-was +is):\n%s", i, idOf(d), diff)
		}
	}
	if s.DeviceID() != device || s.Run() != 4 {
		t.Errorf("device %q, run %d", s.DeviceID(), s.Run())
	}
	if is := s.Stats().Integrations["aws"]; is.Sent != 160 || is.Dropped != 0 {
		t.Errorf("the counters are lost: %+v", is)
	}
}

func TestSampleIDsNeverRepeatOverRecoveries(t *testing.T) {
	path, seen := laden(t)
	stores := map[string]bool{}
	for round := range 4 {
		spoil(t, path, func(b []byte) []byte { clear(b[:2*page]); return b })
		s, r, err := store.Recover(t.Context(), path, store.Options{Now: soon},
			store.RecoverOptions{Check: (&counted{}).check})
		must(t, err)
		must(t, s.SetIntegrations(both))
		if stores[s.ID()] || !r.Moved() {
			t.Errorf("round %d: store %s came twice, %+v", round, s.ID(), r)
		}
		stores[s.ID()] = true
		sw := storetest.Sweep(s.Run(), 1, 8, "gcp") // every run numbers from 1
		add(t, s, sw)
		for _, sample := range sw.Samples {
			id := objects.SampleID(device, s.ID(), s.Run(), sample.N)
			if _, twice := seen[id]; twice {
				t.Errorf("round %d: %s was given twice", round, id)
			}
			seen[id] = sample
		}
		for _, d := range pending(t, s, "gcp", 5000) {
			if diff := cmp.Diff(seen[idOf(d)], d.Sample, sameValue); diff != "" {
				t.Fatalf("round %d: %s is another sample now (-was +is):\n%s", round, idOf(d), diff)
			}
		}
		if n := len(pending(t, s, "gcp", 5000)); n != 1200+8*(round+1) {
			t.Errorf("round %d: %d pending", round, n)
		}
		must(t, s.Close())
		must(t, store.Check(path))
	}
}

func TestWhatCannotBeSalvagedIsCountedAndToldInARow(t *testing.T) {
	path, samples := laden(t)
	lost := 0
	spoil(t, path, func(b []byte) []byte {
		clear(b[:2*page])
		for at := 2 * page; at+page <= len(b) && lost < 3; at += page {
			// This is a leaf full of sweeps. The next pages are leaves of sweeps too, or old copies with other
			// content.
			if b[at+8] == 2 && bytes.Count(b[at:at+page], []byte{0, 0, 0, 0, 0, 0, 0}) > 20 &&
				binary.LittleEndian.Uint16(b[at+10:]) > 20 {
				clear(b[at : at+page])
				lost++
			}
		}
		return b
	})
	s, r := recoverAt(t, path, store.RecoverOptions{Check: (&counted{}).check})
	for _, id := range []string{"aws", "gcp"} {
		ds := pending(t, s, id, 5000)
		for _, d := range ds {
			if diff := cmp.Diff(samples[idOf(d)], d.Sample, sameValue); diff != "" {
				t.Fatalf("%s (-was +is):\n%s", idOf(d), diff)
			}
		}
		all := map[string]uint64{"aws": 1200 - 160, "gcp": 1200}[id]
		if r.Lost[id] == 0 || uint64(len(ds))+r.Lost[id] != all || s.Stats().Integrations[id].Dropped != r.Lost[id] {
			t.Errorf("%s: %d pending of %d, lost %v", id, len(ds), all, r.Lost)
		}
		rows := triggers(t, s, store.TriggerQuery{Integration: id, Gaps: true})
		if len(rows) != 1 || rows[0].Gap.Count != r.Lost[id] ||
			!strings.Contains(rows[0].Error, "kept as noi.db.damaged-0001") {
			t.Errorf("%s: rows %+v", id, rows)
		}
	}
	works(t, s)
}

// TestSalvageNeedsNeitherHeadsNorNames clears the first two pages, and the root with the names. The other pages have
// their kind in their own header.
func TestSalvageNeedsNeitherHeadsNorNames(t *testing.T) {
	path, samples := laden(t)
	spoil(t, path, func(b []byte) []byte {
		clear(b[:2*page])
		for at := 0; at < len(b); at += page {
			if bytes.Contains(b[at:at+page], []byte("identity")) { // a root, with names and cursors
				clear(b[at : at+page])
			}
		}
		return b
	})
	s, r := recoverAt(t, path, store.RecoverOptions{Check: (&counted{}).check})
	ds := pending(t, s, "gcp", 5000)
	if len(ds) != 1200 || !r.Uncounted || s.DeviceID() != device {
		t.Errorf("%d pending, device %q, %+v", len(ds), s.DeviceID(), r)
	}
	for _, d := range ds {
		if diff := cmp.Diff(samples[idOf(d)], d.Sample, sameValue); diff != "" {
			t.Fatalf("%s (-was +is):\n%s", idOf(d), diff)
		}
	}
}

func TestSalvageEndsWithItsTime(t *testing.T) {
	path, _ := laden(t)
	s, r := recoverAt(t, path, store.RecoverOptions{Limit: time.Nanosecond, Check: store.InChild(os.Args[0],
		childHang)})
	if n := len(pending(t, s, "gcp", 5000)); n != 0 || !r.Uncounted {
		t.Errorf("%d salvaged with a time limit of zero, %+v", n, r)
	}
	works(t, s)
}

// damages are the ways in which a disk can damage a file.
var damages = map[string]func(*rand.Rand, []byte) []byte{
	"truncated": func(r *rand.Rand, b []byte) []byte { return b[:r.IntN(len(b))] },
	"zeroed page": func(r *rand.Rand, b []byte) []byte {
		at := r.IntN(len(b)/page) * page
		clear(b[at : at+page])
		return b
	},
	"flipped bytes": func(r *rand.Rand, b []byte) []byte {
		for range 1 + r.IntN(200) {
			b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
		}
		return b
	},
	"flipped headers": func(r *rand.Rand, b []byte) []byte {
		for range 1 + r.IntN(20) {
			b[r.IntN(len(b)/page)*page+r.IntN(64)] ^= byte(1 + r.IntN(255))
		}
		return b
	},
	"metas swapped": func(r *rand.Rand, b []byte) []byte {
		first := append([]byte(nil), b[:page]...)
		copy(b, b[page:2*page])
		copy(b[page:], first)
		clear(b[r.IntN(2)*page:][:page]) // and one of them gone
		return b
	},
	"pages mixed up": func(r *rand.Rand, b []byte) []byte {
		from, to := r.IntN(len(b)/page)*page, r.IntN(len(b)/page)*page
		copy(b[to:to+page], b[from:from+page])
		return b
	},
	"torn writes": func(r *rand.Rand, b []byte) []byte {
		for range 1 + r.IntN(8) {
			at := r.IntN(len(b)/512) * 512
			clear(b[at : at+512])
		}
		return b
	},
	"garbage": func(r *rand.Rand, b []byte) []byte {
		at := r.IntN(len(b))
		for i := range b[at:min(len(b), at+r.IntN(16*page))] {
			b[at+i] = byte(r.Uint32())
		}
		return b
	},
}

// checkLimit is how long a check of a file may take (RecoverOptions.Limit).
const checkLimit = 20 * time.Second

// damagedEach is how many files get each of the eight kinds of damage. Each costs a child process.
func damagedEach() int { return storetest.Rounds(4, 64) }

// TestDamagedFilesComeUpByThemselves damages a store at random. Whatever the damage, the agent starts and works. It
// sends no changed sample, and no sample under the id of another.
func TestDamagedFilesComeUpByThemselves(t *testing.T) {
	original, samples := laden(t)
	data, err := os.ReadFile(original)
	must(t, err)
	names, err := os.ReadFile(original + ".names")
	must(t, err)
	used := data[:lastUsed(data)] // the rest is space that the file has reserved
	seed := rand.Uint64()
	t.Logf("seed %d", seed) // a crash prints nothing more
	for what, change := range damages {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			moved, kept, slowest := 0, 0, time.Duration(0)
			for i := range damagedEach() {
				name := fmt.Sprintf("seed %d, file %d", seed, i)
				path := filepath.Join(t.TempDir(), "noi.db")
				must(t, os.WriteFile(path+".names", names, 0o600))
				must(t, os.WriteFile(path, change(rand.New(rand.NewPCG(seed, uint64(i))), append([]byte(nil), used...)),
					0o600))
				begin := time.Now()
				s, r, err := store.Recover(t.Context(), path, store.Options{Now: soon},
					store.RecoverOptions{Check: (&counted{}).check})
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				slowest = max(slowest, time.Since(begin))
				if r.Moved() {
					moved++
				}
				kept += comesUp(t, name, s, samples)
				must(t, s.Close())
			}
			// bbolt's check never ends in some damaged files. The child is killed at its time limit.
			if slowest > 2*checkLimit {
				t.Errorf("seed %d: one took %v", seed, slowest)
			}
			t.Logf("%s: %d of %d moved aside, %d %% of gcp's samples are there, slowest %v (seed %d)", what, moved,
				damagedEach(),
				kept*100/(damagedEach()*1200), slowest.Round(time.Millisecond), seed)
		})
	}
}

// comesUp compares a recovered store with its former content, and returns the number of samples in it.
func comesUp(t *testing.T, name string, s *store.Store, samples map[string]objects.Sample) (kept int) {
	t.Helper()
	must(t, s.SetIntegrations(both))
	for _, id := range []string{"aws", "gcp"} {
		ds := pending(t, s, id, 5000)
		seen := map[string]bool{}
		for _, d := range ds {
			want, known := samples[idOf(d)]
			if seen[idOf(d)] {
				t.Errorf("%s: %s has %s twice", name, id, idOf(d))
			}
			seen[idOf(d)] = true
			if !known || !cmp.Equal(want, d.Sample, sameValue) {
				t.Fatalf("%s: %s: %+v was %+v", name, idOf(d), d.Sample, want)
			}
		}
		kept = len(ds)
	}
	works(t, s)
	return kept
}

// lastUsed returns where the last page ends that is not empty.
func lastUsed(data []byte) int {
	at := len(data) / page * page
	for at > page && bytes.Equal(data[at-page:at], make([]byte, page)) {
		at -= page
	}
	return at
}

// TestALengthThatLeadsOutOfTheFileIsFound: the last value of a page has a length that is longer than the rest of the
// file. Reading the value would end the process, so a child must find it first, in whatever bucket it is.
func TestALengthThatLeadsOutOfTheFileIsFound(t *testing.T) {
	original, samples := laden(t)
	data, err := os.ReadFile(original)
	must(t, err)
	names, err := os.ReadFile(original + ".names")
	must(t, err)
	used := data[:lastUsed(data)]
	var lengths []int // offset of the length of the last value, for each leaf page
	for at := 2 * page; at+page <= len(used); at += page {
		count := int(binary.LittleEndian.Uint16(used[at+10:]))
		element := at + 16*count // behind the header of the page
		if binary.LittleEndian.Uint16(used[at+8:]) == 2 && count > 0 && count < page/16 && used[element]&1 == 0 {
			lengths = append(lengths, element+12)
		}
	}
	if len(lengths) < 20 {
		t.Fatalf("%d leaf pages", len(lengths))
	}
	for i := 0; i < len(lengths); i += max(1, len(lengths)/storetest.Rounds(6, len(lengths))) {
		for _, length := range []uint32{uint32(len(data) - lengths[i]), 0x27000038} {
			name := fmt.Sprintf("the length at %d is %d", lengths[i], length)
			path := filepath.Join(t.TempDir(), "noi.db")
			must(t, os.WriteFile(path+".names", names, 0o600))
			spoiled := append([]byte(nil), data...)
			binary.LittleEndian.PutUint32(spoiled[lengths[i]:], length)
			must(t, os.WriteFile(path, spoiled, 0o600))
			s, _, err := store.Recover(t.Context(), path, store.Options{Now: soon},
				store.RecoverOptions{Check: (&counted{}).check})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			comesUp(t, name, s, samples)
			must(t, s.Close())
		}
	}
}
