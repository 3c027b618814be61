package budget_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"noi-agent/agent/budget"
	"noi-agent/configs"
)

// loadOf computes the load of a line with one slave that has these keys.
func loadOf(t *testing.T, line, slave string) budget.BusLoad {
	t.Helper()
	catalog := catalogOf(t)
	text := fmt.Sprintf("lines:\n- {name: a, port: %s, slaves: [{id: 1, %s}]}\n", line, slave)
	config, faults := configs.Parse([]byte(text), catalog)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	return budget.Bus(&config.Lines[0], catalog)
}

// char is a character at 9600 8N2: 11 bits.
const char = time.Second * 11 / 9600

// A request has 8 characters. Its reply has 5, and two a register. t3.5 is before the request, and once more until
// the slave has detected its end.
func chars(registers int) float64 { return 8 + 5 + 3.5 + 3.5 + 2*float64(registers) }

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*max(math.Abs(b), 1e-3) }

func TestLoadOfHandComputedLines(t *testing.T) {
	for _, c := range []struct {
		name, line, slave string
		chars             float64 // a second
		reads             float64
	}{
		{"one object every second", "/dev/ttyA", "model: PSPWM, objects: adc_ia, intervals: {adc_ia: 1s}", chars(1), 1},
		{"neighbours share a read", "/dev/ttyA", "model: PSPWM, objects: 'adc_ia, adc_vbterm', intervals: {'*': 1s}", chars(2), 1},
		{"a gap is read over", "/dev/ttyA", "model: PSPWM, objects: 'adc_vl, adc_il', intervals: {'*': 1s}", chars(3), 1},
		{
			"one of two every second moment", "/dev/ttyA", "model: PSPWM, objects: 'adc_ia, adc_vbterm', intervals: {adc_ia: 1s, adc_vbterm: 2s}",
			0.5*chars(1) + 0.5*chars(2), 1,
		},
		{
			"of six seconds one has both, three have one", "/dev/ttyA", "model: PSPWM, objects: 'adc_ia, adc_vbterm', intervals: {adc_ia: 2s, adc_vbterm: 3s}",
			(2*chars(1) + 1*chars(1) + 1*chars(2)) / 6, 4. / 6,
		},
		{
			"the rare one counts by its rarity", "/dev/ttyA", "model: PSPWM, objects: 'adc_ia, adc_vbterm', intervals: {adc_ia: 10ms, adc_vbterm: 100h}",
			100*chars(1) + 2./360000, 100,
		},
		{"two tables never share a read", "/dev/ttyA", "model: PSPWM, objects: 'adc_ia, EV_reg', intervals: {'*': 1s}", 2 * chars(1), 2},
		{"a gap of its own", "/dev/ttyA", "model: PSPWM, gap: 11458334ns, objects: adc_ia, intervals: {adc_ia: 1s}", chars(1) + 6.5, 1},
		{"RTS is switched", "/dev/ttyA, rs485: rts, rs485_delay_before: 1ms, rs485_delay_after: 2ms", "model: PSPWM, objects: adc_ia, intervals: {adc_ia: 1s}", chars(1) + 3/1.14583333, 1},
		{"a gateway has a line behind it", "'rtu+tcp://192.0.2.1:4001'", "model: PSPWM, objects: adc_ia, intervals: {adc_ia: 1s}", chars(1), 1},
		{"Modbus TCP has no bus time", "'tcp://192.0.2.1'", "model: PSPWM, objects: adc_ia, intervals: {adc_ia: 1s}", 0, 1},
		{"a slave of unknown family counts nothing", "/dev/ttyA", "model: auto", 0, 0},
	} {
		l := loadOf(t, c.line, c.slave)
		if want := c.chars * char.Seconds(); !near(l.Share, want) || !near(l.Reads, c.reads) {
			t.Errorf("%s: share %.6f, %.6f reads a second; want %.6f and %.6f", c.name, l.Share, l.Reads, want, c.reads)
		}
	}
}

func TestLoadNamesWhatNoReadCanBring(t *testing.T) {
	l := loadOf(t, "/dev/ttyA", "model: PSPWM, max_registers: 3, objects: 'adc_ia, serial_number'")
	if got := l.Slaves[0].TooLong; !slices.Equal(got, []string{"serial_number"}) {
		t.Errorf("too long: %v", got)
	}
}

