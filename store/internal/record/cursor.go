package record

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"time"
)

// Cursor is how far one integration, or its lane, is in the outbox, and its counters.
type Cursor struct {
	ID, Topic string
	Born      uint64 // number of the first sweep that the integration could get
	At        uint64 // every sweep before it is settled
	// Settled has the settled samples of sweeps from At on; sweeps without settled samples are left out.
	Settled map[uint64]Bitset
	Backlog uint64 // samples not settled

	Sent, Failed, Dropped uint64    // samples, since the integration was made
	OrphanedAt            time.Time // since when the configuration no longer names it; zero: it does
}

// NewCursor returns the cursor of an integration that begins with the sweep of that number.
func NewCursor(id, topic string, head uint64) Cursor {
	return Cursor{ID: id, Topic: topic, Born: head, At: head, Settled: map[uint64]Bitset{}}
}

const cursorVersion byte = 1

// Encode returns the sealed record.
func (c *Cursor) Encode() []byte {
	dst := []byte{cursorVersion}
	dst = AppendText(dst, c.Topic)
	dst = appendTime(dst, c.OrphanedAt)
	for _, n := range []uint64{c.Born, c.At, c.Backlog, c.Sent, c.Failed, c.Dropped} {
		dst = binary.AppendUvarint(dst, n)
	}
	dst = binary.AppendUvarint(dst, uint64(len(c.Settled)))
	from := c.At
	for _, seq := range slices.Sorted(maps.Keys(c.Settled)) {
		dst = binary.AppendUvarint(dst, seq-from)
		dst = AppendText(dst, string(c.Settled[seq]))
		from = seq
	}
	return Seal([]byte(c.ID), dst)
}

// DecodeCursor is the inverse of Encode. An unreadable record gives a new cursor of that id, and false.
func DecodeCursor(key, sealed []byte) (Cursor, bool) {
	value, ok := Unseal(key, sealed)
	r := &Reader{B: value}
	if !ok || r.Byte() != cursorVersion {
		return NewCursor(string(key), "", 0), false
	}
	c := NewCursor(string(key), r.Text(), 0)
	c.OrphanedAt = readTime(r)
	for _, n := range []*uint64{&c.Born, &c.At, &c.Backlog, &c.Sent, &c.Failed, &c.Dropped} {
		*n = r.Uvarint()
	}
	seq := c.At
	for range r.count() {
		seq += r.Uvarint()
		c.Settled[seq] = Bitset(r.Text())
	}
	if !r.Done() {
		return NewCursor(string(key), "", 0), false
	}
	return c, true
}

// Awaits returns how many of a sweep's samples the integration has not settled.
func (c *Cursor) Awaits(seq uint64, picked Bitset) uint64 {
	if seq < c.At {
		return 0
	}
	return uint64(picked.Count() - picked.And(c.Settled[seq]).Count())
}

// Further reports whether a cursor is newer than another of the same integration.
func (c *Cursor) Further(than *Cursor) bool {
	if c.At != than.At {
		return c.At > than.At
	}
	a, b := c.Sent+c.Failed+c.Dropped, than.Sent+than.Failed+than.Dropped
	if a != b {
		return a > b
	}
	return c.Backlog > than.Backlog // nothing was settled between the two, so the backlog only grew
}

// LaneSuffix ends the id of a lane: the second cursor of an integration, for its faults and alarms.
const LaneSuffix = "!alarms"

// IsLane reports whether an id is that of a lane, and of whose.
func IsLane(id string) (owner string, ok bool) { return strings.CutSuffix(id, LaneSuffix) }
