package modbus_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"noi-agent/modbus"
)

const (
	holding = modbus.FuncReadHolding
	input   = modbus.FuncReadInput
)

func TestPlan(t *testing.T) {
	type spans = []modbus.Span
	cases := []struct {
		name  string
		spans spans
		lim   modbus.Limits
		want  []modbus.Read
	}{
		{"nothing", nil, modbus.Limits{}, nil},
		{"touching objects", spans{{input, 2, 2}, {input, 1, 1}}, modbus.Limits{},
			[]modbus.Read{{modbus.Span{Function: input, Addr: 1, Count: 3}, []int{1, 0}}}},
		{"a gap that pays", spans{{input, 0, 1}, {input, 6, 1}}, modbus.Limits{MaxGap: 5},
			[]modbus.Read{{modbus.Span{Function: input, Addr: 0, Count: 7}, []int{0, 1}}}},
		{"a gap too wide", spans{{input, 0, 1}, {input, 7, 1}}, modbus.Limits{MaxGap: 5},
			[]modbus.Read{{spanOf(input, 0, 1), []int{0}}, {spanOf(input, 7, 1), []int{1}}}},
		{"a gap to avoid", spans{{input, 0, 1}, {input, 2, 1}, {input, 4, 1}}, modbus.Limits{MaxGap: 5, Avoid: []modbus.Range{{1, 1}}},
			[]modbus.Read{{spanOf(input, 0, 1), []int{0}}, {spanOf(input, 2, 3), []int{1, 2}}}},
		{"functions do not mix", spans{{input, 0, 1}, {holding, 1, 1}}, modbus.Limits{MaxGap: 9},
			[]modbus.Read{{spanOf(holding, 1, 1), []int{1}}, {spanOf(input, 0, 1), []int{0}}}},
		{"overlap and repetition", spans{{input, 0, 4}, {input, 1, 1}, {input, 1, 1}}, modbus.Limits{},
			[]modbus.Read{{spanOf(input, 0, 4), []int{0, 1, 2}}}},
		// Reads that are as long as possible would cut at 9|10 and include the gap at 3. The cheapest cut is at the
		// gap.
		{"the cheaper cut", spans{{input, 0, 2}, {input, 5, 5}, {input, 10, 3}}, modbus.Limits{MaxGap: 5, MaxRegisters: 10},
			[]modbus.Read{{spanOf(input, 0, 2), []int{0}}, {spanOf(input, 5, 8), []int{1, 2}}}},
		{"an object is not torn", spans{{input, 0, 2}, {input, 2, 2}}, modbus.Limits{MaxRegisters: 3},
			[]modbus.Read{{spanOf(input, 0, 2), []int{0}}, {spanOf(input, 2, 2), []int{1}}}},
		{"longer than the most", spans{{input, 0, 5}, {input, 5, 1}}, modbus.Limits{MaxRegisters: 4},
			[]modbus.Read{{spanOf(input, 0, 5), []int{0}}, {spanOf(input, 5, 1), []int{1}}}},
		{"the last register", spans{{input, 0xFFFF, 1}, {input, 0xFFFE, 1}}, modbus.Limits{},
			[]modbus.Read{{spanOf(input, 0xFFFE, 2), []int{1, 0}}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, modbus.Plan(c.spans, c.lim)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func spanOf(function byte, addr, count uint16) modbus.Span {
	return modbus.Span{Function: function, Addr: addr, Count: count}
}

func TestPlanInvariants(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	for range 2000 {
		lim := modbus.Limits{
			MaxRegisters: uint16(4 + rng.IntN(122)),
			MaxGap:       rng.IntN(15),
			Avoid:        []modbus.Range{{uint16(rng.IntN(200)), uint16(rng.IntN(200))}},
		}
		spans := make([]modbus.Span, rng.IntN(40))
		for i := range spans {
			spans[i] = spanOf(byte(holding+rng.IntN(2)), uint16(rng.IntN(200)), uint16(1+rng.IntN(4)))
		}
		checkPlan(t, spans, lim, modbus.Plan(spans, lim))
		if t.Failed() {
			t.Fatalf("spans %v, limits %+v", spans, lim)
		}
	}
}

func checkPlan(t *testing.T, spans []modbus.Span, lim modbus.Limits, plan []modbus.Read) {
	t.Helper()
	if len(plan) > len(spans) {
		t.Errorf("%d reads for %d objects", len(plan), len(spans))
	}
	var served []int
	for _, read := range plan {
		if read.Count > lim.MaxRegisters {
			t.Errorf("%+v has more than %d registers", read, lim.MaxRegisters)
		}
		wanted := map[int]bool{}
		for _, i := range read.Members {
			s := spans[i]
			if s.Function != read.Function || s.Addr < read.Addr || s.Addr+s.Count > read.Addr+read.Count {
				t.Errorf("%+v is not completely in %+v", s, read)
			}
			for r := range s.Count {
				wanted[int(s.Addr+r)] = true
			}
		}
		for r := lim.Avoid[0].First; r <= lim.Avoid[0].Last; r++ {
			if int(r) >= int(read.Addr) && int(r) < int(read.Addr)+int(read.Count) && !wanted[int(r)] {
				t.Errorf("%+v includes %v", read, lim.Avoid)
			}
		}
		served = append(served, read.Members...)
	}
	slices.Sort(served)
	for i := range spans {
		if i >= len(served) || served[i] != i {
			t.Fatalf("served %v, want each of %d once", served, len(spans))
		}
	}
	ascending := slices.IsSortedFunc(plan, func(a, b modbus.Read) int {
		return int(a.Function)<<16 + int(a.Addr) - int(b.Function)<<16 - int(b.Addr)
	})
	if !ascending {
		t.Errorf("plan %+v does not ascend", plan)
	}
}

// TestPlanIsTheCheapest compares the plan with every way to cut a few objects.
func TestPlanIsTheCheapest(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	s := modbus.Settings{}
	for range 300 {
		lim := modbus.Limits{MaxRegisters: 12, MaxGap: modbus.MaxGap(s, 0)}
		var spans []modbus.Span
		for at := 0; len(spans) < 8; {
			count := 1 + rng.IntN(2)
			spans = append(spans, spanOf(input, uint16(at), uint16(count)))
			at += count + rng.IntN(4)*rng.IntN(6)
		}
		cost := func(registers int) int { return 2*registers + 2*lim.MaxGap + 1 }
		best := 1 << 30
	cuts:
		for cut := range 1 << (len(spans) - 1) {
			total, start := 0, 0
			for i := range spans {
				if i < len(spans)-1 && cut>>i&1 == 0 {
					continue
				}
				length := int(spans[i].Addr+spans[i].Count) - int(spans[start].Addr)
				if length > int(lim.MaxRegisters) {
					continue cuts
				}
				total, start = total+cost(length), i+1
			}
			best = min(best, total)
		}
		got := 0
		for _, read := range modbus.Plan(spans, lim) {
			got += cost(int(read.Count))
		}
		if got != best {
			t.Fatalf("plan of %v costs %d, the best is %d", spans, got, best)
		}
	}
}

func TestSettingsArithmetic(t *testing.T) {
	cases := []struct {
		s       modbus.Settings
		bits    int
		silence time.Duration
		gap     int
	}{
		{modbus.Settings{}, 11, 4010416 * time.Nanosecond, 10},
		{modbus.Settings{Baud: 9600, DataBits: 8, StopBits: 1, Parity: "even"}, 11, 4010416 * time.Nanosecond, 10},
		{modbus.Settings{Baud: 19200, StopBits: 1}, 10, 1822916 * time.Nanosecond, 10},
		{modbus.Settings{Baud: 115200}, 11, 1750 * time.Microsecond, 24},
	}
	for _, c := range cases {
		if c.s.CharBits() != c.bits || c.s.Silence() != c.silence || modbus.MaxGap(c.s, 0) != c.gap {
			t.Errorf("%+v: %d bits, silence %v, gap %d", c.s, c.s.CharBits(), c.s.Silence(), modbus.MaxGap(c.s, 0))
		}
	}
	silence := modbus.Settings{}.Silence()
	if a, b := modbus.MaxGap(modbus.Settings{}, 0), modbus.MaxGap(modbus.Settings{}, silence+23*time.Millisecond); b != a+10 {
		t.Errorf("a turnaround of ten registers' time more moves the gap from %d to %d", a, b)
	}
}
