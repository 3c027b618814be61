package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"

	"github.com/google/go-cmp/cmp"
)

func TestAppendIsDurableWhenItReturns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{})
	for n := uint64(1); n <= 40; n += 8 {
		sw := storetest.Sweep(s.Run(), n, 8, "aws", "gcp")
		add(t, s, sw)
		after := openAt(t, copyOf(t, path), store.Options{})
		got := pending(t, after, "gcp", 100)
		if diff := cmp.Diff(upTo(1, n+7), numbers(got)); diff != "" {
			t.Fatalf("after a cut (-want +got):\n%s", diff)
		}
		checkDelivery(t, got[len(got)-8:], sw)
		must(t, after.Close())
	}
}

// checkDelivery compares deliveries with the sweep they come from.
func checkDelivery(t *testing.T, got []store.Delivery, sw objects.Sweep) {
	t.Helper()
	for i, d := range got {
		want := sw.Samples[i]
		if d.Run != sw.Run || d.Source != sw.Source || d.Index != i || d.Sample.Object != want.Object ||
			d.Sample.N != want.N || !d.Sample.SampledAt.Equal(want.SampledAt) || !d.Sample.Value.Equal(want.Value) {
			t.Errorf("sample %d: got %+v, want %+v", i, d, want)
		}
	}
}

func TestAppendsOfOneWindowShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, store.Options{Limits: store.Limits{CommitEvery: time.Second}})
		before := s.Stats().Commits
		begin := time.Now()
		var wg sync.WaitGroup
		for i := range uint64(20) {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond) // virtual
				add(t, s, storetest.Sweep(1, 1+10*i, 10, "aws"))
			})
		}
		wg.Wait()
		if n := s.Stats().Commits - before; n != 1 {
			t.Errorf("%d commits, want 1", n)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("committed after %v, want the window, 1s", took)
		}
		add(t, s, storetest.Sweep(1, 201, 10, "aws"))
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("the lone append was committed after %v, want 2s", took)
		}
		if st := s.Stats(); st.Committed != 210 || st.Integrations["aws"].Backlog != 210 || st.Samples != 210 ||
			st.Sweeps != 21 {
			t.Errorf("stats %+v", st)
		}
	})
}

func TestSettlementRidesOnTheNextCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, store.Options{Limits: store.Limits{CommitEvery: time.Second, FlushTriggers: time.Minute}})
		add(t, s, storetest.Sweep(1, 1, 10, "aws"))
		commits := s.Stats().Commits
		settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 10)...)
		synctest.Wait()
		if got := pending(t, s, "aws", 10); len(got) != 0 {
			t.Errorf("settled and still pending: %v", numbers(got))
		}
		add(t, s, storetest.Sweep(1, 11, 10, "aws"))
		if n := s.Stats().Commits - commits; n != 1 {
			t.Errorf("%d commits for an append and a settlement, want 1", n)
		}
		settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 10)...)
		time.Sleep(58 * time.Second)
		synctest.Wait()
		if n := s.Stats().Commits - commits; n != 1 {
			t.Errorf("a settlement alone did not wait")
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if n := s.Stats().Commits - commits; n != 2 {
			t.Errorf("a settlement alone was not committed after a minute")
		}
		if st := s.Stats(); st.Sweeps != 0 || st.RecordBytes != 0 || st.Samples != 0 ||
			st.Integrations["aws"].Sent != 20 {
			t.Errorf("the outbox was not emptied: %+v", st)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := s.Stats().Commits - commits; n != 2 {
			t.Errorf("an idle store commits")
		}
	})
}

func TestPartialSettlementSurvivesReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{})
	for n := uint64(1); n <= 30; n += 10 {
		add(t, s, storetest.Sweep(1, n, 10, "aws"))
	}
	ds := pending(t, s, "aws", 100)
	settle(t, s, "aws", store.Accepted, ds[3], ds[5], ds[14])
	settle(t, s, "aws", store.Accepted, ds[20:]...) // the last sweep whole
	settle(t, s, "aws", store.Failed, ds[0])
	want := []uint64{2, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20}
	for range 3 {
		if diff := cmp.Diff(want, numbers(pending(t, s, "aws", 100))); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if b := s.Stats().Integrations["aws"].Backlog; b != uint64(len(want)) {
			t.Errorf("backlog %d, want %d", b, len(want))
		}
		must(t, s.Close())
		s = openAt(t, path, store.Options{})
	}
	settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 100)...)
	add(t, s, storetest.Sweep(4, 1, 1, "aws"))
	if st := s.Stats(); st.Sweeps != 1 || st.Integrations["aws"].Sent != 29 || st.Integrations["aws"].Failed != 1 {
		t.Errorf("stats %+v", st)
	}
}

