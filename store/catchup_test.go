package store_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/store"
)

// catchUp is a site whose cloud is away for 180 sweeps. The cloud then takes 100 samples a second until none is left,
// and after that each new sample at once. The time is virtual, so the figures do not depend on the machine.
type catchUp struct {
	*store.Store
	t     *testing.T
	every time.Duration // between two sweeps of 48 objects
	n     uint64        // number of the next sample
}

// offer offers a sweep.
func (c *catchUp) offer() {
	c.t.Helper()
	sw := benchSweep(c.Store, c.n, "aws")
	c.n += benchObjects
	_, err := c.Offer(c.t.Context(), sw)
	must(c.t, err)
	account(c.Store, sw)
}

// costs measures some seconds. It calls done once in each second; done returns how many samples the cloud takes in
// that second, and whether it was the last one.
func (c *catchUp) costs(what string, done func(second int) (takes int, last bool)) (commits, bytes float64) {
	c.t.Helper()
	before, begun, samples, last := c.Stats(), time.Now(), c.n, false
	for n := 0; !last; n++ {
		if time.Duration(n)*time.Second%c.every == 0 {
			c.offer()
		}
		var takes int
		takes, last = done(n)
		settle(c.t, c.Store, "aws", store.Accepted, pending(c.t, c.Store, "aws", takes)...)
		time.Sleep(time.Second)
		synctest.Wait()
	}
	after, minutes := c.Stats(), time.Since(begun).Minutes()
	commits = float64(after.Commits-before.Commits) / minutes
	written := float64(after.Written - before.Written)
	bytes = written / float64(max(c.n-samples, after.Integrations["aws"].Sent-before.Integrations["aws"].Sent))
	c.t.Logf("a sweep each %v, %s: %.1f commits a minute, %.1f KiB a minute, %.1f B a sample", c.every, what, commits,
		written/1024/minutes, bytes)
	return commits, bytes
}

// TestCommitsOfACatchUp limits the commits a minute and the bytes a sample, while a backlog is sent and afterwards.
// `make bench-store` prints the figures.
func TestCommitsOfACatchUp(t *testing.T) {
	for name, every := range map[string]time.Duration{"a sweep a second": time.Second,
		"a sweep a minute": time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := store.Options{Limits: store.Limits{CommitEvery: time.Second, FlushTriggers: time.Minute},
					Now: soon}
				c := &catchUp{Store: openAt(t, filepath.Join(t.TempDir(), "noi.db"), o), t: t, every: every, n: 1}
				c.costs("offline", func(n int) (int, bool) { return 0, time.Duration(n+1)*time.Second == 180*every })
				during, bytes := c.costs("catch-up",
					func(int) (int, bool) { return 100, c.Stats().Integrations["aws"].Backlog <= 100 })
				online, rows := c.costs("online", func(n int) (int, bool) { return 1000, n == 600 })
				if every == time.Second && rows > 45 {
					t.Errorf("%.1f B a sample online, want 45 at most", rows)
				}
				if every == time.Minute && bytes > 65 {
					t.Errorf("%.1f B a sample during the catch-up, want 65 at most", bytes)
				}
				if kept := c.Stats().Sweeps; kept > 0 {
					t.Errorf("%d sweeps in the outbox after everything was sent", kept)
				}
				if most := map[time.Duration]float64{time.Second: 61, time.Minute: 41}[every]; during > most ||
					online > 1.3 {
					t.Errorf("%.1f commits a minute during the catch-up, want %v at most; %.1f after it", during, most,
						online)
				}
			})
		})
	}
}
