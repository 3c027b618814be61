package store_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"

	"github.com/google/go-cmp/cmp"
)

// model is a simple model of the store: a list of the samples that each integration must still get.
type model struct {
	queue    map[string][]owed
	sent     map[string]uint64
	drops    map[string]uint64 // including rejected samples
	rejected map[string]uint64
	tries    map[string]map[uint64]int
}

type owed struct {
	n     uint64
	value objects.Value
	at    int64 // time of the sample, unix

	object string
}

// modelIDs are the integrations of the model test. "slow" takes few samples and so reaches the limits.
var modelIDs = []string{"aws", "gcp", "slow"}

// world is the model and the store side by side.
type world struct {
	t    *testing.T
	rnd  *rand.Rand
	path string
	opts store.Options
	s    *store.Store
	m    model
	n    uint64 // number of the last sample

	flying map[string][][]store.Delivery // by integration: what is in flight
	lane   bool                          // "aws" has its alarms first now
	rows   int                           // how many rows may wait in memory; 2,048 cause a commit
	// the numbers of the samples of each sweep that was offered since the last commit
	open [][]uint64

	now  atomic.Int64 // unix: the store's clock
	late int64        // the latest time of the clock since the last call of takeDeletions
}

func TestStoreAgreesWithModel(t *testing.T) {
	seeds := []uint64{5211406545597443540} // a seed that failed once
	for n := range storetest.Rounds(2, 100) {
		seeds = append(seeds, rand.Uint64()&^1|uint64(n&1))
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { // the name is the seed, to repeat the case
			w := newWorld(t, seed)
			for range 400 {
				w.step()
			}
			w.reopen()
			w.compare()
		})
	}
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, rnd: rand.New(rand.NewPCG(seed, 1)), path: filepath.Join(t.TempDir(), "noi.db"),
		flying: map[string][][]store.Delivery{},
		opts: store.Options{Limits: store.Limits{
			MaxSize: maxSize(seed), RejectNewest: seed&2 != 0, KeepTriggers: 50, FlushTriggers: 24 * time.Hour,
			// Zero commits at once. An hour commits only at an urgent sweep of the test.
			CommitEvery: time.Duration(seed>>4&1) * time.Hour,
		}},
		m: model{
			queue: map[string][]owed{}, sent: map[string]uint64{}, drops: map[string]uint64{},
			rejected: map[string]uint64{},
			tries:    map[string]map[uint64]int{},
		},
	}
	for _, id := range modelIDs {
		w.m.tries[id] = map[uint64]int{}
	}
	if seed&0xC == 0 {
		w.opts.RetainAfterAck = 2 * time.Hour
	}
	w.setClock(soon().Unix())
	w.opts.Now = func() time.Time { return time.Unix(w.now.Load(), 0) }
	w.reopen()
	return w
}

// maxSize gives half of the worlds a limit that they reach all the time, and half a limit that they never reach.
func maxSize(seed uint64) int64 {
	if seed%2 == 0 {
		return 12 << 10
	}
	return 1 << 20
}

func (w *world) reopen() {
	w.t.Helper()
	if w.s != nil {
		must(w.t, w.s.Close())
		must(w.t, store.Check(w.path))
	}
	w.rows = 0
	clear(w.flying) // requests end with their agent
	w.s = storetest.MustOpenAt(w.t, w.path, w.opts)
	w.configure()
	w.open = nil
}

func (w *world) configure() {
	w.t.Helper()
	var list []store.Integration
	for _, id := range modelIDs {
		list = append(list, store.Integration{ID: id, Topic: "topic of " + id, AlarmsFirst: w.lane && id == "aws"})
	}
	must(w.t, w.s.SetIntegrations(list))
	w.takeDeletions() // Missing may commit, and Close does
}

func (w *world) step() {
	switch k := w.rnd.IntN(100); {
	case k < 50:
		w.append()
	case k < 95:
		w.deliver(modelIDs[w.rnd.IntN(2)])
	case k < 96:
		w.deliver("slow")
	case k < 97:
		w.jump()
	case k < 98:
		w.lane = !w.lane
		w.configure()
	case k < 99:
		must(w.t, store.CompactNow(w.s))
		w.takeDeletions()
		w.open = nil
	default:
		w.reopen()
	}
	if w.rows > 1000 {
		w.reopen()
	}
	w.compare()
}

// jump sets the clock hours or decades ahead or back, as on a gateway without a battery, or sets it right.
func (w *world) jump() {
	const hour, decade = 3600, 10 * 365 * 24 * 3600
	switch by := int64(w.rnd.IntN(21) - 10); w.rnd.IntN(4) {
	case 0:
		w.setClock(w.now.Load() + by*decade/4)
	case 1:
		w.setClock(w.now.Load() + by*hour)
	default:
		w.setClock(soon().Unix())
	}
}

