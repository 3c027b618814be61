package store_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"

	"github.com/google/go-cmp/cmp"
)

func offer(t *testing.T, s *store.Store, sweeps ...objects.Sweep) *store.Pledge {
	t.Helper()
	p, err := s.Offer(t.Context(), sweeps...)
	must(t, err)
	return p
}

func kept(p *store.Pledge) bool {
	select {
	case <-p.Done():
		return p.Err() == nil
	default:
		return false
	}
}

func TestWhatIsAcceptedInsideTheWindowCostsNoCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "noi.db")
		s := openAt(t, path, store.Options{Limits: store.Limits{CommitEvery: time.Second}})
		before := s.Stats().Commits
		for n := uint64(1); n <= 100; n += 10 {
			changed := s.Changed("aws")
			p := offer(t, s, storetest.Sweep(s.Run(), n, 10, "aws", "gcp"))
			<-changed
			for _, id := range []string{"aws", "gcp"} {
				settle(t, s, id, store.Accepted, pending(t, s, id, 100)...)
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if !kept(p) {
				t.Fatal("the window has ended, and the offer is still open")
			}
		}
		st := s.Stats()
		if st.Commits != before || st.Spared != 100 || st.Committed != 0 || st.Samples != 0 {
			t.Errorf("%d commits, stats %+v", st.Commits-before, st)
		}
		if rows := triggers(t, s, store.TriggerQuery{Limit: 1000}); len(rows) != 200 {
			t.Errorf("%d rows, want 200", len(rows))
		}
		must(t, s.Close())
		s = openAt(t, path, store.Options{})
		if is := s.Stats().Integrations["gcp"]; is.Sent != 100 || is.Backlog != 0 {
			t.Errorf("after a restart: %+v", is)
		}
	})
}

func TestWhatOneCloudDoesNotTakeInTimeIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "noi.db")
		s := openAt(t, path, store.Options{Limits: store.Limits{CommitEvery: time.Second}})
		p := offer(t, s, storetest.Sweep(s.Run(), 1, 10, "aws", "gcp"), storetest.Sweep(s.Run(), 11, 10, "aws"))
		settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 100)...)
		settle(t, s, "gcp", store.Accepted, pending(t, s, "gcp", 4)...)
		<-p.Done()
		if st := s.Stats(); st.Committed != 10 || st.Spared != 10 || st.Sweeps != 1 {
			t.Errorf("stats %+v", st)
		}
		cut := openAt(t, copyOf(t, path), store.Options{}) // as after a power cut
		if got := numbers(pending(t, cut, "gcp", 100)); !cmp.Equal(got, upTo(5, 10)) {
			t.Errorf("pending %v, want 5 to 10", got)
		}
		if got := pending(t, cut, "aws", 100); len(got) != 0 {
			t.Errorf("aws gets %v again", numbers(got))
		}
		must(t, cut.Close())
	})
}

func TestWhatComesDuringACommitIsNotInItsFigures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{Limits: store.Limits{CommitEvery: time.Hour}})
	offer(t, s, storetest.Sweep(s.Run(), 1, 10, "aws"))
	must(t, s.SetDeviceID("5300520006504b5957343920")) // makes a commit
	offer(t, s, storetest.Sweep(s.Run(), 11, 10, "aws"))
	if is := s.Stats().Integrations["aws"]; is.Backlog != 20 {
		t.Errorf("%+v", is)
	}
	cut := openAt(t, copyOf(t, path), store.Options{}) // closeAndCheck compares the backlog with the records
	if is := cut.Stats().Integrations["aws"]; is.Backlog != 10 {
		t.Errorf("after a cut: %+v", is)
	}
	must(t, cut.Close())
}

func TestAnUrgentSweepDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, store.Options{Limits: store.Limits{CommitEvery: time.Minute}})
		begin := time.Now()
		calm := offer(t, s, storetest.Sweep(s.Run(), 1, 3, "aws"))
		urgent := storetest.Sweep(s.Run(), 4, 3, "aws")
		urgent.Urgent = true
		must(t, s.Append(t.Context(), urgent))
		if time.Since(begin) != 0 || !kept(calm) {
			t.Errorf("the urgent sweep took %v; the sweep before it was committed too: %v",
				time.Since(begin), kept(calm))
		}
	})
}

func TestASweepAMinuteIsACommitAMinute(t *testing.T) {
	for _, c := range []struct {
		window, answer time.Duration
		outcome        store.Outcome
	}{
		{time.Second, 200 * time.Millisecond, store.Accepted}, {time.Second, 200 * time.Millisecond, store.Retrying},
		// A slow cloud.
		{time.Second, 45 * time.Second, store.Accepted}, {0, 45 * time.Second, store.Accepted},
		{0, 20 * time.Second, store.Accepted},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, store.Options{Limits: store.Limits{CommitEvery: c.window}})
				before := s.Stats().Commits
				const minutes = 30
				for n := range uint64(minutes) {
					offer(t, s, storetest.Sweep(s.Run(), 1+10*n, 10, "aws"))
					time.Sleep(c.answer)
					settle(t, s, "aws", c.outcome, pending(t, s, "aws", 10)...)
					time.Sleep(time.Minute - c.answer)
				}
				synctest.Wait()
				if n := s.Stats().Commits - before; n > minutes {
					t.Errorf("%d commits in %d minutes", n, minutes)
				}
			})
		})
	}
}

