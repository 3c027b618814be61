package modbus

import (
	"slices"
	"time"
)

// trust keeps, for one unit, the requests in doubt: their replies may still come. The package comment has the argument:
// a slave answers in the order of the requests, so the reply to a request proves that no reply to an earlier request
// can come.
//
// These are in doubt:
//
//   - a request of ours that timed out, or whose reply was damaged or cut off
//   - after the port was opened, every unit, for one frame of unknown shape: a reply to the previous user of the line
//     may be on its way. Modbus TCP begins without doubt: its ids are random, so unit, function, byte count and id fit
//     only one request. After a reply with an unknown id, or a second reply with a known id, it is treated like a
//     serial line
//   - all units, after a foreign frame
//   - a unit, after each request of another master to it
//   - a unit whose reply equals, byte by byte, its reply before to another address: the frame may have been sent twice
//
// Doubt ends with the reply to a probe. If only identifications are unanswered, the wanted read is itself a probe. An
// unanswered probe may be sent again: its replies may be confused with one another, but are never read as values; one
// more probe, which was never sent before, settles them. Some units answer only reads of one length, and no probe. So
// on a serial line doubt also ends by time: half a minute after its timeout a reply is lost (lostAfter). After a failed
// exchange the line also stays silent until a late reply would have passed, so that the two do not collide.
type trust struct {
	// unknown is how many frames of unknown shape may be on their way: replies to the previous user of the line, or to
	// another master.
	unknown int
	// introduced: a first probe has been answered, by its own reply or by the unknown frame. At most the reply to
	// that probe may still come.
	introduced bool
	seq        uint64    // requests sent to the unit so far
	asked      time.Time // when the last request was sent
	mark       mark      // one of the earlier requests, for forget
	disturbed  time.Time // when the last frame came that makes unknown frames possible
	debts      []debt    // shapes of unanswered requests; a handful at most
	silent     int       // probes in a row without their reply
	mute       int       // probes in a row without any reply, right or wrong
	ignored    bool      // the last probe got no reply, and the probe before was answered
	// kind is the kind of probe that is sent first. It changes after probePatience probes in a row without a reply
	kind int
}

// debt is a shape with replies that may still come: replies to the requests number first to last.
type debt struct {
	shape
	first, last uint64
	probe       bool // sent only as a probe: its reply never becomes a value
}

// mark says that the request number seq was sent at a moment.
type mark struct {
	seq uint64
	at  time.Time
}

// unanswered notes that a probe got no reply of its own; timeout: no reply at all.
func (t *trust) unanswered(timeout bool) {
	t.ignored = timeout && t.silent == 0
	if t.mute++; !timeout {
		t.mute = 0
	}
	if t.silent++; t.silent%probePatience == 0 {
		t.kind++
	}
}

func (t *trust) find(s shape) *debt {
	for i := range t.debts {
		if t.debts[i].shape == s {
			return &t.debts[i]
		}
	}
	return nil
}

// clean reports whether nothing can be on its way.
func (t *trust) clean() bool { return t.unknown == 0 && len(t.debts) == 0 }

// ready reports whether a request of shape s may be sent. It may if no old reply can be on its way, or only the reply
// to the one probe that a new unit was sent, if that reply has another shape. A read may also be sent while only
// identifications are open: it is as good a probe as any. An exception that comes twice may settle more than it should,
// but an identification is never taken for a value.
func (t *trust) ready(s shape) bool {
	return t.clean() || t.introduced && !t.blocked(s) || isRead(s.function) && t.onlyIdentification()
}

// onlyIdentification reports whether all that can be on its way are answers to identifications.
func (t *trust) onlyIdentification() bool {
	return t.unknown == 0 && !slices.ContainsFunc(t.debts, func(d debt) bool { return isRead(d.function) })
}

// lostAfter is the time after its timeout, after which a reply on a serial line is lost. Controllers answer within
// seconds, and so do radios between. Without this limit, a unit that answers reads of one length only could never be
// brought into step.
const lostAfter = 30 * time.Second

// forget ends the doubt that is older than a moment: what was on its way then is lost. Requests that were sent since
// stay in doubt, for the same time to twice as long. Without this, a unit that answers all requests with exceptions
// could never be brought into step: an exception does not show which request it answers, so after a disturbance all
// probes stay in doubt.
func (t *trust) forget(before time.Time) {
	doubt := !t.clean()
	if t.disturbed.Before(before) {
		t.unknown = 0
	}
	if t.asked.Before(before) {
		t.settle(t.seq + 1)
	}
	if t.mark.at.Before(before) {
		t.settle(t.mark.seq + 1)
		t.mark = mark{t.seq, t.asked}
	}
	if doubt && t.clean() {
		t.introduced, t.silent, t.mute, t.ignored = false, 0, 0, false
	}
}

// blocked reports whether a reply of shape s could be the answer to something older.
func (t *trust) blocked(s shape) bool { return t.unknown > 0 || t.find(s) != nil }

