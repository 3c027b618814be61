package modbus

import (
	"slices"
	"time"
)

const (
	// othersLeast is for how long after its last frame another program is taken to be there still, at the least. Three
	// times the longest pause between its frames counts where that is longer, up to othersMost.
	othersLeast = 20 * time.Second
	othersMost  = 10 * time.Minute
	// othersNew is for how long another program counts as new: it may have shown a part of its reads only. Most
	// programs poll once a minute or more often.
	othersNew = time.Minute
	// companyLeast and companyMost bound, in the same way, for how long reads stay widened, and a length counts as
	// used.
	companyLeast = time.Hour
	companyMost  = 72 * time.Hour
)

// others is what was seen of replies to another program: a gateway may pass on every reply to every client. A reply
// does not name its address, so one of a shape that the other program gets may be its own. The shapes count for all
// units of the line: the other program may read the next unit in the same way.
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

// mark takes a reply that no request of ours explains. It may answer a request that this program sent before a restart.
func (o *others) mark(s shape, now time.Time) {
	if isDisguise(s) {
		o.drew = now
	}
	o.seen = slices.DeleteFunc(o.seen, func(old sighting) bool { return old.shape == s || o.expired(old.at, now) })
	o.seen = append(o.seen, sighting{s, now})
}

// misnamed notes a frame that may be the answer to q in the name of another unit.
func (o *others) misnamed(q ask, frame []byte) {
	if len(frame) < 3 {
		return
	}
	if s, ok := shapeOf(frame); ok && s == q.shape() {
		o.losses++
	}
}

// expired reports whether what was seen at a moment is too long ago to say anything.
func (o *others) expired(at, now time.Time) bool {
	return now.Sub(at) >= min(max(companyLeast, 3*o.gap), companyMost)
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

// live reports whether the other program is taken to be there.
func (o *others) live(now time.Time) bool {
	return o.any() && now.Sub(o.last) < min(max(othersLeast, 3*o.gap), othersMost)
}

// near reports whether the other program was there so shortly ago that it may come back.
func (o *others) near(now time.Time) bool { return o.any() && !o.expired(o.last, now) }

// isNew reports whether the other program is not known for long.
func (o *others) isNew(now time.Time) bool { return o.any() && now.Sub(o.from) < othersNew }

// mayDraw reports whether the other program may get replies of the shapes that widened reads have: it lately got one,
// or is new.
func (o *others) mayDraw(now time.Time) bool {
	return !o.drew.IsZero() && now.Sub(o.drew) < othersMost || o.isNew(now)
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