func TestLimitCutsInsideASweep(t *testing.T) {
	s := open(t, store.Options{})
	add(t, s, storetest.Sweep(1, 1, 10, "aws"), storetest.Sweep(1, 11, 10, "aws"))
	var got []uint64
	for {
		ds := pending(t, s, "aws", 7)
		if len(ds) == 0 {
			break
		}
		got = append(got, numbers(ds)...)
		settle(t, s, "aws", store.Accepted, ds...)
	}
	if diff := cmp.Diff(upTo(1, 20), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if ds := pending(t, s, "aws", 0); ds != nil {
		t.Errorf("limit 0 returns %v", ds)
	}
}

func TestIntegrationsDoNotWaitForEachOther(t *testing.T) {
	s := open(t, store.Options{})
	var sweeps []objects.Sweep
	for n := uint64(1); n <= 3000; n++ { // more than one read transaction reads
		routes := []string{"gcp"}
		if n%1000 == 0 {
			routes = []string{"gcp", "aws"}
		}
		sweeps = append(sweeps, storetest.Sweep(1, n, 1, routes...))
	}
	add(t, s, sweeps...)
	path := []uint64{}
	for _, d := range pending(t, s, "aws", 10) {
		path = append(path, d.Sample.N)
		settle(t, s, "aws", store.Accepted, d)
	}
	if diff := cmp.Diff([]uint64{1000, 2000, 3000}, path); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if st := s.Stats(); st.Integrations["gcp"].Backlog != 3000 || st.Sweeps != 3000 {
		t.Errorf("stats %+v", st)
	}
	if n := len(pending(t, s, "gcp", 100_000)); n != 3000 {
		t.Errorf("gcp got %d", n)
	}
}

func TestRoutesPickSamples(t *testing.T) {
	s := open(t, store.Options{})
	sw := storetest.Sweep(1, 1, 10)
	sw.Routes = []objects.Route{{Integration: "aws", Picked: []int{1, 9}}, {Integration: "gcp", Picked: []int{0}}}
	add(t, s, storetest.Sweep(1, 100, 10), sw) // the first sweep has no routes, so it is not kept
	if got := numbers(pending(t, s, "aws", 10)); !cmp.Equal(got, []uint64{2, 10}) {
		t.Errorf("aws got %v", got)
	}
	if got := numbers(pending(t, s, "gcp", 10)); !cmp.Equal(got, []uint64{1}) {
		t.Errorf("gcp got %v", got)
	}
	if st := s.Stats(); st.Sweeps != 1 {
		t.Errorf("a sweep for no integration was kept")
	}
}

func TestSweepsThatBreakARuleAreRefused(t *testing.T) {
	s := open(t, store.Options{})
	route := func(id string, picked ...int) objects.Route { return objects.Route{Integration: id, Picked: picked} }
	for what, routes := range map[string][]objects.Route{
		"unknown":    {route("aws", 0), route("nobody", 0)},
		"no picks":   {route("aws")},
		"beyond":     {route("aws", 3)},
		"negative":   {route("aws", -1)},
		"twice":      {route("aws", 1, 1)},
		"descending": {route("aws", 2, 1)},
		"two routes": {route("aws", 1), route("aws", 2)},
	} {
		sw := storetest.Sweep(1, 1, 3)
		sw.Routes = routes
		err := s.Append(t.Context(), storetest.Sweep(1, 1, 3, "aws"), sw)
		if err == nil || errors.Is(err, store.ErrUnknownIntegration) != (what == "unknown") {
			t.Errorf("%s: %v", what, err)
		}
	}
	empty := objects.Sweep{Routes: []objects.Route{route("aws", 0)}}
	blank := storetest.Sweep(1, 1, 3, "aws")
	blank.Samples[1].Value = objects.Value{}
	for _, sw := range []objects.Sweep{empty, blank} {
		if err := s.Append(t.Context(), sw); err == nil {
			t.Errorf("accepted %+v", sw)
		}
	}
	if n := s.Stats().Committed; n != 0 {
		t.Errorf("%d samples of refused appends were kept", n)
	}
}

func TestContextEndsOnlyTheWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, store.Options{Limits: store.Limits{CommitEvery: time.Minute}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Append(ctx, storetest.Sweep(1, 1, 4, "aws")); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		<-s.Changed("aws")
		if got := numbers(pending(t, s, "aws", 10)); !cmp.Equal(got, upTo(1, 4)) {
			t.Errorf("got %v", got)
		}
	})
}

func TestCloseCommitsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "noi.db")
		s := openAt(t, path, store.Options{Limits: store.Limits{CommitEvery: time.Hour}})
		done := make(chan error)
		go func() { done <- s.Append(context.Background(), storetest.Sweep(1, 1, 4, "aws")) }()
		synctest.Wait()
		must(t, s.Close())
		must(t, <-done)
		s = openAt(t, path, store.Options{})
		if got := numbers(pending(t, s, "aws", 10)); !cmp.Equal(got, upTo(1, 4)) {
			t.Errorf("got %v", got)
		}
	})
}

func TestNoWakeUpIsLost(t *testing.T) {
	s := open(t, store.Options{})
	const total = 500
	go func() {
		for n := uint64(1); n <= total; n++ {
			if err := s.Append(context.Background(), storetest.Sweep(1, n, 1, "aws")); err != nil {
				t.Error(err)
			}
		}
	}()
	for got := 0; got < total; {
		ds := pending(t, s, "aws", 3)
		if len(ds) == 0 {
			<-s.Changed("aws") // a lost wake-up hangs here
			continue
		}
		settle(t, s, "aws", store.Accepted, ds...)
		got += len(ds)
	}
	if s.Changed("nobody") != nil {
		t.Error("a channel for an unknown integration")
	}
}

func TestSettlingTwiceCountsOnce(t *testing.T) {
	s := open(t, store.Options{})
	add(t, s, storetest.Sweep(1, 1, 3, "aws"))
	ds := pending(t, s, "aws", 3)
	for range 2 {
		settle(t, s, "aws", store.Accepted, ds[0])
		settle(t, s, "aws", store.Failed, ds[0])
	}
	must(t, s.Settle("aws", results(store.Accepted, store.Delivery{Seq: 77}, store.Delivery{Index: 77},
		store.Delivery{Index: -1})))
	if err := s.Settle("aws", []store.Result{{}}); err == nil {
		t.Error("a result without outcome was accepted")
	}
	if err := s.Settle("nobody", nil); !errors.Is(err, store.ErrUnknownIntegration) {
		t.Errorf("unknown integration: %v", err)
	}
	if is := s.Stats().Integrations["aws"]; is.Sent != 1 || is.Failed != 0 || is.Backlog != 2 {
		t.Errorf("stats %+v", is)
	}
	if rows, _, _ := s.Triggers(store.TriggerQuery{}); len(rows) != 1 {
		t.Errorf("%d rows", len(rows))
	}
}

func TestOneStuckSampleDoesNotFillMemory(t *testing.T) {
	s := open(t, store.Options{})
	sweeps := make([]objects.Sweep, 0, 5000)
	for n := uint64(1); n <= 5000; n++ {
		sweeps = append(sweeps, storetest.Sweep(1, n, 1, "aws"))
	}
	add(t, s, sweeps...)
	for {
		ds := pending(t, s, "aws", 1000)
		if len(ds) == 1 {
			break
		}
		settle(t, s, "aws", store.Accepted, ds[1:]...)
		settle(t, s, "aws", store.Retrying, ds[0])
	}
	if is := s.Stats().Integrations["aws"]; is.Sent != 4095 || is.Backlog != 905 {
		t.Errorf("looked past the window: %+v", is)
	}
	settle(t, s, "aws", store.Failed, pending(t, s, "aws", 1000)...)
	if got := numbers(pending(t, s, "aws", 2000)); !cmp.Equal(got, upTo(4097, 5000)) {
		t.Errorf("goes on with %d from %v", len(got), got[:1])
	}
}

// The memory of Pending depends on the stored samples, not on the limit.
func TestPendingTakesMemoryForWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{})
	add(t, s, storetest.Sweep(s.Run(), 1, 10, "aws"))
	for range 2 { // the first call reads the sweep, the second has it in memory
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if got := pending(t, s, "aws", 10_000_000); len(got) != 10 {
			t.Fatalf("%d pending, want 10", len(got))
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%d bytes for ten samples", n)
		}
	}
}
