package worker_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"noi-agent/agent/worker"
)

func TestStopWaitsForTheEndOfTheWork(t *testing.T) {
	w, ended := worker.New(), false
	w.Start(t.Context(), func(ctx context.Context) {
		<-ctx.Done()
		ended = true
	})
	if worker.Over(w.Done()) {
		t.Error("the work has ended before it was stopped")
	}
	w.Stop()
	w.Stop() // again
	if !ended || !worker.Over(w.Done()) {
		t.Error("Stop returned before the work had ended")
	}
	skipped := worker.New()
	skipped.Skip()
	skipped.Stop()
}

func TestAFailureThatRepeatsIsLoggedOnceIn30Seconds(t *testing.T) {
	var out bytes.Buffer
	log, r := slog.New(slog.NewTextHandler(&out, nil)), worker.Repeats{}
	for at := range 61 { // one failure a second
		r.Failed(log, time.Duration(at+1)*time.Second, "failed", errors.New("no answer"))
	}
	r.Recovered(log, 62*time.Second, "works again")
	r.Recovered(log, 63*time.Second, "works again")
	r.Failed(log, 64*time.Second, "failed", errors.New("no answer")) // too soon for a line
	r.Recovered(log, 65*time.Second, "works again")
	if n, m := strings.Count(out.String(), "msg=failed"), strings.Count(out.String(), "works again"); n != 3 || m != 1 {
		t.Errorf("%d failures and %d recoveries are logged, want 3 and 1:\n%s", n, m, &out)
	}
	if !strings.Contains(out.String(), "after_failures=61 in=1m1s") {
		t.Errorf("the recovery has no figures:\n%s", &out)
	}
}

func TestATroubleIsLiveForTenMinutes(t *testing.T) {
	begun := time.Date(2022, 6, 28, 8, 20, 0, 0, time.UTC)
	at := func(minutes int) (time.Duration, time.Time) {
		d := time.Duration(minutes) * time.Minute
		return d, begun.Add(d)
	}
	var trouble worker.Trouble
	for _, c := range []struct {
		minute int
		count  uint64
		live   bool
		since  int
	}{{1, 0, false, 0}, {2, 3, true, 2}, {8, 4, true, 2}, {17, 4, true, 2}, {18, 4, false, 2}, {30, 5, true, 30}} {
		now, wall := at(c.minute)
		trouble.Seen(c.count, now, wall)
		if _, since := at(c.since); trouble.Live(now) != c.live || c.live && !trouble.Since.Equal(since) {
			t.Errorf("minute %d: live %v since %v", c.minute, trouble.Live(now), trouble.Since)
		}
	}
}
