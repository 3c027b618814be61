package history_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"noi-agent/agent/history"
	"noi-agent/objects"
	"noi-agent/status/api"
)

// site feeds a history with the samples of one machine, whose clock may be wrong.
type site struct {
	store  *history.Store
	booted time.Time // by the present clock
	up     time.Duration
}

var boot = time.Date(2022, 6, 28, 0, 0, 0, 0, time.UTC)

func newSite(span time.Duration) *site { return &site{store: history.New(span, 0), booted: boot} }

func key(object string) history.Key { return history.Key{Line: "rs485", UnitID: 1, Object: object} }

// sample adds one value of an object, now.
func (s *site) sample(object string, every time.Duration, v objects.Value, gaps ...objects.Gap) {
	s.store.Add(history.Sweep{
		Source: &objects.Source{Line: "rs485", UnitID: 1}, BootedAt: s.booted, Gaps: gaps,
		Samples: []objects.Sample{{Object: object, Value: v, SampledAt: s.booted.Add(s.up)}},
		Every:   []time.Duration{every},
	})
}

// missing returns an entry of the list of missing samples for an object, from one uptime to another.
func (s *site) missing(object string, from, to time.Duration, why string) objects.Gap {
	return objects.Gap{Object: object, From: s.booted.Add(from), To: s.booted.Add(to), Count: 1, Reason: why}
}

func (s *site) ask(t *testing.T, object string, span time.Duration) api.History {
	t.Helper()
	h, ok := s.store.Object(history.Question{Key: key(object), Span: span, Uptime: s.up, Booted: s.booted})
	if !ok {
		t.Fatalf("there is no history of %s", object)
	}
	return h
}

const volts = "adc_vbterm"

// poll samples volts each minute until an uptime. value returns the voltage at that time.
func (s *site) poll(until time.Duration, value func(up time.Duration) float64) {
	for ; s.up < until; s.up += time.Minute {
		s.sample(volts, time.Minute, objects.Number(value(s.up)))
	}
}

func steady(float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return 12.5 }
}

func TestABucketHasTheLowestTheMeanAndTheHighestOfItsThreeMinutes(t *testing.T) {
	s := newSite(24 * time.Hour)
	s.poll(6*time.Minute, func(up time.Duration) float64 { return up.Minutes() })
	got := s.ask(t, volts, time.Hour)
	want := []api.Bucket{{From: boot, Min: 0, Mean: 1, Max: 2, N: 3},
		{From: boot.Add(3 * time.Minute), Min: 3, Mean: 4, Max: 5, N: 3}}
	if fmt.Sprint(got.Buckets) != fmt.Sprint(want) || got.Step != "3m0s" || got.Kind != api.HistoryNumber {
		t.Errorf("got %v of %s (%s), want %v", got.Buckets, got.Step, got.Kind, want)
	}
	if len(got.Gaps) > 0 {
		t.Errorf("gaps %v where all samples are", got.Gaps)
	}
}

func TestNoClockMovesTheHistory(t *testing.T) {
	right := newSite(24 * time.Hour)
	right.poll(10*time.Hour, steady(0))
	want := right.ask(t, volts, 24*time.Hour)

	for name, clocks := range map[string][]time.Time{
		"1970, then right":      {time.Unix(12, 0), boot},
		"an hour back":          {boot, boot.Add(-time.Hour)},
		"an hour back and up":   {boot, boot.Add(-time.Hour), boot},
		"a year ahead and back": {boot.AddDate(1, 0, 0), boot},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(24 * time.Hour)
			for i, booted := range clocks {
				s.booted = booted
				s.poll(10*time.Hour*time.Duration(i+1)/time.Duration(len(clocks)), steady(0))
			}
			got := s.ask(t, volts, 24*time.Hour)
			if len(got.Buckets) != len(want.Buckets) || len(got.Gaps) != len(want.Gaps) {
				t.Fatalf("%d buckets, %d gaps; with a right clock %d and %d", len(got.Buckets), len(got.Gaps),
					len(want.Buckets), len(want.Gaps))
			}
			for i, b := range got.Buckets {
				if age, is := got.To.Sub(b.From), want.To.Sub(want.Buckets[i].From); age != is || b.N != 3 {
					t.Fatalf("bucket %d is %v old and has %d samples, with a right clock it is %v old", i, age, b.N, is)
				}
			}
			if last := clocks[len(clocks)-1]; !got.KeptSince.Equal(last) {
				t.Errorf("kept since %v, want %v", got.KeptSince, last)
			}
		})
	}
}