// suspect notes that a frame that we did not ask for may be on its way.
func (t *trust) suspect(now time.Time) { t.unknown, t.disturbed = max(t.unknown, 1), now }

// maxUnknown limits the number of expected replies to another master. If that master sends requests without waiting for
// replies, the line cannot be used.
const maxUnknown = 3

// overheard notes a request of another master to this unit, whose reply will come.
func (t *trust) overheard(now time.Time) { t.unknown, t.disturbed = min(t.unknown+1, maxUnknown), now }

// owes reports whether a frame from this unit may be the reply to an unanswered request of ours.
func (t *trust) owes(frame []byte) bool {
	function := frame[1]
	for _, d := range t.debts {
		switch {
		case function == d.function|exceptionBit:
			return true
		case function == d.function && (!isRead(function) || int(frame[2]) == d.bytes()):
			return true
		}
	}
	return false
}

// sent notes a request: until a reply proves otherwise, its answer may come at any time up to lostAfter.
func (t *trust) sent(s shape, probe bool, now time.Time) {
	t.seq++
	t.introduced, t.asked = false, now
	if d := t.find(s); d != nil {
		d.last, d.probe = t.seq, d.probe && probe
		return
	}
	t.debts = append(t.debts, debt{shape: s, first: t.seq, last: t.seq, probe: probe})
}

// answered notes a reply of shape s. The oldest request of this shape, or a later one, has been answered. So everything
// sent before that oldest request is settled.
func (t *trust) answered(s shape) {
	t.silent, t.mute = 0, 0
	if t.unknown > 0 { // the reply may be one of the unknown frames; it proves no more than that
		t.unknown--
		t.introduced = t.unknown == 0 && len(t.debts) == 1 && t.debts[0].probe && t.debts[0].first == t.debts[0].last
		return
	}
	d := t.find(s)
	if d == nil {
		return
	}
	oldest, once := d.first, d.first == d.last
	if !once {
		d.first++ // one of them has been answered
	}
	t.settle(oldest)
	if once {
		t.remove(func(d debt) bool { return d.shape == s })
	}
}

// refused notes an exception of a function. It may answer any open request of that function.
func (t *trust) refused(function byte) {
	t.silent, t.mute = 0, 0
	if t.unknown > 0 {
		t.unknown--
		return
	}
	oldest, open := t.seq, 0
	for _, d := range t.debts {
		if d.function == function {
			oldest = min(oldest, d.first)
			open += 1 + int(min(d.last-d.first, 1))
		}
	}
	t.settle(oldest)
	if open == 1 {
		t.remove(func(d debt) bool { return d.function == function })
	}
}

// settle drops what was asked before request number oldest.
func (t *trust) settle(oldest uint64) {
	t.remove(func(d debt) bool { return d.last < oldest })
	for i := range t.debts {
		t.debts[i].first = max(t.debts[i].first, oldest)
	}
}

func (t *trust) remove(gone func(debt) bool) {
	kept := t.debts[:0]
	for _, d := range t.debts {
		if !gone(d) {
			kept = append(kept, d)
		}
	}
	t.debts = kept
}

const (
	// maxProbes limits the probes of one exchange. Three are needed: a probe that is answered by an exception proves
	// nothing if a request of its function is in doubt. The third probe has a function for which this cannot be so.
	maxProbes = 3
	// probePatience is how often a probe may stay unanswered before the line tries the next kind: some slaves do not
	// refuse unknown requests, but ignore them.
	probePatience = 3
)

// probe returns the probe to send before a request of shape want: one of list, which has the most reliable first.
// proofs are requests that the unit has answered before. try counts the probes of this exchange from 0.
func (t *trust) probe(want shape, list, proofs []ask, try int) ask {
	if try > 0 { // the unit answers: a probe that was never sent before settles all older ones
		if again, ok := identifies(proofs); ok && t.ignored && again.shape() != want {
			t.ignored = try < maxProbes-1 // then a new probe follows
			return again
		}
		for _, c := range list {
			if t.find(c.shape()) == nil {
				return c
			}
		}
	}
	// The unit may be dead: the line sends always the same few probes, so that no list grows. An identification settles
	// at least one request, even if an identification is in doubt. This is enough if the unit ignores the reads.
	_, identified := identifies(proofs)
	usable := slices.DeleteFunc(slices.Clone(list), func(c ask) bool {
		return !t.proves(c.shape()) && !(c.function == FuncEncapsulated && (identified || t.mute >= probePatience))
	})
	if len(usable) == 0 {
		// A dozen probes were in doubt already when the last request failed, so many polls have failed in a row. Expect
		// only one frame of any shape from now on, so that the unit is not excluded for ever.
		*t = trust{unknown: 1, disturbed: t.asked, seq: t.seq, asked: t.asked, mark: t.mark,
			debts: t.debts[:0], kind: t.kind}
		return t.probe(want, list, proofs, 0)
	}
	kinds := min(len(usable), maxProbes)
	return usable[(t.kind+try)%kinds]
}

