package modbus

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// RequestTime returns the bus time of a request without its registers: 8 characters out, 5 back, t3.5 before it, and
// the slave's turnaround. Turnaround 0 means not measured, and counts as t3.5: a slave needs this time to detect the
// end of the request.
func RequestTime(s Settings, turnaround time.Duration) time.Duration {
	if turnaround <= 0 {
		turnaround = s.Silence()
	}
	return s.WireTime(8+5) + s.Silence() + turnaround
}

// ReadTime returns the bus time of a read of count registers: RequestTime and two characters a register.
func ReadTime(s Settings, turnaround time.Duration, count uint16) time.Duration {
	return RequestTime(s, turnaround) + s.WireTime(2*int(count))
}

// Range is the registers from First to Last, both included.
type Range struct{ First, Last uint16 }

// String returns "0x0002-0x0003", or "0x0010" for a single register.
func (r Range) String() string {
	if r.First == r.Last {
		return fmt.Sprintf("0x%04X", r.First)
	}
	return fmt.Sprintf("0x%04X-0x%04X", r.First, r.Last)
}

// Planner plans the reads of one slave and learns from its refusals: which registers between objects the slave does not
// have, and how many it gives in one read. One goroutine owns it.
//
// If a slave does not answer a long read, either the read is too long or the slave lacks one of the registers. So the
// read is split. If both halves are answered, the cause is the gap between them or the length. The length is not the
// cause if a read of this length has worked. Otherwise the gap alone is read once (Tests), and the answer decides.
type Planner struct {
	settings   Settings
	turnaround time.Duration
	most       uint16  // given: by configuration or family
	avoid      []Range // given
	illegal    []Span  // learnt: registers or bits of one table that the slave lacks
	registers  lengths
	bits       lengths
	splits     []split
	tests      []Span // reads that no object needs: gaps, and the reads of Retest
	blamed     []Span // reads without an answer from which limits were learnt; Retest repeats them
}

// maxBlamed limits the number of reads that Retest repeats. A slave has a few dozen limits at most.
const maxBlamed = 64

// lengths has what the planner has learnt about the possible length of reads, in registers; bits count as Span.Words.
type lengths struct {
	longest uint16 // that was answered
	tooLong uint16 // the shortest one known to be too long; 0: none
}

// of returns the lengths of the reads of a function.
func (p *Planner) of(function byte) *lengths {
	if ofBits(function) {
		return &p.bits
	}
	return &p.registers
}

// most returns the longest read to send: the given limit. While the planner looks for the slave's own limit, it is the
// middle between the longest read that worked and the shortest that did not.
func (l lengths) most(given uint16) uint16 {
	switch {
	case l.tooLong == 0:
		return given
	case l.tooLong-l.longest < 2:
		return max(1, l.longest)
	default:
		return l.longest + (l.tooLong-l.longest)/2
	}
}

// split is a refused read, and its parts.
type split struct {
	whole, left, right Span
	leftOK, rightOK    bool
}

// gap returns the registers between the parts; Count is 0 if there are none.
func (s split) gap() Span {
	from := s.left.end()
	return Span{Function: s.whole.Function, Addr: uint16(from), Count: uint16(max(0, int(s.right.Addr)-from))}
}

// NewPlanner returns a planner for a slave that takes at most so many registers in one read (0: 125). avoid are
// registers that no read may include.
func NewPlanner(s Settings, most uint16, avoid []Range) *Planner {
	if most == 0 || most > maxRegisters {
		most = maxRegisters
	}
	return &Planner{settings: s, most: most, avoid: avoid}
}

// Measured notes the slave's turnaround: for a slower slave it is cheaper to include wider gaps.
func (p *Planner) Measured(turnaround time.Duration) { p.turnaround = turnaround }

// Plan returns the reads for the spans with the least bus time, within the known limits of the slave.
func (p *Planner) Plan(spans []Span) []Read {
	return Plan(spans, Limits{
		MaxRegisters: p.MaxRegisters(), MaxGap: MaxGap(p.settings, p.turnaround), Avoid: p.avoids(),
		MaxBits: 16 * int(p.bits.most(p.most)), AvoidBits: p.lacks(ofBits),
	})
}