func (w *world) setClock(now int64) {
	w.now.Store(now)
	w.late = max(w.late, now)
}

// append adds one to three sweeps with random routes.
func (w *world) append() {
	var sweeps []objects.Sweep
	urgent := w.opts.CommitEvery == 0 || w.rnd.IntN(3) == 0
	for range 1 + w.rnd.IntN(3) {
		count := 1 + w.rnd.IntN(20)
		sw := storetest.Sweep(w.s.Run(), w.n+1, count)
		sw.Urgent = urgent
		var ns []uint64
		for i := range sw.Samples {
			if s := &sw.Samples[i]; s.Value.Kind() == objects.KindBits {
				s.Object = "alarms"
			}
			ns = append(ns, sw.Samples[i].N)
		}
		w.open = append(w.open, ns)
		w.n += uint64(count)
		for _, id := range modelIDs {
			var picked []int
			p := w.rnd.Float64() * 1.3
			for i := range count {
				if w.rnd.Float64() < p {
					picked = append(picked, i)
					w.m.queue[id] = append(w.m.queue[id],
						owed{sw.Samples[i].N, sw.Samples[i].Value, sw.Samples[i].SampledAt.Unix(),
							sw.Samples[i].Object})
				}
			}
			if len(picked) > 0 {
				sw.Routes = append(sw.Routes, objects.Route{Integration: id, Picked: picked})
			}
		}
		sweeps = append(sweeps, sw)
	}
	if !urgent {
		_, err := w.s.Offer(w.t.Context(), sweeps...)
		must(w.t, err)
		return
	}
	must(w.t, w.s.Append(w.t.Context(), sweeps...))
	w.takeDeletions()
	// without a route there was no commit
	if slices.ContainsFunc(sweeps, func(sw objects.Sweep) bool { return len(sw.Routes) > 0 }) {
		w.open = nil
	}
}

// rejected removes from the model the sweeps that the store has rejected: the newest ones since the last commit,
// always whole sweeps.
func (w *world) rejected() {
	w.t.Helper()
	lost := map[string]uint64{}
	for _, id := range modelIDs {
		sum := uint64(0)
		for before := uint64(0); ; {
			rows, next, err := w.s.Triggers(store.TriggerQuery{Integration: id, Gaps: true, Limit: 1000,
				Before: before})
			must(w.t, err)
			for _, r := range rows {
				if sum += r.Gap.Count; strings.HasPrefix(r.Gap.Reason, objects.GapRejected) {
					lost[id] += r.Gap.Count
				}
			}
			if before = next; next == 0 {
				break
			}
		}
		if dropped := w.s.Stats().Integrations[id].Dropped; sum != dropped {
			w.t.Fatalf("%s: dropped %d, and there are gaps of %d", id, dropped, sum)
		}
	}
	for _, id := range modelIDs {
		left := lost[id] - w.m.rejected[id]
		w.m.rejected[id] = lost[id]
		w.m.drops[id] += left
		for _, ns := range slices.Backward(w.open) {
			before := len(w.m.queue[id])
			if left > 0 {
				w.m.queue[id] = slices.DeleteFunc(w.m.queue[id], func(o owed) bool { return slices.Contains(ns, o.n) })
				left -= uint64(before - len(w.m.queue[id]))
			}
		}
		if left != 0 {
			w.t.Fatalf("%s: %d samples rejected that are not whole sweeps of this commit", id, int64(left))
		}
	}
}

// takeDeletions removes from the model the samples that the store has deleted, and checks that there was a reason: no room,
// or the age. The comparison and the size limit below check that the store deletes the oldest samples, and not too
// many.
func (w *world) takeDeletions() {
	if st := w.s.Stats(); slices.ContainsFunc(modelIDs,
		func(id string) bool { return st.Integrations[id].Dropped != w.m.drops[id] }) {
		w.rejected()
	}
	st := w.s.Stats()
	for _, id := range modelIDs {
		dropped := st.Integrations[id].Dropped
		lost := int(dropped - w.m.drops[id])
		if lost > len(w.m.queue[id]) {
			w.t.Fatalf("%s lost %d of %d", id, lost, len(w.m.queue[id]))
		}
		for _, o := range w.m.queue[id][:lost] {
			if age := w.late - o.at; age < 720*3600 && st.RecordBytes < w.opts.MaxSize/4 {
				w.t.Fatalf("%s lost sample %d, %d s old, with %d bytes in the outbox", id, o.n, age, st.RecordBytes)
			}
		}
		w.m.queue[id] = w.m.queue[id][lost:]
		w.m.drops[id] = dropped
	}
	w.late = w.now.Load()
}

