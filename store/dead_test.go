package store_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"

	"github.com/google/go-cmp/cmp"
)

func deadLetters(t *testing.T, s *store.Store, id string) []store.DeadLetter {
	t.Helper()
	out, err := s.DeadLetters(id, 0, 0)
	must(t, err)
	return out
}

func letterNumbers(letters []store.DeadLetter) (out []uint64) {
	for i := range letters {
		out = append(out, letters[i].Sample.N)
	}
	return out
}

// rejected offers a sweep and has the cloud reject it.
func rejected(t *testing.T, s *store.Store, first uint64, n int) {
	t.Helper()
	offer(t, s, storetest.Sweep(s.Run(), first, n, "aws"))
	settle(t, s, "aws", store.Failed, pending(t, s, "aws", n)...)
}

// A rejected sample becomes a dead letter with the commit that settles it, even if the sample was never in the file.
func TestARejectedSampleIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "noi.db")
		s := openAt(t, path, store.Options{Limits: store.Limits{CommitEvery: time.Second}})
		p := offer(t, s, storetest.Sweep(s.Run(), 1, 3, "aws"))
		ds := pending(t, s, "aws", 10)
		settle(t, s, "aws", store.Accepted, ds[0], ds[2])
		must(t, s.Settle("aws", []store.Result{{
			Seq: ds[1].Seq, Index: 1, Outcome: store.Failed, Error: "InvalidParameter: too long",
			PublishedAt: storetest.Start, CompletedAt: storetest.Start, Estimated: true,
			SampledAt: storetest.Start.Add(-time.Hour),
		}}))
		<-p.Done()
		after := openAt(t, copyOf(t, path), store.Options{})
		defer after.Close()
		if got := pending(t, after, "aws", 10); len(got) > 0 {
			t.Errorf("pending after a cut: %v", numbers(got))
		}
		got := deadLetters(t, after, "aws")
		if len(got) != 1 {
			t.Fatalf("%d dead letters after a cut, want 1", len(got))
		}
		l := got[0]
		if l.Sample.N != 2 || l.Sample.Object != ds[1].Sample.Object || l.Store != s.ID() || l.Run != s.Run() ||
			l.Seq != ds[1].Seq || l.Index != 1 ||
			!l.Estimated || !l.Sample.SampledAt.Equal(storetest.Start.Add(-time.Hour)) ||
			l.Error != "InvalidParameter: too long" || l.Attempts != 1 {
			t.Errorf("dead letter %+v", l)
		}
		if is := after.Stats().Integrations["aws"]; is.Dead != 1 || is.Failed != 1 || is.Sent != 2 ||
			!is.DeadFrom.Equal(storetest.Start) {
			t.Errorf("stats %+v", is)
		}
	})
}

func TestADeadLetterThatArrivesIsOneNoMore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{})
	rejected(t, s, 1, 3)
	letters := deadLetters(t, s, "")
	again := func(i int, o store.Outcome, text string) {
		t.Helper()
		must(t, s.SettleDead("aws", letters[i].ID, store.Result{
			Outcome: o, Error: text, MessageID: "m", PublishedAt: storetest.Start,
			CompletedAt: storetest.Start.Add(time.Minute),
		}))
	}
	again(0, store.Accepted, "")
	again(0, store.Failed, "too late, and ignored")
	again(1, store.Retrying, "Timeout: gone")
	again(2, store.Failed, "InvalidParameter: still")
	check := func(s *store.Store) {
		t.Helper()
		got := deadLetters(t, s, "aws")
		if diff := cmp.Diff([]uint64{2, 3}, letterNumbers(got)); diff != "" {
			t.Fatalf("dead letters (-want +got):\n%s", diff)
		}
		if got[0].Error != "Timeout: gone" || got[0].Attempts != 2 || got[1].Error != "InvalidParameter: still" ||
			got[1].Attempts != 2 {
			t.Errorf("%+v", got)
		}
		if is := s.Stats().Integrations["aws"]; is.Sent != 1 || is.Failed != 3 || is.Dead != 2 {
			t.Errorf("stats %+v", is)
		}
		rows := triggers(t, s, store.TriggerQuery{})
		if len(rows) != 3 || !rows[2].Success || rows[2].Attempts != 2 || rows[2].ID != letters[0].ID ||
			rows[1].Success || rows[1].Error != "Timeout: gone" {
			t.Errorf("rows %+v", rows)
		}
	}
	check(s)
	must(t, s.Close())
	check(openAt(t, path, store.Options{}))
}