// avoids returns the registers that no read may include, given and learnt. It does not distinguish the two tables of
// registers: a register that one table lacks is seldom in the other. Bits have their own addresses.
func (p *Planner) avoids() []Range { return append(slices.Clone(p.avoid), p.lacks(ofRegisters)...) }

// lacks returns what was learnt to be illegal.
func (p *Planner) lacks(of func(function byte) bool) (ranges []Range) {
	for _, s := range p.illegal {
		if of(s.Function) {
			ranges = append(ranges, Range{s.Addr, uint16(s.end() - 1)})
		}
	}
	return ranges
}

// MaxRegisters returns the most registers in one read: the given limit, or the learnt one.
func (p *Planner) MaxRegisters() uint16 { return p.registers.most(p.most) }

// Answered notes that a read was answered with registers: none of them is illegal.
func (p *Planner) Answered(s Span) {
	l := p.of(s.Function)
	l.longest = max(l.longest, s.Words())
	if l.tooLong != 0 && l.tooLong <= l.longest { // the slave gave more than the learnt limit
		l.tooLong = 0
	}
	p.tests = slices.DeleteFunc(p.tests, func(gap Span) bool {
		if gap != s {
			return false
		}
		p.concludeLength(gap)
		return true
	})
	p.illegal = slices.DeleteFunc(p.illegal, func(gap Span) bool {
		return gap.Function == s.Function && gap.Addr >= s.Addr && gap.end() <= s.end()
	})
	p.blamed = slices.DeleteFunc(p.blamed, func(whole Span) bool {
		return whole.Function == s.Function && whole.Addr >= s.Addr && whole.end() <= s.end()
	})
	for i := range p.splits {
		p.splits[i].leftOK = p.splits[i].leftOK || p.splits[i].left == s
		p.splits[i].rightOK = p.splits[i].rightOK || p.splits[i].right == s
	}
	p.splits = slices.DeleteFunc(p.splits, p.conclude)
}

// Refused notes the proof that the slave does not answer a read, and returns two parts of the read to send instead. It
// returns none for the read of a single object, or for a test: the slave then does not have it. The caller must have
// the proof, because an exception or silence may have a passing cause. Without proof use Split.
func (p *Planner) Refused(r Read, spans []Span) []Read {
	if i := slices.Index(p.tests, r.Span); i >= 0 && len(r.Members) == 0 {
		p.tests = slices.Delete(p.tests, i, i+1) // the register stays illegal; there is no more to learn
		p.splits = slices.DeleteFunc(p.splits, func(s split) bool { return s.leftOK && s.rightOK && s.gap() == r.Span })
		return nil
	}
	// A refused part explains why the whole read was refused.
	p.splits = slices.DeleteFunc(p.splits, func(s split) bool { return s.left == r.Span || s.right == r.Span })
	parts := p.Split(r, spans)
	if len(parts) == 0 {
		return nil
	}
	// its parts were never both answered
	p.splits = slices.DeleteFunc(p.splits, func(s split) bool { return s.whole == r.Span })
	p.splits = append(p.splits, split{whole: r.Span, left: parts[0].Span, right: parts[1].Span})
	return parts
}

// Split divides a read into two and learns nothing. It returns none if all members have the same registers.
func (p *Planner) Split(r Read, spans []Span) []Read {
	members, others := p.parts(r, spans)
	if len(members) == 0 || len(others) == 0 {
		return nil
	}
	return []Read{merge(spans, members), merge(spans, others)}
}

// parts divides the members of a read. Objects that depend on common registers overlap, so there may be no register
// between them. Such members are divided by their ends, then by their begins. The result is empty if all have the same
// registers.
func (p *Planner) parts(r Read, spans []Span) (members, others []int) {
	if at := p.cut(r, spans); at > 0 {
		return r.Members[:at:at], r.Members[at:]
	}
	for _, place := range []func(Span) int{Span.end, func(s Span) int { return int(s.Addr) }} {
		places := make([]int, len(r.Members))
		for i, m := range r.Members {
			places[i] = place(spans[m])
		}
		slices.Sort(places)
		pivot := places[len(places)/2]
		if i := slices.IndexFunc(places, func(at int) bool { return at > places[0] }); pivot == places[0] && i > 0 {
			pivot = places[i]
		}
		for _, m := range r.Members {
			if place(spans[m]) < pivot {
				members = append(members, m)
			} else {
				others = append(others, m)
			}
		}
		if len(members) > 0 {
			return members, others
		}
		others = nil
	}
	return nil, nil
}