// deliver takes a batch and settles a random part of it, now or later, as with several requests in flight that end in
// any order. In between, samples may be deleted, or settled by another request.
func (w *world) deliver(id string) {
	limit := 1 + w.rnd.IntN(60)
	batch := slices.DeleteFunc(pending(w.t, w.s, id, limit), func(store.Delivery) bool { return w.rnd.IntN(4) == 0 })
	w.flying[id] = append(w.flying[id], batch)
	for len(w.flying[id]) > w.rnd.IntN(6) {
		at := w.rnd.IntN(len(w.flying[id]))
		w.land(id, w.flying[id][at])
		w.flying[id] = slices.Delete(w.flying[id], at, at+1)
	}
}

// land settles the samples in flight.
func (w *world) land(id string, batch []store.Delivery) {
	var rs []store.Result
	for _, d := range batch {
		owes := func(o owed) bool { return o.n == d.Sample.N }
		waits := slices.ContainsFunc(w.m.queue[id], owes)
		outcome := store.Accepted
		switch retry := w.rnd.IntN(3) == 0; {
		case retry:
			outcome = store.Retrying
			if waits {
				w.m.tries[id][d.Sample.N]++
			}
		case waits:
			w.m.sent[id]++
			w.m.queue[id] = slices.DeleteFunc(w.m.queue[id], owes)
		}
		rs = append(rs, results(outcome, d)...)
	}
	w.rows += len(rs)
	must(w.t, w.s.Settle(id, rs))
}

func (w *world) compare() {
	w.t.Helper()
	st := w.s.Stats()
	if st.RecordBytes > w.opts.MaxSize {
		w.t.Fatalf("%d bytes, limit %d", st.RecordBytes, w.opts.MaxSize)
	}
	for _, id := range modelIDs {
		is := st.Integrations[id]
		if is.Backlog != uint64(len(w.m.queue[id])) || is.Sent != w.m.sent[id] || is.Dropped != w.m.drops[id] {
			w.t.Fatalf("%s: store %+v, model has %d waiting, sent %d, dropped %d", id, is,
				len(w.m.queue[id]), w.m.sent[id], w.m.drops[id])
		}
		if w.rnd.IntN(4) > 0 {
			continue // Pending moves cursors, not always in the same way
		}
		w.comparePending(id)
	}
}

func (w *world) comparePending(id string) {
	w.t.Helper()
	limit := 1 + w.rnd.IntN(100)
	want := w.m.queue[id][:min(limit, len(w.m.queue[id]))]
	ds := pending(w.t, w.s, id, limit)
	if id == "aws" {
		w.compareOrder(ds)
		return
	}
	got := make([]owed, 0, len(ds))
	for _, d := range ds {
		got = append(got, owed{d.Sample.N, d.Sample.Value, d.Sample.SampledAt.Unix(), d.Sample.Object})
		// The log may have lost the row of a retried sample, and its count with it.
		if tries := w.m.tries[id][d.Sample.N]; d.Attempts > tries {
			w.t.Fatalf("%s: sample %d has %d attempts, tried %d times", id, d.Sample.N, d.Attempts, tries)
		}
	}
	same := cmp.Comparer(func(a, b owed) bool { return a.n == b.n && a.value.Equal(b.value) })
	if diff := cmp.Diff(append([]owed{}, want...), got, same); diff != "" {
		w.t.Fatalf("%s (-model +store):\n%s", id, diff)
	}
}

// compareOrder is for the integration whose alarms may go first. The samples of each object come in their order, and
// at least one sample is pending if the model has one.
func (w *world) compareOrder(ds []store.Delivery) {
	w.t.Helper()
	byObject := map[string][]owed{}
	for _, o := range w.m.queue["aws"] {
		byObject[o.object] = append(byObject[o.object], o)
	}
	if len(ds) == 0 && len(w.m.queue["aws"]) > 0 {
		w.t.Fatalf("nothing is pending of %d", len(w.m.queue["aws"]))
	}
	for _, d := range ds {
		next := byObject[d.Sample.Object]
		if len(next) == 0 || next[0].n != d.Sample.N || !next[0].value.Equal(d.Sample.Value) {
			w.t.Fatalf("%s: sample %d is pending, the model has %v next", d.Sample.Object, d.Sample.N,
				next[:min(3, len(next))])
		}
		byObject[d.Sample.Object] = next[1:]
	}
}
