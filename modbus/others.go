package modbus

import (
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// othersLeast is the shortest time after its last frame for which another program counts as present. If three times
	// the longest pause between its frames is longer, this time counts, up to othersMost.
	othersLeast = 20 * time.Second
	othersMost  = 10 * time.Minute
	// othersNew is for how long another program counts as new: the line may have seen only some of its reads. Most
	// programs poll once a minute or more often.
	othersNew = time.Minute
	// nearLeast and nearMost limit, in the same way, how long reads stay widened, and how long a length counts as
	// used.
	nearLeast = time.Hour
	nearMost  = 72 * time.Hour
)

// others has the observed replies to another program: a gateway may send every reply to every client. A reply does not
// have its address, so a reply with a shape that the other program requests may be for the other program. The shapes
// count for all units of the line: the other program may read the next unit in the same way.
type others struct {
	seen []sighting
	last time.Time     // of its last frame
	gap  time.Duration // the longest pause between two of its frames
	from time.Time     // of its first frame, or of its first one after a long pause
	drew time.Time     // of its last frame of a shape that widened reads have

	losses int // events that may have cost us a reply: new connections, and answers in another unit's name
}

// sighting is a shape and when a reply of it came last.
type sighting struct {
	shape
	at time.Time
}

// mark notes a reply that none of our requests explains. It may be the reply to a request that this program sent before
// a restart.
func (o *others) mark(s shape, now time.Time) {
	if isWidened(s) {
		o.drew = now
	}
	o.seen = slices.DeleteFunc(o.seen, func(old sighting) bool { return old.shape == s || o.expired(old.at, now) })
	o.seen = append(o.seen, sighting{s, now})
}

// misnamed notes a frame that may be the answer to q, but has another unit id.
func (o *others) misnamed(q ask, frame []byte) {
	if len(frame) < 3 {
		return
	}
	if s, ok := shapeOf(frame); ok && s == q.shape() {
		o.losses++
	}
}

// lose notes a new connection.
func (o *others) lose() { o.losses++ }

// expired reports whether an observation at that time is too old to count.
func (o *others) expired(at, now time.Time) bool {
	return now.Sub(at) >= min(max(nearLeast, 3*o.gap), nearMost)
}

// note takes a reply to the other program.
func (o *others) note(s shape, now time.Time) {
	o.mark(s, now)
	if o.any() {
		o.gap = max(o.gap, now.Sub(o.last))
	}
	if !o.any() || now.Sub(o.last) > othersMost {
		o.from = now
	}
	o.last = now
}

// any reports whether there has ever been another program.
func (o *others) any() bool { return !o.last.IsZero() }

// has reports whether a reply of this shape was seen.
func (o *others) has(s shape, now time.Time) bool {
	return slices.ContainsFunc(o.seen, func(old sighting) bool { return old.shape == s && !o.expired(old.at, now) })
}

// live reports whether the other program counts as present.
func (o *others) live(now time.Time) bool {
	return o.any() && now.Sub(o.last) < min(max(othersLeast, 3*o.gap), othersMost)
}

// near reports whether the other program was present recently, and may return.
func (o *others) near(now time.Time) bool { return o.any() && !o.expired(o.last, now) }

// isNew reports whether the other program was seen for the first time less than othersNew ago.
func (o *others) isNew(now time.Time) bool { return o.any() && now.Sub(o.from) < othersNew }

// mayDraw reports whether the other program may get replies of the shapes that widened reads have: it lately got one,
// or is new.
func (o *others) mayDraw(now time.Time) bool {
	return !o.drew.IsZero() && now.Sub(o.drew) < othersMost || o.isNew(now)
}

// use reports whether the other program is present and gets replies of this shape.
func (o *others) use(s shape, now time.Time) bool { return o.live(now) && o.has(s, now) }

// spare reports whether the answer to a widened read has a length that the other program does not use, as far as was
// seen.
func (o *others) spare(q ask, now time.Time) bool {
	return isWidened(q.shape()) && !o.has(q.shape(), now) && !o.mayDraw(now)
}

// agree reports whether two reads have the same values of q, and no reply of the first one's length has come since. A
// plain first read does not count if it is in doubt.
func (o *others) agree(q ask, first, next wideRead, doubts bool, now time.Time) bool {
	if first.asked == q && doubts || first.asked != q && o.has(first.asked.shape(), now) {
		return false
	}
	return slices.Equal(first.values, next.values)
}

// widen widens a read to a length that neither the other program nor an earlier read has used, so that none of their
// replies looks like the answer. If there is no such length, it returns the wanted read. With front the additional
// registers are before the wanted ones, if there are any.
func (o *others) widen(u *unit, q ask, before []wideRead, front bool, now time.Time) ask {
	for choice := widenMore; choice < 5*widenMore; choice++ {
		wide := q
		wide.count = u.wider(q.shape().count, rand.IntN(choice))
		if ofBits(q.function) {
			wide.count *= 8 // a shape counts their bytes
		}
		more := wide.count - q.count
		if wide.addr >= more && (front || int(wide.addr)+int(wide.count) > 0x10000) {
			wide.addr -= more
		}
		switch {
		case wide.count > u.mostOf(q.function), wide.count <= q.count:
		case int(wide.addr)+int(wide.count) > 0x10000, u.avoids(wide):
		case o.has(wide.shape(), now), u.trust.find(wide.shape()) != nil:
		case slices.ContainsFunc(before, func(r wideRead) bool { return r.asked.shape() == wide.shape() }):
		default:
			return wide
		}
	}
	return q
}

// isWidened reports whether widened reads use this shape, if the device allows it.
func isWidened(s shape) bool { return s.count >= widenLeast && s.count%2 == 1 }

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