func TestAGapIsAGap(t *testing.T) {
	s := newSite(24 * time.Hour)
	s.poll(time.Hour, steady(0))
	s.up += 40 * time.Minute // no samples from 0:59 to 1:40
	s.sample(volts, time.Minute, objects.Number(12), s.missing(volts, 59*time.Minute, s.up, "bus: no answer"))
	s.poll(2*time.Hour, steady(0))
	s.up += time.Hour // and none since 1:59

	got := s.ask(t, volts, 24*time.Hour)
	at := func(m int) time.Time { return boot.Add(time.Duration(m) * time.Minute) }
	want := []api.HistoryGap{{From: at(60), To: at(99), Reason: "bus: no answer"},
		{From: at(120), To: at(180), Reason: api.GapNoValue}}
	if fmt.Sprint(got.Gaps) != fmt.Sprint(want) {
		t.Errorf("gaps %v, want %v", got.Gaps, want)
	}
	if n := len(got.Curves(480)); n != 2 {
		t.Errorf("%d curves, want 2: no curve crosses a gap", n)
	}
}

// TestNoGapIsDrawnWhereSamplesAre has a line that loses sometimes one sample, sometimes many, at any log interval.
func TestNoGapIsDrawnWhereSamplesAre(t *testing.T) {
	for _, every := range []time.Duration{time.Second, 7 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
		15 * time.Minute, time.Hour} {
		t.Run(every.String(), func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, uint64(every)))
			s := newSite(24 * time.Hour)
			last, outages := time.Duration(0), 0
			for next := time.Duration(0); next < 20*time.Hour; next += every {
				jitter := time.Duration(random.Int64N(int64(every/4) + 1))
				if s.up = next + jitter; random.IntN(200) > 0 {
					s.sample(volts, every, objects.Number(12))
					last = s.up
					continue
				}
				lost := time.Duration(1+random.IntN(int(2*time.Hour/every))) * every
				next += lost
				s.up = next + jitter
				if lost >= max(10*time.Minute, 3*every) {
					outages++
				}
				s.sample(volts, every, objects.Number(12), s.missing(volts, last, s.up, "line"))
				last = s.up
			}
			got := s.ask(t, volts, 24*time.Hour)
			step, _ := time.ParseDuration(got.Step)
			for _, g := range got.Gaps {
				for _, b := range got.Buckets {
					if b.From.Before(g.To) && b.From.Add(step).After(g.From) {
						t.Fatalf("the gap %v overlaps the bucket at %v", g, b.From)
					}
				}
				if g.Reason != "line" {
					t.Errorf("a gap %v that was not reported to the history", g)
				}
			}
			if len(got.Gaps) < outages {
				t.Errorf("%d gaps, of %d outages", len(got.Gaps), outages)
			}
		})
	}
}

func TestAStateIsRuns(t *testing.T) {
	s := newSite(24 * time.Hour)
	states := []string{"NIGHT", "NIGHT", "BULK", "BULK", "BULK", "ABSORPTION"}
	for _, state := range states {
		s.sample("charge_state", time.Minute, objects.Text(state))
		s.up += time.Minute
	}
	s.up += time.Hour
	s.sample("charge_state", time.Minute, objects.Text("ABSORPTION"),
		s.missing("charge_state", 5*time.Minute, s.up, "bus: no answer"))
	got := s.ask(t, "charge_state", 24*time.Hour)
	var text []string
	for _, r := range got.Runs {
		text = append(text, fmt.Sprint(r.Text(), " ", r.From.Format("15:04"), "-", r.To.Format("15:04")))
	}
	if is, want := strings.Join(text, ", "),
		"NIGHT 00:00-00:02, BULK 00:02-00:05, ABSORPTION 00:05-00:05, ABSORPTION 01:06-01:06"; is != want {
		t.Errorf("got %s\nwant %s", is, want)
	}
	if len(got.Gaps) != 1 || got.Gaps[0].Reason != "bus: no answer" || got.Kind != api.HistoryText {
		t.Errorf("%s with gaps %v, want one", got.Kind, got.Gaps)
	}
}