// TestLoadCountsWhatASimulatedScheduleDoes uses random log intervals, and compares with single moments over their
// common multiple. Each interval must come as often as it says. Each object must be in exactly one read at each of
// its moments.
func TestLoadCountsWhatASimulatedScheduleDoes(t *testing.T) {
	names := []string{"adc_ia", "adc_vbterm", "adc_il", "vb_ref", "charge_state", "EV_reg", "EV_float", "T_hs"}
	seconds := []int{1, 2, 3, 4, 5, 6, 10, 15, 30, 60}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		every := map[string]int{}
		var words []string
		for _, name := range names {
			every[name] = seconds[rng.IntN(len(seconds))]
			words = append(words, fmt.Sprintf("%s: %ds", name, every[name]))
		}
		keys := fmt.Sprintf("model: PSPWM, objects: '%s', intervals: {%s}", strings.Join(names, ","), strings.Join(words, ", "))
		l := loadOf(t, "/dev/ttyA", keys)

		const period = 60 // a multiple of all intervals
		sets := map[string]int{}
		for second := range period {
			due := map[int]bool{}
			for _, n := range every {
				if second%n == 0 {
					due[n] = true
				}
			}
			if len(due) > 0 {
				sets[fmt.Sprint(slices.Sorted(maps.Keys(due)))]++
			}
		}
		checkMoments(t, l.Slaves[0], sets, period, every)
		if t.Failed() {
			t.Fatalf("with %v", every)
		}
	}
}

func checkMoments(t *testing.T, s budget.SlaveLoad, sets map[string]int, period float64, every map[string]int) {
	t.Helper()
	for _, m := range s.Moments {
		whole := make([]int, len(m.Intervals))
		for i, d := range m.Intervals {
			whole[i] = int(d / time.Second)
		}
		key := fmt.Sprint(whole)
		if !near(m.Rate*period, float64(sets[key])) {
			t.Errorf("%s comes %g times in a minute, want %d", key, m.Rate*period, sets[key])
		}
		delete(sets, key)
		served := map[string]int{}
		for _, r := range m.Reads {
			for _, o := range r.Objects {
				served[o]++
			}
		}
		for object, n := range every {
			want := 0
			if slices.Contains(whole, n) {
				want = 1
			}
			if served[object] != want {
				t.Errorf("%s is in %d reads of %s, want %d", object, served[object], key, want)
			}
		}
	}
	for key, n := range sets {
		t.Errorf("%s comes %d times in a minute, and the load has no moment for it", key, n)
	}
}

// More intervals than are combined exactly must not cost forty billion plans. The load is then an upper limit.
func TestLoadOfVeryManyIntervalsIsBoundedFromAbove(t *testing.T) {
	catalog := catalogOf(t)
	family, _ := catalog.Family("PSPWM")
	var few, many []string
	alone := 0.0
	for i := range family.Objects[:36] {
		o := &family.Objects[i]
		many = append(many, fmt.Sprintf("%s: %dms", o.Name, 60_000+1001*i))
		if i < 12 {
			few = append(few, many[i])
		}
		alone += chars(int(o.Registers)) * char.Seconds() / (60 + 1.001*float64(i))
	}
	names := func(list []string) string {
		out := make([]string, len(list))
		for i, w := range list {
			out[i], _, _ = strings.Cut(w, ":")
		}
		return strings.Join(out, ",")
	}
	some := loadOf(t, "/dev/ttyA", "model: PSPWM, objects: '"+names(few)+"', intervals: {"+strings.Join(few, ", ")+"}")
	all := loadOf(t, "/dev/ttyA", "model: PSPWM, encodings: {kWhc_r: u16, kWhc_t: u16}, objects: '"+names(many)+"', intervals: {"+strings.Join(many, ", ")+"}")
	if some.AtMost || !all.AtMost {
		t.Errorf("at most: %v with 12 intervals, %v with 36", some.AtMost, all.AtMost)
	}
	if all.Share <= some.Share || all.Share > alone*1.000001 {
		t.Errorf("share %f with 36 intervals, %f with 12 of them, %f without any sharing", all.Share, some.Share, alone)
	}
}
