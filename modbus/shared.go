package modbus

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
)

// This file reads behind a gateway that may also send us replies to other programs, without their requests.
//
// After the first such reply, reads are widened to lengths that the other program was not seen to use. Without ids,
// with equal ids, and in the first 20 s after connecting, a value needs a second read of another length. The second
// reply shows that no second answer to the first read comes. If the other program is new, or itself reads such lengths,
// both reads must have the same values.

const (
	// disguiseLeast is the shortest length of a widened read. Most programs read other lengths: even ones, or short
	// ones.
	disguiseLeast = 11
	// disguiseMore is the number of odd lengths, from disguiseLeast on, from which a widened read chooses.
	disguiseMore = 12
	// disguiseTries is how many lengths a device may refuse before the line sends the plain read.
	disguiseTries = 3
	// agreeTries is the highest number of reads to find two that agree: a register may change between two reads.
	agreeTries = 3
)

// errAware: another program was noticed before the request went out.
var errAware = errors.New("another program was noticed")

// errDisagree: no two reads have the same values.
var errDisagree = fmt.Errorf("%w: two reads of different lengths do not agree", ErrShared)

// company reports whether another program gets replies through the gateway, or got some recently.
func (l *Line) company() bool { return l.others.near(tick()) }

// doubts reports whether an answer to q may be for another program.
func (l *Line) doubts(q ask) bool {
	return l.ids.ambiguous() && l.others.live(tick()) && l.others.has(q.shape(), tick())
}

// early reports whether the line has no ids, and was opened recently, so that another program may be there unseen.
func (l *Line) early() bool {
	return l.network && !l.ids.strict && tick().Sub(l.attached) < othersLeast
}

// unshared reads the registers of q while no other program is known on the gateway. It fails with errAware if one is
// known.
func (l *Line) unshared(dst []uint16, u *unit, q ask) ([]uint16, error) {
	if l.company() || l.early() {
		return nil, errAware
	}
	l.unaware = true
	defer func() { l.unaware = false }()
	return u.values(dst, q)
}

// wideRead is a read and the wanted values in its answer.
type wideRead struct {
	asked  ask
	values []uint16
}

// shared reads the registers of q while another program may get replies through the gateway. The read is widened to a
// length that the other program was not seen to use. If no id distinguishes the replies, there are two such reads, of
// different lengths.
//
// If the line takes a reply to another program for the first answer, the right answer still comes, before the second
// answer. So if another reply with the length of the first read comes, the first read does not count. If the other
// program may use the lengths of widened reads, or is new, both reads must also have the same values: a wrong value
// would need two replies with both lengths, and the loss of both answers.
func (l *Line) shared(dst []uint16, u *unit, q ask) ([]uint16, error) {
	losses := l.others.losses
	first, err := l.widened(u, q, nil)
	if err != nil {
		return nil, err
	}
	if !l.ids.ambiguous() && !l.others.isNew(tick()) || first.asked == q && !l.company() {
		return append(dst, first.values...), nil
	}
	at, reads := l.at, []wideRead{first}
	for len(reads) < agreeTries {
		next, err := l.widened(u, q, reads)
		switch {
		case err != nil:
			return nil, err
		case slices.ContainsFunc(reads, func(r wideRead) bool { return l.agree(q, r, next) }):
			return append(dst, next.values...), nil
		case l.others.losses == losses && l.distinct(first.asked) && l.distinct(next.asked):
			l.at = at
			return append(dst, first.values...), nil
		}
		if reads = append(reads, next); next.asked == q {
			break // plain reads are equal, so a third read would not show which one is right
		}
	}
	l.tally.count(int(u.id), func(a *account) { a.Ambiguous++ })
	return nil, errDisagree
}

// agree reports whether two reads have the same values of q, and no reply of the first one's length has come since.
func (l *Line) agree(q ask, first, next wideRead) bool {
	if first.asked == q && l.doubts(q) || first.asked != q && l.others.has(first.asked.shape(), tick()) {
		return false
	}
	return slices.Equal(first.values, next.values)
}

