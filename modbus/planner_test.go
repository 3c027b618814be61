package modbus_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"noi-agent/modbus"
)

// refuser is a slave that lacks some registers and limits the number of registers in a read.
type refuser struct {
	most    uint16
	lacks   []modbus.Range
	refused int // refused reads, without those of single objects
}

func (f *refuser) answers(s modbus.Span) bool {
	if s.Count > f.most {
		return false
	}
	return !slices.ContainsFunc(f.lacks, func(r modbus.Range) bool {
		return r.First < s.Addr+s.Count && r.Last >= s.Addr
	})
}

// sweep reads the spans as the agent does, and returns for each whether it was answered.
func (f *refuser) sweep(p *modbus.Planner, spans []modbus.Span) []bool {
	got := make([]bool, len(spans))
	todo := p.Plan(spans)
	for len(todo) > 0 {
		r := todo[0]
		todo = todo[1:]
		if f.answers(r.Span) {
			p.Answered(r.Span)
			for _, m := range r.Members {
				got[m] = true
			}
			continue
		}
		if len(r.Members) > 1 {
			f.refused++
		}
		todo = append(p.Refused(r, spans), todo...)
	}
	for _, r := range p.Tests() {
		if f.answers(r.Span) {
			p.Answered(r.Span)
		} else {
			p.Refused(r, spans)
		}
	}
	return got
}

func busTime(plan []modbus.Read) (total time.Duration) {
	for _, r := range plan {
		total += modbus.ReadTime(modbus.Settings{}, 0, r.Count)
	}
	return total
}

// TestPlannerLearnsWhatTheSlaveCannotDo: whatever the slave lacks, each object that it has is read in every sweep.
// After a few sweeps no read is refused, and the plan is as cheap as one made with this knowledge.
func TestPlannerLearnsWhatTheSlaveCannotDo(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 5))
	exact, slaves := 0, 500
	for range slaves {
		var spans []modbus.Span
		f := &refuser{most: uint16(2 + rng.IntN(60))}
		for at := uint16(0); len(spans) < 30; {
			count := uint16(1 + rng.IntN(2))
			spans = append(spans, spanOf(input, at, count))
			gap := uint16(rng.IntN(3) * rng.IntN(5))
			if gap > 0 && rng.IntN(3) == 0 {
				f.lacks = append(f.lacks, modbus.Range{First: at + count, Last: at + count + gap - 1})
			}
			at += count + gap
		}
		p := modbus.NewPlanner(modbus.Settings{}, 52, nil)
		for range 20 {
			if got := f.sweep(p, spans); slices.Contains(got, false) {
				t.Fatalf("an object was not read: %v of %v from %+v", got, spans, f)
			}
		}
		before := f.refused
		f.sweep(p, spans)
		if f.refused != before {
			t.Fatalf("after twenty sweeps reads are still refused: %v of %+v; learnt %q", p.Plan(spans), f, p.Learnt())
		}
		best := modbus.NewPlanner(modbus.Settings{}, min(52, f.most), f.lacks).Plan(spans)
		if busTime(p.Plan(spans)) <= busTime(best) {
			exact++
		}
	}
	if exact < slaves*9/10 {
		t.Errorf("only %d of %d plans are as cheap as they could be", exact, slaves)
	}
}

func TestPlannerSaysWhatItLearntAsYAML(t *testing.T) {
	spans := []modbus.Span{{input, 0, 1}, {input, 1, 1}, {input, 4, 2}}
	for addr := uint16(6); addr < 20; addr++ {
		spans = append(spans, spanOf(input, addr, 1))
	}
	f := &refuser{most: 8, lacks: []modbus.Range{{2, 3}}}
	p := modbus.NewPlanner(modbus.Settings{}, 52, nil)
	for range 8 {
		f.sweep(p, spans)
	}
	if got, want := p.Learnt(), "max_registers: 8\navoid: [0x0002-0x0003]\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	p.Forget()
	if got := p.Learnt(); got != "" {
		t.Errorf("%q after Forget", got)
	}
}

// TestSlaveThatGivesOneRegisterAtATime: objects of two registers cannot be read at once, and are not read in two
// halves.
func TestSlaveThatGivesOneRegisterAtATime(t *testing.T) {
	spans := []modbus.Span{{input, 0, 1}, {input, 1, 1}, {input, 2, 2}, {input, 4, 1}}
	f := &refuser{most: 1}
	p := modbus.NewPlanner(modbus.Settings{}, 52, nil)
	for range 5 {
		got := f.sweep(p, spans)
		if want := []bool{true, true, false, true}; !slices.Equal(got, want) {
			t.Fatalf("answered %v, want %v", got, want)
		}
	}
	before := f.refused
	f.sweep(p, spans)
	if f.refused != before || p.MaxRegisters() != 1 {
		t.Errorf("%d reads refused in the last sweep, at most %d registers", f.refused-before, p.MaxRegisters())
	}
}

