package poll

import (
	"math/rand/v2"
	"testing"

	"noi-agent/modbus"
)

var spans = []modbus.Span{{Function: 4, Addr: 1, Count: 1}, {Function: 4, Addr: 9, Count: 1},
	{Function: 4, Addr: 20, Count: 2}, {Function: 4, Addr: 40, Count: 1}}

// TestALineThatBecomesLossyProvesNothing: after a long time without a fault the line loses two of five replies.
func TestALineThatBecomesLossyProvesNothing(t *testing.T) {
	proofs := 0
	for seed := range uint64(500) {
		rng, r := rand.New(rand.NewPCG(seed, 1)), newReplies()
		for range 200 {
			for _, s := range spans {
				r.answered(s)
			}
		}
		for range 200 {
			s := spans[rng.IntN(len(spans))]
			if rng.Float64() < 0.4 {
				r.failed(s, modbus.ErrTimeout)
			} else {
				r.answered(s)
			}
			if r.proven(s) {
				proofs++
				break
			}
		}
	}
	if proofs > 5 {
		t.Errorf("on %d of 500 lines a register counts as one that is never answered", proofs)
	}
}

// TestSilenceOfOneRegisterIsProven: the other registers are always answered, or two of five replies are lost.
func TestSilenceOfOneRegisterIsProven(t *testing.T) {
	for _, c := range []struct {
		lost float64
		most int // failures until it is proven
	}{{0, 7}, {0.4, mostStrikes}} {
		rng, r := rand.New(rand.NewPCG(1, 1)), newReplies()
		for range 300 {
			for _, s := range spans {
				if r.answered(s); rng.Float64() < c.lost {
					r.failed(s, modbus.ErrTimeout)
				}
			}
		}
		fails := 0
		for ; !r.proven(spans[0]) && fails < 1000; fails++ {
			r.failed(spans[0], modbus.ErrTimeout)
			for _, s := range spans[1:] {
				if rng.Float64() < c.lost {
					r.failed(s, modbus.ErrTimeout)
				} else {
					r.answered(s)
				}
			}
		}
		if fails > c.most {
			t.Errorf("with %.0f %% lost it took %d failures, want %d at most", 100*c.lost, fails, c.most)
		}
	}
}

// TestProbesVary: a slave is probed for each of its objects, and mostly for those that it has answered.
func TestProbesVary(t *testing.T) {
	for _, known := range []int{0, 1, 3, 4} {
		r, asked, good := newReplies(), map[modbus.Span]int{}, 0
		for _, s := range spans[:known] {
			r.answered(s)
		}
		for _, s := range spans[known:] {
			for range asideAfter {
				r.failed(s, modbus.ErrTimeout)
				r.count++
			}
		}
		for range 16 * len(spans) {
			s := r.probe(spans)
			if asked[s]++; r.known[s] {
				good++
			}
		}
		if len(asked) != len(spans) || known > 0 && good < 3*16 {
			t.Errorf("%d known: asked %v, %d of them known", known, asked, good)
		}
	}
}
