package modbus

import (
	"cmp"
	"slices"
	"time"
)

// Span is the registers, or the bits, of one object.
type Span struct {
	Function byte   // one of the four read functions
	Addr     uint16 // the first register or bit
	Count    uint16 // number of registers or bits, at least 1
}

// Words returns the number of registers with as many bits on the wire, rounded up.
func (s Span) Words() uint16 {
	if ofBits(s.Function) {
		return (s.Count + 15) / 16
	}
	return s.Count
}

// end returns the address after the last register.
func (s Span) end() int { return int(s.Addr) + int(s.Count) }

// Read is one request of a plan.
type Read struct {
	Span
	Members []int // indexes of the spans that it serves, ascending by address
}

// Limits of a plan. The zero value merges only adjacent objects, up to 125 registers.
type Limits struct {
	MaxRegisters uint16  // most registers in one read; 0: 125, the protocol's most
	MaxGap       int     // most unused registers between two objects in one read; see MaxGap
	Avoid        []Range // registers that no read may include, because the slave does not have them
	MaxBits      int     // most bits in one read; 0: 2000, the protocol's most
	AvoidBits    []Range // bits that no read may include
}

// most returns the most that a function reads at once.
func (lim Limits) most(function byte) int {
	if ofBits(function) {
		return lim.MaxBits
	}
	return int(lim.MaxRegisters)
}

// MaxGap returns the largest gap, in registers, that costs no more bus time than another request: RequestTime, compared
// with two characters per register.
func MaxGap(s Settings, turnaround time.Duration) int {
	return int(RequestTime(s, turnaround) / s.WireTime(2))
}

// Plan returns the reads that serve all spans with the least bus time, ascending by function and address. Every span is
// in exactly one read, whole; no read mixes functions or exceeds MaxRegisters. A single span that is longer than that
// becomes a read of its own, which the slave or Line.Read will refuse.
func Plan(spans []Span, lim Limits) []Read {
	if lim.MaxRegisters == 0 || lim.MaxRegisters > maxRegisters {
		lim.MaxRegisters = maxRegisters
	}
	if lim.MaxBits == 0 || lim.MaxBits > maxBits {
		lim.MaxBits = maxBits
	}
	order := make([]int, len(spans))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := spans[a], spans[b]
		return cmp.Or(cmp.Compare(x.Function, y.Function), cmp.Compare(x.Addr, y.Addr), cmp.Compare(y.Count, x.Count))
	})
	cuts := bestCuts(spans, order, lim)
	var plan []Read
	for from := 0; from < len(order); from = cuts[from] {
		plan = append(plan, merge(spans, order[from:cuts[from]:cuts[from]]))
	}
	return plan
}

// bestCuts returns for each position of order the end of the read that starts there, so that all reads together cost
// least. It works backwards, so the best cuts of the following positions are known. This takes n² steps for n objects;
// n is a few hundred at most.
func bestCuts(spans []Span, order []int, lim Limits) []int {
	// Costs are in bits on the wire; a register has 16. A request costs MaxGap registers and a half, so a gap of
	// exactly MaxGap is included in a read.
	request := 16*max(lim.MaxGap, 0) + 8
	cost := make([]int, len(order)+1)
	cuts := make([]int, len(order))
	for from := len(order) - 1; from >= 0; from-- {
		start := spans[order[from]]
		end := start.end()
		size := 16
		if ofBits(start.Function) {
			size = 1
		}
		cuts[from], cost[from] = from+1, request+size*int(start.Count)+cost[from+1]
		for next := from + 1; next < len(order); next++ {
			s := spans[order[next]]
			avoided := lim.avoids(s.Function, end, int(s.Addr))
			end = max(end, s.end())
			length := end - int(start.Addr)
			if s.Function != start.Function || length > lim.most(s.Function) || avoided {
				break
			}
			if c := request + size*length + cost[next+1]; c <= cost[from] && !ambiguous(s.Function, uint16(length)) {
				cuts[from], cost[from] = next+1, c
			}
		}
	}
	return cuts
}

// avoids reports whether the range from from up to, but not including, to has a register or bit to avoid.
func (lim Limits) avoids(function byte, from, to int) bool {
	avoid := lim.Avoid
	if ofBits(function) {
		avoid = lim.AvoidBits
	}
	return slices.ContainsFunc(avoid, func(r Range) bool { return int(r.First) < to && int(r.Last) >= from })
}

// merge returns the read that covers the spans in order[i].
func merge(spans []Span, members []int) Read {
	read := Read{Span: spans[members[0]], Members: members}
	end := read.end()
	for _, i := range members[1:] {
		end = max(end, spans[i].end())
	}
	read.Count = uint16(end - int(read.Addr))
	return read
}