// cut returns before which member to split: at the gap that is next to the middle, or in the middle. 0 when the
// members overlap from one end to the other.
func (p *Planner) cut(r Read, spans []Span) int {
	best, at := 0, 0
	end := spans[r.Members[0]].end()
	for i, m := range r.Members[1:] {
		s := spans[m]
		distance := 2*int(s.Addr) - 2*int(r.Addr) - int(r.Count)
		score := 1<<17 - max(distance, -distance)
		if int(s.Addr) > end {
			score += 1 << 18
		}
		if int(s.Addr) >= end && score > best { // never through an object
			best, at = score, i+1
		}
		end = max(end, s.end())
	}
	return at
}

// conclude learns from a split when both its parts are answered. It reports whether the split is finished.
func (p *Planner) conclude(s split) bool {
	if !s.leftOK || !s.rightOK {
		return false
	}
	if len(p.blamed) < maxBlamed && !slices.Contains(p.blamed, s.whole) {
		p.blamed = append(p.blamed, s.whole)
	}
	gap := s.gap()
	if gap.Count == 0 {
		p.foundTooLong(s.whole)
		return true
	}
	if !slices.Contains(p.illegal, gap) {
		p.illegal = append(p.illegal, gap)
	}
	if s.whole.Words() <= p.of(s.whole.Function).longest {
		return true
	}
	if !slices.Contains(p.tests, gap) {
		p.tests = append(p.tests, gap)
	}
	return false // until the test shows it
}

// concludeLength notes that a gap is legal, so that the read over it was too long.
func (p *Planner) concludeLength(gap Span) {
	for _, s := range p.splits {
		if s.leftOK && s.rightOK && s.gap() == gap {
			p.foundTooLong(s.whole)
		}
	}
	p.splits = slices.DeleteFunc(p.splits, func(s split) bool { return s.leftOK && s.rightOK && s.gap() == gap })
}

func (p *Planner) foundTooLong(s Span) {
	l, count := p.of(s.Function), s.Words()
	if count > l.longest && (l.tooLong == 0 || count < l.tooLong) {
		l.tooLong = count
	}
}

// Tests returns reads that no object needs, but that check the learnt limits. Send each once, when there is time.
func (p *Planner) Tests() []Read {
	reads := make([]Read, len(p.tests))
	for i, s := range p.tests {
		reads[i] = Read{Span: s}
	}
	return reads
}

// Retest puts the learnt limits in doubt: Tests returns the reads that taught them, and a limit is forgotten if its
// read is answered.
func (p *Planner) Retest() {
	for _, whole := range p.blamed {
		if !slices.Contains(p.tests, whole) {
			p.tests = append(p.tests, whole)
		}
	}
}

// Forget drops all learnt limits, for example when another controller answers.
func (p *Planner) Forget() {
	p.illegal, p.registers, p.bits, p.splits, p.tests, p.blamed = nil, lengths{}, lengths{}, nil, nil, nil
}

// Learnt returns the learnt limits as YAML for the slave in the configuration; empty: none.
func (p *Planner) Learnt() string {
	var b strings.Builder
	if p.registers.tooLong != 0 {
		fmt.Fprintf(&b, "max_registers: %d\n", p.registers.longest)
	}
	if ranges := p.avoids(); len(ranges) > len(p.avoid) {
		words := make([]string, len(ranges))
		for i, r := range ranges {
			words[i] = r.String()
		}
		slices.Sort(words)
		fmt.Fprintf(&b, "avoid: [%s]\n", strings.Join(slices.Compact(words), ", "))
	}
	return b.String()
}