// TestRefusalOfTheMomentIsForgotten: a slave refuses reads while it boots. Later its registers are read again.
func TestRefusalOfTheMomentIsForgotten(t *testing.T) {
	spans := []modbus.Span{{input, 0, 1}, {input, 3, 1}, {input, 4, 1}}
	f := &refuser{most: 1, lacks: []modbus.Range{{1, 2}}}
	p := modbus.NewPlanner(modbus.Settings{}, 52, nil)
	for range 5 {
		f.sweep(p, spans)
	}
	f.most, f.lacks = 52, nil
	p.Answered(spanOf(input, 0, 5)) // the answer to some other read
	if plan := p.Plan(spans); len(plan) != 1 {
		t.Errorf("%v", plan)
	}
}

// TestTestsAreAskedOnce: a test read is sent once, whatever the answer. The list of learnt registers does not grow.
func TestTestsAreAskedOnce(t *testing.T) {
	spans := []modbus.Span{{input, 0, 1}, {input, 4, 1}, {input, 5, 1}}
	f := &refuser{most: 52, lacks: []modbus.Range{{2, 3}}}
	p := modbus.NewPlanner(modbus.Settings{}, 52, nil)
	for sweep := range 5 {
		plan := p.Plan(spans)
		got := f.sweep(p, spans)
		if slices.Contains(got, false) {
			t.Fatal("not read")
		}
		if sweep == 0 {
			continue
		}
		for _, r := range plan {
			p.Answered(r.Span)
		}
		if tests := p.Tests(); len(tests) != 0 {
			t.Fatalf("after sweep %d there is still a test: %v", sweep, tests)
		}
	}
}

// TestOneTableSaysNothingOfTheOther: an address that is missing in the input registers may exist in the holding
// registers.
func TestOneTableSaysNothingOfTheOther(t *testing.T) {
	const holding = modbus.FuncReadHolding
	spans := []modbus.Span{{input, 0, 1}, {input, 3, 1}, {holding, 0, 4}}
	p := modbus.NewPlanner(modbus.Settings{}, 52, nil)
	refused := 0
	for range 10 {
		todo := p.Plan(spans)
		for len(todo) > 0 {
			r := todo[0]
			todo = todo[1:]
			if r.Function == input && r.Addr < 3 && r.Addr+r.Count > 1 {
				refused++
				todo = append(p.Refused(r, spans), todo...)
				continue
			}
			p.Answered(r.Span)
		}
	}
	if refused != 1 {
		t.Errorf("%d reads were refused, want the first one only", refused)
	}
}

// TestSpansThatOverlapAreSplitToo: objects that share registers begin at the same address. Each object that fits is
// read in every sweep. After a few sweeps only reads of single objects are refused.
func TestSpansThatOverlapAreSplitToo(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 5))
	for range 300 {
		f := &refuser{most: uint16(20 + rng.IntN(60))}
		if lack := uint16(4 + rng.IntN(80)); rng.IntN(2) == 0 {
			f.lacks = []modbus.Range{{First: lack, Last: lack}}
		}
		var spans []modbus.Span
		for range 30 {
			at := uint16(rng.IntN(92))
			spans = append(spans, spanOf(input, at, 1))
			if at > 3 && rng.IntN(2) == 0 { // the object shares registers 0 to 3
				spans[len(spans)-1] = spanOf(input, 0, at+1)
			}
		}
		p := modbus.NewPlanner(modbus.Settings{}, 92, nil)
		alone := make([]bool, len(spans)) // objects that were refused alone, as the agent records them
		for sweep := range 20 {
			got, refused := sweepAlone(f, p, spans, alone)
			for i, s := range spans {
				if got[i] != f.answers(s) && (sweep > 0 || !got[i]) {
					t.Fatalf("sweep %d: %v was read: %v; of %+v, spans %v", sweep, s, got[i], f, spans)
				}
			}
			if sweep == 19 && refused > 0 {
				t.Fatalf("%d merged reads are still refused: %+v, spans %v, learnt %q", refused, f, spans, p.Learnt())
			}
		}
	}
}

// sweepAlone is a sweep that reads objects that were refused alone in reads of their own. It returns how many other
// reads were refused.
func sweepAlone(f *refuser, p *modbus.Planner, spans []modbus.Span, alone []bool) (got []bool, refused int) {
	got = make([]bool, len(spans))
	var merged []modbus.Span
	var index []int
	for i, s := range spans {
		if alone[i] {
			got[i] = f.answers(s)
			alone[i] = !got[i]
			continue
		}
		merged, index = append(merged, s), append(index, i)
	}
	for todo := p.Plan(merged); len(todo) > 0; {
		r := todo[0]
		todo = todo[1:]
		if f.answers(r.Span) {
			p.Answered(r.Span)
			for _, m := range r.Members {
				got[index[m]] = true
			}
			continue
		}
		refused++
		more := p.Refused(r, merged)
		for _, m := range r.Members {
			alone[index[m]] = alone[index[m]] || len(more) == 0
		}
		todo = append(more, todo...)
	}
	for _, r := range p.Tests() {
		if f.answers(r.Span) {
			p.Answered(r.Span)
		} else {
			p.Refused(r, nil)
		}
	}
	return got, refused
}
