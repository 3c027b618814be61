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
	// widenLeast is the shortest length of a widened read. Most programs read other lengths: even ones, or short
	// ones.
	widenLeast = 11
	// widenMore is the number of odd lengths, from widenLeast on, from which a widened read chooses.
	widenMore = 12
	// widenTries is how many lengths a device may refuse before the line sends the plain read.
	widenTries = 3
	// agreeTries is the highest number of reads to find two that agree: a register may change between two reads.
	agreeTries = 3
)

// errAware: another program was noticed before the request went out.
var errAware = errors.New("another program was noticed")

// errDisagree: no two reads have the same values.
var errDisagree = fmt.Errorf("%w: two reads of different lengths do not agree", ErrShared)

// rivalNear reports whether another program gets replies through the gateway, or got some recently.
func (l *Line) rivalNear() bool { return l.others.near(tick()) }

// doubts reports whether an answer to q may be for another program.
func (l *Line) doubts(q ask) bool {
	return l.ids.ambiguous() && l.others.use(q.shape(), tick())
}

// early reports whether the line has no ids, and was opened recently, so that another program may be there unseen.
func (l *Line) early() bool {
	return l.network && !l.ids.strict && tick().Sub(l.attached) < othersLeast
}

// unshared reads the registers of q while no other program is known on the gateway. It fails with errAware if one is
// known.
func (l *Line) unshared(dst []uint16, u *unit, q ask) ([]uint16, error) {
	if l.rivalNear() || l.early() {
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
	if !l.ids.ambiguous() && !l.others.isNew(tick()) || first.asked == q && !l.rivalNear() {
		return append(dst, first.values...), nil
	}
	at, reads := l.at, []wideRead{first}
	for len(reads) < agreeTries {
		next, err := l.widened(u, q, reads)
		switch {
		case err != nil:
			return nil, err
		case slices.ContainsFunc(reads, func(r wideRead) bool {
			return l.others.agree(q, r, next, l.doubts(q), tick())
		}):
			return append(dst, next.values...), nil
		case l.others.losses == losses && l.others.spare(first.asked, tick()) &&
			l.others.spare(next.asked, tick()):
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

// widened reads the registers of q, with another length than the reads before. If the device refuses all these lengths,
// widened sends the plain read, unless the other program uses this read too.
func (l *Line) widened(u *unit, q ask, before []wideRead) (wideRead, error) {
	front := rand.IntN(2) == 0
	plain := slices.ContainsFunc(before, func(r wideRead) bool { return r.asked == q })
	for try := 0; try < widenTries && !plain; try++ {
		wide := l.others.widen(u, q, before, front, tick())
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