// A sweep is offered shortly before a window ends. If nothing else is written, the sweep is not written either: its
// own window begins with the offer.
func TestEachSweepHasAWindowOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, store.Options{Limits: store.Limits{CommitEvery: time.Second}})
		before := s.Stats().Commits
		for n := range uint64(100) {
			offer(t, s, storetest.Sweep(s.Run(), 1+10*n, 10, "aws"))
			time.Sleep(150 * time.Millisecond)
			settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 10)...)
			time.Sleep(740 * time.Millisecond)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if st := s.Stats(); st.Committed != 0 || st.Spared != 1000 || st.Commits-before > 2 { // of rows
			t.Errorf("%d samples were written in %d commits, and %d not", st.Committed, st.Commits-before, st.Spared)
		}
	})
}

func TestAWindowThatWritesTakesTheYoungerAlong(t *testing.T) {
	for _, accepted := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := open(t, store.Options{Limits: store.Limits{CommitEvery: time.Second}})
			before := s.Stats().Commits
			old := offer(t, s, storetest.Sweep(s.Run(), 1, 10, "aws"))
			time.Sleep(900 * time.Millisecond)
			if accepted {
				settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 10)...)
			}
			young := offer(t, s, storetest.Sweep(s.Run(), 11, 10, "aws"))
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			if !kept(old) || kept(young) == accepted {
				t.Errorf("the first sweep is accepted: %v; done after its second: %v, the second sweep: %v", accepted,
					kept(old), kept(young))
			}
			time.Sleep(900 * time.Millisecond)
			synctest.Wait()
			if n := s.Stats().Commits - before; !kept(young) || n != 1 {
				t.Errorf("the first sweep is accepted: %v; the second is done after its second: %v, in %d commits",
					accepted, kept(young), n)
			}
		})
	}
}

func TestNewestAreRejectedWhenTheOldestAreToStay(t *testing.T) {
	const limit = 4 << 10
	s := open(t, store.Options{Limits: store.Limits{MaxSize: limit, RejectNewest: true}})
	for n := uint64(1); n <= 1000; n += 10 {
		must(t, s.Append(t.Context(), storetest.Sweep(s.Run(), n, 10, "aws")))
		if st := s.Stats(); st.RecordBytes > limit {
			t.Fatalf("%d bytes, over the limit", st.RecordBytes)
		}
	}
	is := s.Stats().Integrations["aws"]
	if is.Dropped == 0 || is.Dropped+is.Backlog != 1000 {
		t.Errorf("%+v do not add up to 1000", is)
	}
	if diff := cmp.Diff(upTo(1, is.Backlog), numbers(pending(t, s, "aws", 5000))); diff != "" {
		t.Errorf("the oldest samples must be left (-want +got):\n%s", diff)
	}
	rows := triggers(t, s, store.TriggerQuery{Integration: "aws"})
	if len(rows) != 10 || !strings.HasPrefix(rows[0].Gap.Reason, objects.GapRejected) {
		t.Errorf("rows %+v", rows)
	}
	settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 100)...)
	must(t, s.Append(t.Context(), storetest.Sweep(s.Run(), 2001, 10, "aws")))
	must(t, s.Append(t.Context(), storetest.Sweep(s.Run(), 2011, 10, "aws")))
	if got := s.Stats().Integrations["aws"]; got.Dropped > is.Dropped+10 {
		t.Errorf("although there is room again: %+v", got)
	}
}

func TestAcceptedSweepsAreKeptAsLongAsAsked(t *testing.T) {
	now := storetest.Start.Add(10 * time.Second)
	path := filepath.Join(t.TempDir(), "noi.db")
	o := store.Options{Limits: store.Limits{RetainAfterAck: time.Hour}, Now: func() time.Time { return now }}
	s := openAt(t, path, o)
	for n := uint64(1); n <= 40; n += 10 {
		add(t, s, storetest.Sweep(s.Run(), n, 10, "aws"))
		settle(t, s, "aws", store.Accepted, pending(t, s, "aws", 100)...)
	}
	if st := s.Stats(); st.Samples != 40 || st.Integrations["aws"].Backlog != 0 {
		t.Errorf("stats %+v", st)
	}
	must(t, s.Close())
	now = storetest.Start.Add(time.Hour + 15*time.Second) // the sweeps of :01 and :11 are over an hour old
	s = openAt(t, path, o)
	add(t, s, storetest.Sweep(s.Run(), 3601, 10, "aws"))
	if st := s.Stats(); st.Samples != 30 {
		t.Errorf("%d samples kept, want 30", st.Samples)
	}
	if got := numbers(pending(t, s, "aws", 100)); !cmp.Equal(got, upTo(3601, 3610)) {
		t.Errorf("pending %v", got)
	}
}
