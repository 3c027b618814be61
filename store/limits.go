package store

import (
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

const (
	// maxRemovals bounds the sweeps that one commit takes out of the outbox: 10,000 take some
	// 20 ms on a desktop and stay well below a second on a gateway. The rest waits for the next.
	maxRemovals = 10_000

	// orphanBacklog is how long the backlog of a removed integration is kept, and orphanRows how
	// long its counters and its rows of the trigger log are.
	orphanBacklog = 24 * time.Hour
	orphanRows    = 30 * 24 * time.Hour
)

// Why samples gave way, as the trigger row says it.
const (
	whyAge      = "outbox over max_age %v"
	whySize     = "outbox over max_size %s"
	whyDiskFull = "the disk is full"
	whyRemoved  = "the integration was removed from the configuration %v before"
)

// victim is a sweep that has to give way.
type victim struct {
	heading
	seq    uint64
	bytes  int64
	reason string
}

// dropEvent adds up what one integration lost.
type dropEvent struct {
	count    uint64
	from, to int64 // unix ms of the first and the last sweep; to 0: not known
	reason   string
}

func (e *dropEvent) add(f dropEvent) {
	if e.count == 0 {
		*e = f
		return
	}
	e.count += f.count
	e.from, e.to = min(e.from, f.from), max(e.to, f.to)
}

func (e dropEvent) String() string {
	span := "from " + stamp(e.from) + " on"
	if e.to != 0 {
		span = "from " + stamp(e.from) + " to " + stamp(e.to)
	}
	return fmt.Sprintf("Dropped: %d samples sampled %s gave way: %s", e.count, span, e.reason)
}

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// size prints bytes the way the configuration spells them.
func size(n int64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%dGiB", n>>30)
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", n>>10)
	}
	return fmt.Sprintf("%dB", n)
}

// chooseVictims looks from the oldest sweep on at what is over the limits. It looks at the
// outbox before the new records are put.
func (c *commit) chooseVictims(sweeps *bolt.Bucket) []victim {
	s := c.store
	excess := c.drop
	reason := whyDiskFull
	if over := s.totals.bytes + c.bytes - s.opts.MaxSize; over > excess {
		excess, reason = over, fmt.Sprintf(whySize, size(s.opts.MaxSize))
	}
	oldest := s.opts.Now().Add(-s.opts.MaxAge).UnixMilli()
	var out []victim
	cur := sweeps.Cursor()
	for k, v := cur.First(); k != nil && len(out) < maxRemovals; k, v = cur.Next() {
		h, ok := peek(c.names, k, v)
		w := victim{heading: h, bytes: recordSize(k, v), reason: reason}
		if excess <= 0 {
			// A damaged record at the very end of the queue helps nobody: it goes at once.
			if ok && h.at >= oldest {
				break
			}
			w.reason = fmt.Sprintf(whyAge, s.opts.MaxAge)
		}
		if seq, isKey := keySeq(k); isKey {
			w.seq = seq
			if !ok {
				c.damaged = append(c.damaged, seq)
			}
			out = append(out, w)
		}
		excess -= w.bytes
	}
	return out
}

func recordSize(key, value []byte) int64 { return int64(len(key) + len(value)) }

// giveWay lets the victims go: each integration's cursor moves past them, and what was still
// unsettled there is counted and told in one trigger row. s.mu is held.
func (s *Store) giveWay(victims []victim) {
	if len(victims) == 0 {
		return
	}
	for _, it := range s.ordered() {
		var event dropEvent
		for _, v := range victims {
			lost := it.giveWay(v.seq, v.of(it.id))
			if lost == 0 {
				continue
			}
			if event.count > 0 && event.reason != v.reason {
				s.logDrop(it, event)
				event = dropEvent{}
			}
			event.add(dropEvent{count: lost, from: v.at, to: v.at, reason: v.reason})
		}
		s.closeRows(it)
		s.logDrop(it, event)
		it.trim(s.totals.next)
	}
}

// expire drops the backlog of integrations removed a day ago, and forgets them after a month.
// s.mu is held; it returns whose bucket and record are to go.
func (s *Store) expire(now time.Time) (forgotten []string) {
	for _, it := range s.ordered() {
		switch gone := now.Sub(it.orphanedAt); {
		case it.orphanedAt.IsZero() || gone < orphanBacklog:
		case gone >= orphanRows && it.backlog == 0:
			it.wake()
			delete(s.integrations, it.id)
			forgotten = append(forgotten, it.id)
		case it.backlog > 0:
			event := dropEvent{count: it.backlog, from: it.oldest, reason: fmt.Sprintf(whyRemoved, orphanBacklog)}
			it.dropped += it.backlog
			it.backlog, it.window, it.modified = 0, nil, true
			it.trim(s.totals.next)
			s.closeRows(it)
			s.logDrop(it, event)
		}
	}
	return forgotten
}

// overdue reports whether a quiet store has something to throw away. s.mu is held.
func (s *Store) overdue(now time.Time) bool {
	if s.totals.sweeps > 0 && s.tailAt < now.Add(-s.opts.MaxAge).UnixMilli() {
		return true
	}
	for _, it := range s.integrations {
		gone := now.Sub(it.orphanedAt)
		if !it.orphanedAt.IsZero() && (it.backlog > 0 && gone >= orphanBacklog || gone >= orphanRows) {
			return true
		}
	}
	return false
}