// identifies returns the identification, if it is a probe that was answered. In candidates it comes after the reads. So
// the unit did not answer those reads: it may lack a register of each, and of any read that was never tried. After such
// a read was ignored, the line sends the identification again. Each answer settles more requests, and a read may be
// sent as soon as only identifications are in doubt.
func identifies(proofs []ask) (ask, bool) {
	i := slices.IndexFunc(proofs, func(c ask) bool { return c.function == FuncEncapsulated })
	if i < 0 {
		return ask{}, false
	}
	return proofs[i], true
}

// proves reports whether a reply to a request of shape c, sent now, settles all requests that were no probes.
func (t *trust) proves(c shape) bool {
	d := t.find(c)
	if d == nil {
		return true
	}
	for _, other := range t.debts {
		if !other.probe && d.first <= other.last {
			return false
		}
	}
	return d.probe
}

const (
	// shortRead is the largest number of registers of a read that is kept as a probe: all other units wait during a
	// probe.
	shortRead = 2
	// keptShort is the number of reads kept. The third kind of probe is always a read next to the wanted registers: the
	// unit may be another device by now, which does not answer the reads that the old device answered.
	keptShort = maxProbes - 1
)

// keep notes a read that was answered with registers.
func (u *unit) keep(q ask) {
	u.good = q
	if !ofRegisters(q.function) || q.count > shortRead {
		return
	}
	u.short = remember(u.short, q)
}

// proved notes a probe that was answered. The unit may lack registers next to the ones it has, and may ignore a probe
// that includes them. So this probe comes before any probe that was not tried.
func (u *unit) proved(q ask) { u.probed, u.trust.kind = remember(u.probed, q), 0 }

// remember puts a request at the begin of a list, and removes an older one of the same shape.
func remember(list []ask, q ask) []ask {
	list = slices.DeleteFunc(list, func(old ask) bool { return old.shape() == q.shape() })
	return append([]ask{q}, list[:min(len(list), keptShort-1)]...)
}

// proofs returns the probes that the unit has answered, the best first. The identification is longer than a read. It
// comes before untried reads only if the unit has ignored an untried read.
func (u *unit) proofs() []ask {
	list := append(slices.Clone(u.short), u.probed...)
	if u.picky && u.named != (ask{}) && !slices.Contains(list, u.named) {
		list = append(list, u.named)
	}
	return list
}

// drop removes a request that got no reply as a probe.
func (u *unit) drop(q ask) {
	if u.picky = u.picky || q != u.named; q == u.named {
		u.named = ask{}
	}
	u.short = slices.DeleteFunc(u.short, func(old ask) bool { return old == q })
	u.probed = slices.DeleteFunc(u.probed, func(old ask) bool { return old == q })
}

// candidates lists probes for want, the most reliable first:
//
//   - requests that the unit answered before: it has those registers, and may ignore reads of others
//   - one or two registers at the address of want
//   - the same in the other register table, which has other exceptions
//   - the identification, which is longer
//   - lengths that are rarely needed
//
// For bits and for an identification, the address is that of the last answered read of registers. widest adds lengths
// up to widest that hardly any program uses; 0: none.
func candidates(want, good ask, short []ask, widest uint16) []ask {
	base := want
	if !ofRegisters(want.function) {
		base = ask{unit: want.unit, function: FuncReadInput, count: 1}
		if ofRegisters(good.function) {
			base = good
		}
	}
	other := byte(FuncReadHolding)
	if base.function == other {
		other = FuncReadInput
	}
	list := append(make([]ask, 0, 12+len(short)), short...)
	read := func(function byte, from, to uint16) {
		for n := from; n <= to && int(base.addr)+int(n) <= 0x10000; n++ {
			list = append(list, ask{unit: want.unit, function: function, addr: base.addr, count: n})
		}
	}
	read(base.function, 1, 2)
	read(other, 1, 1)
	list = append(list, ask{unit: want.unit, function: FuncEncapsulated})
	read(base.function, 3, 6)
	read(other, 2, 4)
	for n := uint16(widenLeast); n <= min(widest, widenLeast+4*widenMore); n += 2 {
		read(base.function, n, n)
	}
	return list
}

// probes lists the requests that can bring the unit in step before want, the most reliable first. None has the shape of
// want: if its reply came twice, it would be taken for the data. If another program is there, probes lists only shapes
// that the program does not use, if the unit allows any.
func (u *unit) probes(want ask, o *others, now time.Time) []ask {
	widest := uint16(0)
	if len(o.seen) > 0 {
		widest = u.mostOf(FuncReadInput)
	}
	list := slices.DeleteFunc(candidates(want, u.good, u.proofs(), widest), func(c ask) bool {
		return c.shape() == want.shape() || c.count >= widenLeast && u.avoids(c)
	})
	used := func(c ask) bool { return o.has(c.shape(), now) }
	if rare := slices.DeleteFunc(slices.Clone(list), used); widest > 0 && len(rare) > 0 {
		return rare
	}
	return list
}