// distinct reports whether the answer to a widened read has a length that the other program does not use, as far as was
// seen.
func (l *Line) distinct(q ask) bool {
	return isDisguise(q.shape()) && !l.others.has(q.shape(), tick()) && !l.others.mayDraw(tick())
}

// isDisguise reports whether widened reads use this shape, if the device allows it.
func isDisguise(s shape) bool { return s.count >= disguiseLeast && s.count%2 == 1 }

// widened reads the registers of q, with another length than the reads before. If the device refuses all these lengths,
// widened sends the plain read, unless the other program uses this read too.
func (l *Line) widened(u *unit, q ask, before []wideRead) (wideRead, error) {
	front := rand.IntN(2) == 0
	plain := slices.ContainsFunc(before, func(r wideRead) bool { return r.asked == q })
	for try := 0; try < disguiseTries && !plain; try++ {
		wide := l.disguise(u, q, before, front)
		if wide == q {
			break
		}
		values, err := u.values(nil, wide)
		switch {
		case err == nil:
			return wideRead{wide, values[q.addr-wide.addr:][:q.count]}, nil
		case !isRefusal(err):
			return wideRead{}, err
		}
		front = !front
	}
	if l.doubts(q) {
		return wideRead{}, fmt.Errorf("%w: no length is left that differs from those of the other program", ErrShared)
	}
	values, err := u.values(nil, q)
	return wideRead{q, values}, err
}

// disguise widens a read to a length that neither the other program nor an earlier read has used, so that none of their
// replies looks like the answer. If there is no such length, it returns the wanted read. With front the additional
// registers are before the wanted ones, if there are any.
func (l *Line) disguise(u *unit, q ask, before []wideRead, front bool) ask {
	for choice := disguiseMore; choice < 5*disguiseMore; choice++ {
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
		case l.others.has(wide.shape(), tick()), u.trust.find(wide.shape()) != nil:
		case slices.ContainsFunc(before, func(r wideRead) bool { return r.asked.shape() == wide.shape() }):
		default:
			return wide
		}
	}
	return q
}

// probes lists the requests that can bring the unit in step before want, the most reliable first. None has the shape of
// want: if its reply came twice, it would be taken for the data. If another program is there, probes lists only shapes
// that the program does not use, if the unit allows any.
func (l *Line) probes(u *unit, want ask) []ask {
	widest := uint16(0)
	if len(l.others.seen) > 0 {
		widest = u.mostOf(FuncReadInput)
	}
	list := slices.DeleteFunc(candidates(want, u.good, u.proofs(), widest), func(c ask) bool {
		return c.shape() == want.shape() || c.count >= disguiseLeast && u.avoids(c)
	})
	used := func(c ask) bool { return l.others.has(c.shape(), tick()) }
	if rare := slices.DeleteFunc(slices.Clone(list), used); widest > 0 && len(rare) > 0 {
		return rare
	}
	return list
}

// wider returns the length of a widened read, in the units of a shape. If a device gives only few registers at a time,
// wider uses any length that the device can give: other programs use these lengths more often, but they are better than
// the wanted length.
func (u *unit) wider(count uint16, draw int) uint16 {
	odd := (max(count+3, disguiseLeast) | 1) + 2*uint16(draw)
	if u.most == 0 || odd <= u.most {
		return odd
	}
	return count + 1 + uint16(draw)%max(1, max(u.most, count+1)-count)
}

// isRefusal reports whether a device refuses the registers, or their number.
func isRefusal(err error) bool {
	var e *Exception
	return errors.As(err, &e) && (e.Code == 0x02 || e.Code == 0x03)
}

// SetLimits limits the reads of a unit that include more than the requested registers: at most so many registers in one
// read (0: the protocol's most), and never those to avoid. Such reads are probes, and widened reads while another
// program uses the gateway.
func (l *Line) SetLimits(unit byte, most uint16, avoid []Range) {
	u := l.unit(unit)
	u.most, u.avoid = most, avoid
}