func TestFaultsAreRuns(t *testing.T) {
	s := newSite(24 * time.Hour)
	for _, names := range [][]string{{}, {"overcurrent", "high_voltage"}, {}} {
		s.sample("array_fault", time.Minute, objects.Bits(names))
		s.up += time.Minute
	}
	got := s.ask(t, "array_fault", time.Hour)
	if len(got.Runs) != 3 || string(got.Runs[1].Value) != `["overcurrent","high_voltage"]` ||
		got.Runs[1].Text() != "overcurrent, high_voltage" || got.Runs[2].Text() != "" {
		t.Errorf("runs %v", got.Runs)
	}
}

// TestHoursHaveEqualWidths is about the days on which summer time begins or ends.
func TestHoursHaveEqualWidths(t *testing.T) {
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	for _, day := range []time.Time{time.Date(2022, 3, 13, 0, 0, 0, 0, zone), time.Date(2022, 11, 6, 0, 0, 0, 0, zone)} {
		s := newSite(26 * time.Hour)
		s.booted = day
		length := day.AddDate(0, 0, 1).Sub(day)
		s.poll(length, steady(0))
		got := s.ask(t, volts, length)
		hours := int(length.Hours())
		for hour := range hours {
			if at := got.Place(day.Add(time.Duration(hour)*time.Hour), hours*20); at != hour*20 {
				t.Errorf("%s: hour %d of %d begins at column %d, want %d", day.Format(time.DateOnly), hour, hours, at,
					hour*20)
			}
		}
		if hours != 23 && hours != 25 || len(got.Gaps) > 0 || len(got.Curves(hours*20)) != 1 {
			t.Errorf("%d hours, gaps %v, %d curves; want one curve", hours, got.Gaps, len(got.Curves(hours*20)))
		}
	}
}

func TestAnObjectThatIsReadLessOftenHasLongerBuckets(t *testing.T) {
	s := newSite(24 * time.Hour)
	for ; s.up < 30*time.Hour; s.up += time.Hour {
		s.sample("kWhc_t", time.Hour, objects.Number(s.up.Hours()))
	}
	got := s.ask(t, "kWhc_t", 24*time.Hour)
	if got.Step != "1h0m0s" || len(got.Gaps) > 0 || len(got.Buckets) < 24 {
		t.Errorf("%d buckets of %s, gaps %v", len(got.Buckets), got.Step, got.Gaps)
	}
}

func TestAnotherLogIntervalKeepsWhatWas(t *testing.T) {
	s := newSite(24 * time.Hour)
	s.poll(3*time.Hour, steady(0))
	for ; s.up < 6*time.Hour; s.up += 15 * time.Minute {
		s.sample(volts, 15*time.Minute, objects.Number(12))
	}
	s.poll(9*time.Hour, steady(0))
	got := s.ask(t, volts, 24*time.Hour)
	if len(got.Curves(480)) != 1 || !got.Buckets[0].From.Equal(boot) || got.Step != "3m0s" {
		t.Errorf("%d curves from %v, buckets of %s: %v", len(got.Curves(480)), got.Buckets[0].From, got.Step, got.Gaps)
	}
}

// sweepOf is a sweep of a controller of a family with a value for each object.
func sweepOf(f *objects.Family, unit int, up, every time.Duration) history.Sweep {
	t := history.Sweep{Source: &objects.Source{Line: "rs485", UnitID: uint8(unit)}, Family: f, BootedAt: boot}
	for _, o := range f.Objects {
		if o.ByName {
			continue // settings are polled by name only
		}
		v := objects.Number(up.Hours())
		switch o.Kind() {
		case objects.KindText:
			v = objects.Text(fmt.Sprint("STATE_", int(up.Hours())))
		case objects.KindBits:
			v = objects.Bits([]string{"overcurrent", fmt.Sprint("fault_", int(up.Hours()))})
		}
		t.Samples = append(t.Samples, objects.Sample{Object: o.Name, Value: v, SampledAt: boot.Add(up)})
		t.Every = append(t.Every, min(every, o.Interval))
	}
	return t
}

