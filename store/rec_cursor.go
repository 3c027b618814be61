package store

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
	Born      uint64 // number of the first sweep that could be for it
	At        uint64 // every sweep before it is settled
	// Settled says of sweeps from At on which of their samples are settled; sweeps of which none is are left out.
	Settled map[uint64]bitset
	Backlog uint64 // samples not settled

	Sent, Failed, Dropped uint64    // samples, since the integration was made
	OrphanedAt            time.Time // since when the configuration no longer names it; zero: it does
}

// NewCursor returns the cursor of an integration that begins with the sweep of that number.
func NewCursor(id, topic string, head uint64) Cursor {
	return Cursor{ID: id, Topic: topic, Born: head, At: head, Settled: map[uint64]bitset{}}
}

const cursorVersion byte = 1

// Encode returns the sealed record.
func (c *Cursor) Encode() []byte {
	dst := []byte{cursorVersion}
	dst = appendText(dst, c.Topic)
	dst = appendTime(dst, c.OrphanedAt)
	for _, n := range []uint64{c.Born, c.At, c.Backlog, c.Sent, c.Failed, c.Dropped} {
		dst = binary.AppendUvarint(dst, n)
	}
	dst = binary.AppendUvarint(dst, uint64(len(c.Settled)))
	from := c.At
	for _, seq := range slices.Sorted(maps.Keys(c.Settled)) {
		dst = binary.AppendUvarint(dst, seq-from)
		dst = appendText(dst, string(c.Settled[seq]))
		from = seq
	}
	return seal([]byte(c.ID), dst)
}

// DecodeCursor is the inverse of Encode. A record that does not read gives a new cursor of that id, and false.
func DecodeCursor(key, sealed []byte) (Cursor, bool) {
	value, ok := unseal(key, sealed)
	r := &reader{b: value}
	if !ok || r.byte() != cursorVersion {
		return NewCursor(string(key), "", 0), false
	}
	c := NewCursor(string(key), r.text(), 0)
	c.OrphanedAt = readTime(r)
	for _, n := range []*uint64{&c.Born, &c.At, &c.Backlog, &c.Sent, &c.Failed, &c.Dropped} {
		*n = r.uvarint()
	}
	seq := c.At
	for range r.count() {
		seq += r.uvarint()
		c.Settled[seq] = bitset(r.text())
	}
	if !r.done() {
		return NewCursor(string(key), "", 0), false
	}
	return c, true
}

// Awaits returns how many of a sweep's samples the integration has not settled.
func (c *Cursor) Awaits(seq uint64, picked bitset) uint64 {
	if seq < c.At {
		return 0
	}
	return uint64(picked.count() - picked.and(c.Settled[seq]).count())
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
	return c.Backlog > than.Backlog // nothing was settled in between, so it only grew
}

// laneSuffix ends the id of a lane: the second cursor of an integration, for its faults and alarms.
const laneSuffix = "!alarms"

// isLane reports whether an id is that of a lane, and of whose.
func isLane(id string) (owner string, ok bool) { return strings.CutSuffix(id, laneSuffix) }