// A dead letter leaves a gap when it is dropped, or deleted to make room for a newer one.
func TestADeadLetterThatIsGivenUpLeavesAGap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{})
	rejected(t, s, 1, 4)
	letters := deadLetters(t, s, "aws")
	n, err := s.DropDead("aws", letters[3].ID, letters[1].ID, letters[1].ID+1000)
	if must(t, err); n != 2 {
		t.Errorf("%d dropped, want 2", n)
	}
	after := openAt(t, copyOf(t, path), store.Options{})
	if diff := cmp.Diff([]uint64{1, 3}, letterNumbers(deadLetters(t, after, "aws"))); diff != "" {
		t.Errorf("after a cut (-want +got):\n%s", diff)
	}
	must(t, after.Close())
	var gone []uint64
	for _, g := range triggers(t, s, store.TriggerQuery{Gaps: true}) {
		if !strings.HasPrefix(g.Gap.Reason, objects.GapDead+": ") || g.Gap.Count != 1 ||
			g.Gap.Unit != storetest.Source().Unit() {
			t.Errorf("gap %+v", g.Gap)
		}
		gone = append(gone, g.Gap.First)
	}
	slices.Sort(gone)
	want := []uint64{letters[1].Sample.Seq, letters[3].Sample.Seq}
	slices.Sort(want)
	if diff := cmp.Diff(want, gone); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
}

func TestOnlySoManyDeadLettersAreKept(t *testing.T) {
	const keep = 1024
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{Limits: store.Limits{CommitEvery: time.Hour, KeepTriggers: 10}})
	for n := uint64(1); n <= keep+100; n += 50 {
		rejected(t, s, n, 50)
	}
	must(t, s.Close())
	s = openAt(t, path, store.Options{})
	got := letterNumbers(deadLetters(t, s, "aws"))
	if len(got) != keep || got[keep-1] != 1150 || got[0] != 1150-keep+1 {
		t.Errorf("%d letters, %d to %d", len(got), got[0], got[len(got)-1])
	}
	missing := uint64(0)
	for _, g := range triggers(t, s, store.TriggerQuery{Gaps: true, Limit: 1000}) {
		missing += g.Gap.Count
	}
	if missing != 1150-keep {
		t.Errorf("%d samples are in gaps, want %d", missing, 1150-keep)
	}
	if page, err := s.DeadLetters("aws", deadLetters(t, s, "aws")[9].ID, 5); err != nil ||
		!slices.Equal(letterNumbers(page), got[10:15]) {
		t.Errorf("page %v, %v", letterNumbers(page), err)
	}
}

// When a replay brings a dead letter's sample to the cloud, the dead letter is deleted.
func TestAReplayedDeadLetterIsOneNoMore(t *testing.T) {
	s := open(t, store.Options{Limits: store.Limits{RetainAfterAck: time.Hour}})
	rejected(t, s, 1, 2)
	found, _, err := s.Scan(store.Range{}).Step()
	must(t, err)
	settled, err := s.Settled("aws", &found[0])
	must(t, err)
	must(t, s.LogReplay("aws", &store.Replayed{Delivery: settled[0]},
		store.Result{Outcome: store.Failed, PublishedAt: storetest.Start, CompletedAt: storetest.Start}))
	must(t, s.LogReplay("aws", &store.Replayed{Delivery: settled[1]},
		store.Result{Outcome: store.Accepted, PublishedAt: storetest.Start, CompletedAt: storetest.Start}))
	if diff := cmp.Diff([]uint64{1}, letterNumbers(deadLetters(t, s, "aws"))); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}
