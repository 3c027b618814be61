package modbus

import (
	"slices"
	"time"
)

const (
	// othersLeast is for how long after its last frame another program is taken to be there still, at the least: three times
	// the longest pause between its frames counts where that is longer.
	othersLeast = 20 * time.Second
	othersMost  = 10 * time.Minute
	// othersShapes bounds what is remembered. A program that polls has a handful of reads.
	othersShapes = 128
)

// others is what was seen, of one unit, of replies to another program: a gateway may pass on every reply to every client. A
// reply does not name its address, so one of a shape that the other program gets may be its own.
type others struct {
	seen []shape
	last time.Time     // of its last frame
	gap  time.Duration // the longest pause between two of its frames

	own  [16]shape // the widened reads of our own, the newest at next-1: what comes of that shape is a reply that strayed
	next int
}

// asked takes a request of our own.
func (o *others) asked(s shape) {
	if s.count >= disguiseLeast && s.count%2 == 1 {
		o.own[o.next%len(o.own)] = s
		o.next++
	}
}

// note takes a reply to the other program.
func (o *others) note(s shape, now time.Time) {
	if pause := now.Sub(o.last); !o.last.IsZero() && o.live(now) {
		o.gap = max(o.gap, pause)
	}
	o.last = now
	if o.has(s) || slices.Contains(o.own[:], s) {
		return
	}
	if len(o.seen) == othersShapes {
		o.seen = o.seen[1:]
	}
	o.seen = append(o.seen, s)
}

// any reports whether there has ever been another program.
func (o *others) any() bool { return len(o.seen) > 0 }

func (o *others) has(s shape) bool { return slices.Contains(o.seen, s) }

// live reports whether the other program is taken to be there.
func (o *others) live(now time.Time) bool {
	return o.any() && now.Sub(o.last) < min(max(othersLeast, 3*o.gap), othersMost)
}

// shapeOf returns the shape of a whole reply; ok is false for an exception, which has none.
func shapeOf(frame []byte) (s shape, ok bool) {
	switch function := frame[1]; {
	case function&exceptionBit != 0:
		return s, false
	case ofBits(function):
		return shape{function, uint16(frame[2])}, true
	case ofRegisters(function):
		return shape{function, uint16(frame[2]) / 2}, true
	default:
		return shape{function, 0}, true
	}
}
