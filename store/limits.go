package store

import (
	"fmt"
	"math"
	"time"

	"noi-agent/objects"

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

// victim is a sweep that has to give way.
type victim struct {
	heading
	seq    uint64
	bytes  int64
	reason string
	record []byte // of the transaction's own memory
}

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

// chooseVictims looks from the oldest sweep on at what is over the limits. It looks at the outbox
// before the new records are put. Sweeps that are only kept because of RetainAfterAck are the oldest.
func (c *commit) chooseVictims(sweeps *bolt.Bucket) []victim {
	s := c.store
	excess := c.drop
	reason := whyDiskFull
	if over := s.totals.bytes + c.bytes - s.opts.MaxSize; over > excess {
		excess, reason = over, fmt.Sprintf(whySize, size(s.opts.MaxSize))
	}
	keep := c.unsettledFrom()
	var out []victim
	cur := sweeps.Cursor()
	for k, v := cur.First(); k != nil && len(out) < maxRemovals; k, v = cur.Next() {
		h, ok := peek(c.names, k, v)
		seq, isKey := keySeq(k)
		w := victim{heading: h, seq: seq, bytes: recordSize(k, v), reason: reason, record: v}
		if excess <= 0 || seq >= keep {
			// A damaged record at the very end of the queue helps nobody: it goes at once.
			if ok && !c.tooOld(&h) {
				break
			}
			w.reason = fmt.Sprintf(whyAge, s.opts.MaxAge)
		}
		if isKey {
			if !ok {
				c.damaged = append(c.damaged, seq)
			}
			out = append(out, w)
			c.evicted = seq + 1
		}
		excess -= w.bytes
	}
	return out
}

// unsettledFrom is from where on sweeps are not to give way to new ones: from the oldest that
// somebody waits for when the new ones are rejected instead, else from nowhere.
func (c *commit) unsettledFrom() uint64 {
	s := c.store
	if !s.opts.RejectNewest {
		return math.MaxUint64
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.passed()
}

// tooOld reports whether a sweep is over MaxAge, as far as anybody can tell.
func (c *commit) tooOld(h *heading) bool {
	s := c.store
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.age(h, c.now) > s.opts.MaxAge.Milliseconds()
}

// passed is the number before which no integration waits for anything. s.mu is held.
func (s *Store) passed() uint64 {
	passed := s.next
	for _, it := range s.integrations {
		passed = min(passed, it.cursor)
	}
	return passed
}

func recordSize(key, value []byte) int64 { return int64(len(key) + len(value)) }

// giveWay lets the victims go: each integration's cursor moves past them, and what was still
// unsettled there is counted and told, a gap an object. s.mu is held.
func (c *commit) giveWay(victims []victim) {
	s := c.store
	if len(victims) == 0 {
		return
	}
	lost := map[*integration]*losses{}
	for i := range victims {
		v := &victims[i]
		sw, _ := decodeSweep(c.names, seqKey(v.seq), v.record) // one at a time: they may be many
		for _, it := range s.integrations {
			for _, index := range it.giveWay(v.seq, v.of(it.id)) {
				if lost[it] == nil {
					lost[it] = &losses{}
				}
				lost[it].add(sw, index, v.reason)
			}
		}
	}
	for _, it := range s.ordered() {
		s.closeRows(it.owner())
		if l := lost[it]; l != nil {
			s.tell(it, *l)
		}
		it.trim(s.next)
	}
}

// expire drops the backlog of integrations removed a day ago, and forgets them after a month.
// s.mu is held; it returns whose bucket and record are to go.
func (s *Store) expire(now time.Time) (forgotten []string) {
	if !s.opts.Clock.old() {
		return nil
	}
	s.dateOrphans(now)
	for _, it := range s.ordered() {
		switch gone := now.Sub(it.orphanedAt); {
		case it.orphanedAt.IsZero() || gone < orphanBacklog:
		case gone >= orphanRows && it.backlog == 0 && it.lane == nil:
			it.wake()
			s.dirtyRows -= len(it.dirty) // nobody writes them any more
			delete(s.integrations, it.id)
			if it.main != nil {
				it.main.lane = nil // and that one goes with the next commit
			}
			forgotten = append(forgotten, it.id)
		case it.backlog > 0:
			lost := losses{count: it.backlog}
			lost.merge(objects.Gap{From: fromMilli(it.oldest), To: now, Count: it.backlog, Reason: fmt.Sprintf(whyRemoved, orphanBacklog)})
			it.dropped += it.backlog
			it.backlog, it.window, it.modified = 0, nil, true
			it.trim(s.next)
			s.closeRows(it.owner())
			s.tell(it, lost)
		}
	}
	return forgotten
}

// overdue reports whether a quiet store has something to throw away. s.mu is held.
func (s *Store) overdue(now time.Time) bool {
	if s.tail != nil && s.age(s.tail, s.moment()) > s.opts.MaxAge.Milliseconds() {
		return true
	}
	if !s.opts.Clock.old() {
		return false
	}
	for _, it := range s.integrations {
		gone := now.Sub(it.orphanedAt)
		if !it.orphanedAt.IsZero() && (it.backlog > 0 && gone >= orphanBacklog || gone >= orphanRows) {
			return true
		}
	}
	return false
}
