package store

import (
	"fmt"
	"math"
	"slices"
	"time"

	"noi-agent/objects"

	"noi-agent/store/internal/record"

	bolt "go.etcd.io/bbolt"
)

const (
	// maxRemovals limits the sweeps that one commit removes from the outbox. 10,000 take about 20 ms on a desktop, and
	// much less than a second on a gateway. The next commit removes more.
	maxRemovals = 10_000

	// orphanBacklog is how long the backlog of a removed integration is kept. orphanRows is how long its counters and
	// its rows of the trigger log are kept.
	orphanBacklog = 24 * time.Hour
	orphanRows    = 30 * 24 * time.Hour
)

// victim is a sweep that must be deleted.
type victim struct {
	record.Heading
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

// chooseVictims returns the sweeps over the limits, from the oldest on. It runs before the new records are put. The
// oldest sweeps are those that are kept only because of RetainAfterAck.
func (c *commit) chooseVictims(sweeps *bolt.Bucket) []victim {
	s := c.store
	excess := c.drop
	reason := whyDiskFull
	if over := s.totals.Bytes + c.records.bytes - s.opts.MaxSize; over > excess {
		excess, reason = over, fmt.Sprintf(whySize, size(s.opts.MaxSize))
	}
	keep := c.unsettledFrom()
	var out []victim
	cur := sweeps.Cursor()
	for k, v := cur.First(); k != nil && len(out) < maxRemovals; k, v = cur.Next() {
		h, ok := record.Peek(c.names, k, v)
		seq, isKey := record.KeySeq(k)
		w := victim{Heading: h, seq: seq, bytes: record.Size(k, v), reason: reason, record: v}
		if excess <= 0 || seq >= keep {
			// A damaged record at the oldest end of the outbox is useless, and is deleted at once.
			if ok && !c.tooOld(&h) {
				break
			}
			w.reason = fmt.Sprintf(whyAge, objects.Period(s.opts.MaxAge))
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

// unsettledFrom returns the number from which on sweeps are not deleted for new ones. With RejectNewest this is the
// oldest sweep for which an integration waits; otherwise there is no such number.
func (c *commit) unsettledFrom() uint64 {
	s := c.store
	if !s.opts.RejectNewest {
		return math.MaxUint64
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.passedLocked()
}

// tooOld reports whether a sweep is known to be over MaxAge.
func (c *commit) tooOld(h *record.Heading) bool {
	s := c.store
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.age(h, c.now) > s.opts.MaxAge.Milliseconds()
}

// passedLocked returns the number of the oldest sweep for which an integration waits.
func (c *commit) passedLocked() uint64 {
	passed := c.store.next
	for _, it := range c.store.integrations {
		passed = min(passed, it.At)
	}
	return passed
}

// evictVictims deletes the victims: each integration's cursor moves past them. Their unsettled samples are counted,
// and reported as one gap for each object.
func (c *commit) evictVictims(victims []victim) {
	s := c.store
	if len(victims) == 0 {
		return
	}
	lost := map[*integration]*losses{}
	for i := range victims {
		v := &victims[i]
		sw, _ := record.DecodeSweep(c.names, record.SeqKey(v.seq), v.record) // one at a time: they may be many
		for _, it := range s.integrations {
			for _, index := range it.evict(v.seq, v.Of(it.ID)) {
				if lost[it] == nil {
					lost[it] = &losses{}
				}
				lost[it].add(sw, index, v.reason)
			}
		}
	}
	for _, it := range s.integrations.ordered() {
		it.owner().closeRowsLocked()
		if l := lost[it]; l != nil {
			it.logLossesLocked(*l)
		}
		it.trim(s.next)
	}
}

// unwanted finds sweeps for which removed integrations still wait, from the oldest on, a limited number at a time. all
// reports whether it reached the end of the file.
func (c *commit) unwanted(sweeps *bolt.Bucket) (found []victim, all bool) {
	s := c.store
	s.mu.Lock()
	if s.opts.Clock.old() {
		c.dateOrphans()
	}
	due, from := s.integrations.orphans(s.opts.Clock, c.wall), uint64(math.MaxUint64)
	for _, it := range due {
		from = min(from, it.At)
	}
	s.mu.Unlock()
	if len(due) == 0 {
		return nil, true
	}
	cur := sweeps.Cursor()
	looked := 0
	for k, v := cur.Seek(record.SeqKey(from)); k != nil; k, v = cur.Next() {
		if looked++; looked > maxRemovals {
			return found, false
		}
		h, _ := record.Peek(c.names, k, v)
		if seq, ok := record.KeySeq(k); ok {
			found = append(found, victim{Heading: h, seq: seq, record: v})
		}
	}
	return found, true
}

// expire drops the backlog of integrations removed a day ago, reported by object, and forgets them after a month. found
// is the result of unwanted. expire returns the integrations whose bucket and record must be deleted.
func (c *commit) expire(found []victim, all bool) (forgotten []string) {
	s := c.store
	for _, it := range s.integrations.orphans(s.opts.Clock, c.wall) {
		c.dropBacklog(it, found, all)
	}
	for _, it := range s.integrations.ordered() {
		if it.forgetsLocked(c.wall) {
			it.wake()
			s.dirtyRows -= it.dirty.size() // these rows are not written any more
			delete(s.integrations, it.ID)
			if it.main != nil {
				it.main.lane = nil // the lane is deleted with the next commit
			}
			forgotten = append(forgotten, it.ID)
		}
	}
	return forgotten
}

// dropBacklog removes sweeps from the backlog of a removed integration. At the end of the file, the remaining backlog
// is of records that cannot be read.
func (c *commit) dropBacklog(it *integration, found []victim, all bool) {
	s := c.store
	reason := fmt.Sprintf(whyRemoved, objects.Period(orphanBacklog))
	lost := losses{}
	for i := range found {
		v := &found[i]
		indexes := it.evict(v.seq, v.Of(it.ID))
		if len(indexes) == 0 {
			continue
		}
		sw, _ := record.DecodeSweep(c.names, record.SeqKey(v.seq), v.record)
		for _, index := range indexes {
			lost.add(sw, index, reason)
		}
	}
	if n := it.Backlog; all && n > 0 {
		lost.count += n
		lost.merge(record.Span{
			Begins: it.oldest, Ends: record.Instant{At: c.wall}, Gap: objects.Gap{Count: n, Reason: reason},
		})
		it.Dropped += n
		it.Backlog, it.window, it.modified = 0, nil, true
	}
	c.again = c.again || it.Backlog > 0
	it.owner().closeRowsLocked()
	it.trim(s.next)
	it.logLossesLocked(lost)
}

// forgetsLocked reports whether the store keeps nothing of an integration any more.
func (it *integration) forgetsLocked(now time.Time) bool {
	return it.store.opts.Clock.old() && !it.OrphanedAt.IsZero() && now.Sub(it.OrphanedAt) >= orphanRows &&
		it.Backlog == 0 && it.lane == nil
}

// overdueLocked reports whether a store without new samples has something to delete.
func (w *writer) overdueLocked(now time.Time) bool {
	if w.totals.Bytes > w.opts.MaxSize || w.tail != nil && w.age(w.tail, w.moment()) > w.opts.MaxAge.Milliseconds() {
		return true
	}
	return len(w.integrations.orphans(w.opts.Clock, now)) > 0 ||
		slices.ContainsFunc(w.integrations.ordered(), func(it *integration) bool { return it.forgetsLocked(now) })
}