// fill samples controllers of a family for more than a day. Their states change each hour.
func fill(f *objects.Family, controllers int, every time.Duration) *history.Store {
	h := history.New(24*time.Hour, 0)
	for up := time.Duration(0); up < 26*time.Hour; up += time.Hour {
		for unit := 1; unit <= controllers; unit++ {
			h.Add(sweepOf(f, unit, up, every))
		}
	}
	return h
}

func family(t testing.TB, slug string) *objects.Family {
	t.Helper()
	catalog, err := objects.LoadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	f, ok := catalog.Family(slug)
	if !ok {
		t.Fatalf("there is no family %s", slug)
	}
	return f
}

func TestTheHistoryOfTenControllersFits(t *testing.T) {
	f := family(t, "PSPWM")
	for _, c := range []struct {
		controllers int
		every       time.Duration
		step        string
	}{
		{10, time.Hour, "3m0s"}, // at the family's log intervals
		{10, 10 * time.Second, "3m0s"},
		{40, 10 * time.Second, "24m0s"},
	} {
		h := fill(f, c.controllers, c.every)
		got, ok := h.Object(history.Question{Key: key(volts), Span: 24 * time.Hour, Uptime: 26 * time.Hour})
		if !ok || h.Bytes() > 4<<20 || got.Step != c.step {
			t.Errorf("%d controllers: %d bytes, %d buckets of %s, want at most %d and %s", c.controllers, h.Bytes(),
				len(got.Buckets), got.Step, 4<<20, c.step)
		}
		t.Logf("%d controllers with %d objects: %d bytes, buckets of %s", c.controllers,
			len(sweepOf(f, 1, 0, c.every).Samples), h.Bytes(), got.Step)
	}
}

// TestBytesAreWhatTheMemorySays compares the history's own count with the memory of the runtime.
func TestBytesAreWhatTheMemorySays(t *testing.T) {
	f := family(t, "PSPWM")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	h := fill(f, 10, time.Minute)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if is := float64(after.HeapAlloc) - float64(before.HeapAlloc); is > 1.15*float64(h.Bytes()) {
		t.Errorf("the heap has grown by %.0f bytes, the history counts %d", is, h.Bytes())
	}
	runtime.KeepAlive(h)
}

func TestWhatIsGoneForLongerThanTheSpanTakesNoMemory(t *testing.T) {
	s := newSite(24 * time.Hour)
	s.sample("old", time.Minute, objects.Number(1))
	before := s.store.Bytes()
	s.up = 25 * time.Hour
	s.sample("new", time.Minute, objects.Number(1))
	if after := s.store.Bytes(); after != before {
		t.Errorf("%d bytes with the new object, %d with the old one", after, before)
	}
}

func TestNoHistoryIsKeptWhenItIsOff(t *testing.T) {
	h := history.New(0, 0)
	h.Add(sweepOf(family(t, "PSPWM"), 1, 0, time.Minute))
	if _, ok := h.Object(history.Question{Key: key(volts)}); ok || h.Bytes() != 0 || h.Span() != 0 {
		t.Error("there is a history")
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	h := history.New(24*time.Hour, 0)
	sweep := sweepOf(family(t, "PSPWM"), 1, 0, time.Minute)
	h.Add(sweep)
	if n := testing.AllocsPerRun(100, func() {
		for i := range sweep.Samples {
			sweep.Samples[i].SampledAt = sweep.Samples[i].SampledAt.Add(time.Minute)
		}
		h.Add(sweep)
	}); n > 0 {
		t.Errorf("%v allocations for a sweep", n)
	}
}

// BenchmarkAdd adds a sweep of a PS-PWM, and reports the memory of ten controllers.
func BenchmarkAdd(b *testing.B) {
	f := family(b, "PSPWM")
	h := fill(f, 10, time.Minute)
	sweep := sweepOf(f, 1, 26*time.Hour, time.Minute)
	b.ReportAllocs()
	for b.Loop() {
		h.Add(sweep)
	}
	b.ReportMetric(float64(h.Bytes()), "bytes/10-controllers")
	b.ReportMetric(float64(len(sweep.Samples)), "objects")
}
