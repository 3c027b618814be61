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
	// disguiseLeast is the least length of a widened read. It is odd and above what most programs ask for at a time,
	// since their lengths are even or small.
	disguiseLeast = 11
	// disguiseMore is how many odd lengths from there on there are to choose from.
	disguiseMore = 12
	// disguiseTries is how many lengths a device may refuse before it is asked for what is wanted.
	disguiseTries = 3
	// agreeTries is how many reads there are at most to find two that agree: a register may change between two of them.
	agreeTries = 3
)

// errAware: another program was noticed before the request went out.
var errAware = errors.New("another program was noticed")

// errDisagree: no two reads have the same values.
var errDisagree = fmt.Errorf("%w: two reads of different lengths do not agree", ErrShared)

// company reports whether another program gets replies through the gateway, or did so lately.
func (l *Line) company() bool { return l.others.near(l.tick()) }

// doubts reports whether an answer to q may be another program's.
func (l *Line) doubts(q ask) bool {
	return l.ambiguous() && l.others.live(l.tick()) && l.others.has(q.shape(), l.tick())
}

// early reports whether the line has no ids, and was opened so shortly ago that another program may not have been seen
// yet.
func (l *Line) early() bool {
	return l.network && (l.tcp == nil || l.tcp.loose) && l.tick().Sub(l.attached) < othersLeast
}

// unshared reads what q asks while no other program is known to get replies through the gateway; errAware when one is.
func (l *Line) unshared(dst []uint16, u *unit, q ask) ([]uint16, error) {
	if l.company() || l.early() {
		return nil, errAware
	}
	l.unaware = true
	defer func() { l.unaware = false }()
	return l.values(dst, u, q)
}

// wideRead is a read and the wanted values in its answer.
type wideRead struct {
	asked  ask
	values []uint16
}

// shared reads what q asks where another program may get replies through the gateway. The read is widened to a length
// that the other program was not seen to use. Where no id distinguishes the replies there are two such reads, of
// different lengths.
//
// If another program's reply is taken for the first answer, the right answer comes as one too many, before the second
// answer. So a read whose length then comes once more does not count. Of a program that may use the lengths of widened
// reads, or is new, the two reads must have the same values too: then it would have to meet both lengths, and both
// answers be lost.
func (l *Line) shared(dst []uint16, u *unit, q ask) ([]uint16, error) {
	losses := l.others.losses
	first, err := l.widened(u, q, nil)
	if err != nil {
		return nil, err
	}
	if !l.ambiguous() && !l.others.isNew(l.tick()) || first.asked == q && !l.company() {
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
			break // plain reads are alike, so a third one would not show which of two is right
		}
	}
	l.tally.count(int(u.id), func(a *account) { a.Ambiguous++ })
	return nil, errDisagree
}

// agree reports whether two reads have the same values of q, and no reply of the first one's length has come since.
func (l *Line) agree(q ask, first, next wideRead) bool {
	if first.asked == q && l.doubts(q) || first.asked != q && l.others.has(first.asked.shape(), l.tick()) {
		return false
	}
	return slices.Equal(first.values, next.values)
}

// distinct reports whether the answer to a widened read has a length that the other program does not use, as far as was
// seen.
func (l *Line) distinct(q ask) bool {
	return isDisguise(q.shape()) && !l.others.has(q.shape(), l.tick()) && !l.others.mayDraw(l.tick())
}

// isDisguise reports whether a shape is one of those that widened reads are given where the device allows it.
func isDisguise(s shape) bool { return s.count >= disguiseLeast && s.count%2 == 1 }

// widened reads what q asks, in another length than the reads before it. When the device refuses all lengths that are
// tried it is asked plainly, unless the other program asks the same.
func (l *Line) widened(u *unit, q ask, before []wideRead) (wideRead, error) {
	front := rand.IntN(2) == 0
	plain := slices.ContainsFunc(before, func(r wideRead) bool { return r.asked == q })
	for try := 0; try < disguiseTries && !plain; try++ {
		wide := l.disguise(u, q, before, front)
		if wide == q {
			break
		}
		values, err := l.values(nil, u, wide)
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
	values, err := l.values(nil, u, q)
	return wideRead{q, values}, err
}

// disguise widens a read to a length that the other program was not seen to ask for, nor a read before it had, so that
// none of their replies can be taken for the answer. It returns the wanted read where no other length can be had. front
// takes the other registers from before the wanted ones, where there are any.
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
		case l.others.has(wide.shape(), l.tick()), u.trust.find(wide.shape()) != nil:
		case slices.ContainsFunc(before, func(r wideRead) bool { return r.asked.shape() == wide.shape() }):
		default:
			return wide
		}
	}
	return q
}

// probes lists what may be asked before want to bring the unit in step, the surest first. Never of the shape that is
// wanted: a probe's reply that came twice would be taken for the data. Beside another program, only shapes that it does
// not use, where the unit allows any.
func (l *Line) probes(u *unit, want ask) []ask {
	widest := uint16(0)
	if len(l.others.seen) > 0 {
		widest = u.mostOf(FuncReadInput)
	}
	list := slices.DeleteFunc(candidates(want, u.good, u.proofs(), widest), func(c ask) bool {
		return c.shape() == want.shape() || c.count >= disguiseLeast && u.avoids(c)
	})
	used := func(c ask) bool { return l.others.has(c.shape(), l.tick()) }
	if rare := slices.DeleteFunc(slices.Clone(list), used); widest > 0 && len(rare) > 0 {
		return rare
	}
	return list
}

// mostOf returns the most that the unit may be asked for at once.
func (u *unit) mostOf(function byte) uint16 {
	if u.most > 0 && ofRegisters(function) {
		return min(u.most, most(function))
	}
	return most(function)
}

// wider returns the length of a widened read, in the units of a shape. A device that gives few registers at a time gets
// any length that it can give: those are less rare, but better than the wanted one.
func (u *unit) wider(count uint16, draw int) uint16 {
	odd := (max(count+3, disguiseLeast) | 1) + 2*uint16(draw)
	if u.most == 0 || odd <= u.most {
		return odd
	}
	return count + 1 + uint16(draw)%max(1, max(u.most, count+1)-count)
}

// isRefusal reports whether a device does not know the registers, or not so many.
func isRefusal(err error) bool {
	var e *Exception
	return errors.As(err, &e) && (e.Code == 0x02 || e.Code == 0x03)
}

// avoids reports whether a read touches registers that must not be read.
func (u *unit) avoids(q ask) bool {
	for _, r := range u.avoid {
		if int(q.addr) <= int(r.Last) && int(r.First) < int(q.addr)+int(q.count) {
			return true
		}
	}
	return false
}

// SetLimits limits the reads of a unit that include more than the requested registers: at most so many registers in one
// read (0: the protocol's most), and never those to avoid. Such reads are probes, and widened reads while another
// program uses the gateway.
func (l *Line) SetLimits(unit byte, most uint16, avoid []Range) {
	u := l.unit(unit)
	u.most, u.avoid = most, avoid
}
