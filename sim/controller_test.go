package sim_test

import (
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/sim"
)

// world is a controller with a time that the test sets.
type world struct {
	*sim.Controller
	t       testing.TB
	family  *objects.Family
	elapsed time.Duration
}

// newWorld returns a world with a ProStar PWM.
func newWorld(t testing.TB, seed uint64, start time.Duration) *world {
	t.Helper()
	return open(t, family(t, "PSPWM"), sim.Options{Seed: seed, Start: start})
}

// open makes a controller of a family.
func open(t testing.TB, f *objects.Family, o sim.Options) *world {
	t.Helper()
	w := &world{t: t, family: f}
	o.Family, o.Elapsed = f, func() time.Duration { return w.elapsed }
	c, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.Controller = c
	return w
}

// loadCatalog reads the families once for all tests; a catalog does not change.
var loadCatalog = sync.OnceValues(func() (*objects.Catalog, error) { return objects.LoadCatalog() })

func mustCatalog(t testing.TB) *objects.Catalog {
	t.Helper()
	c, err := loadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// family returns a built-in family.
func family(t testing.TB, slug string) *objects.Family {
	t.Helper()
	f, ok := mustCatalog(t).Family(slug)
	if !ok {
		t.Fatalf("the family %s is missing", slug)
	}
	return f
}

// object returns an object of the family, with the first of its encodings if they are disputed.
func (w *world) object(name string) *objects.Object {
	w.t.Helper()
	o, ok := w.family.Object(name)
	if !ok {
		w.t.Fatalf("no object %s", name)
	}
	if len(o.Choices) == 0 {
		return o
	}
	chosen, err := o.With(o.Choices[0].Name)
	if err != nil {
		w.t.Fatal(err)
	}
	return &chosen
}

// span reads the registers of an object and of the objects that it depends on.
func (w *world) span(o *objects.Object) []uint16 {
	w.t.Helper()
	addr, count := o.Span()
	regs, exception := w.Read(o.Function(), addr, count)
	if exception != 0 {
		w.t.Fatalf("at %v: %s: exception %02d", w.elapsed, o.Name, exception)
	}
	return regs
}

// read returns an object's value from its registers, as the agent reads it.
func (w *world) read(name string) objects.Value {
	w.t.Helper()
	o := w.object(name)
	v, err := o.DecodeSpan(w.span(o))
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *world) number(name string) float64 { w.t.Helper(); return w.read(name).Float() }

// near checks that two numbers differ by at most an absolute tolerance.
func (w *world) near(what string, got, want, tolerance float64) {
	w.t.Helper()
	if math.Abs(got-want) > tolerance {
		w.t.Errorf("at %v: %s is %g, want %g within %g", w.elapsed, what, got, want, tolerance)
	}
}

func (w *world) checkMoment() {
	w.t.Helper()
	vb, va, ia, il := w.number("adc_vbterm"), w.number("adc_va"), w.number("adc_ia"), w.number("adc_il")
	state := w.read("charge_state").String()
	hour := math.Mod(w.elapsed.Hours(), 24)
	if vb < 11.5 || vb > 15 || va < 0 || va > 22 || ia < 0 || ia > 10 || il < 0.7 || il > 6 {
		w.t.Fatalf("at %v: battery %g V, array %g V %g A, load %g A are not of this site", w.elapsed, vb, va, ia, il)
	}
	if dark := hour < 5.9 || hour > 18.1; dark && (state != "NIGHT" || ia != 0) || hour > 7 && hour < 17 && state == "NIGHT" {
		w.t.Errorf("at %v: state %s with %g A", w.elapsed, state, ia)
	}
	if (state == "NIGHT") != (w.number("vb_ref") == 0) {
		w.t.Errorf("at %v: state %s and reference %g V", w.elapsed, state, w.number("vb_ref"))
	}
	if state != "NIGHT" {
		if ia > 0 && va < vb-0.1 {
			w.t.Errorf("at %v: %g A flow from an array of %g V into %g V", w.elapsed, ia, va, vb)
		}
		if reference := w.number("vb_ref"); vb > reference+0.01 {
			w.t.Errorf("at %v: the battery has %g V, above its reference %g V", w.elapsed, vb, reference)
		}
	}
	if least, most := w.number("Vb_min_daily"), w.number("Vb_max_daily"); vb < least || vb > most {
		w.t.Errorf("at %v: %g V is not within the day's %g to %g V", w.elapsed, vb, least, most)
	}
	w.near("load voltage", w.number("adc_vl"), vb, 0.15)
	w.near("sense voltage", w.number("adc_vbsense"), vb, 0.05)
	for _, name := range []string{"array_fault", "load_fault", "alarm", "array_fault_daily", "load_fault_daily", "alarm_daily"} {
		if v := w.read(name); len(v.Names()) != 0 {
			w.t.Errorf("at %v: %s is %v, want it clear", w.elapsed, name, v)
		}
	}
}

func TestADemoStartsChargingAtMidMorning(t *testing.T) {
	for seed := range uint64(10) {
		w := newWorld(t, seed, sim.MidMorning)
		if s := w.read("charge_state").String(); s != "BULK" || w.number("adc_ia") < 2 {
			t.Errorf("seed %d: it starts with %s at %g A", seed, s, w.number("adc_ia"))
		}
	}
}

// The answer of a controller depends only on the time, not on the number of requests before.
func TestReadingDoesNotChangeTheFuture(t *testing.T) {
	often, seldom := newWorld(t, 9, sim.MidMorning), newWorld(t, 9, sim.MidMorning)
	for often.elapsed < 2*time.Hour {
		often.elapsed += 700 * time.Millisecond
		often.number("adc_ia")
	}
	seldom.elapsed = often.elapsed
	a, _ := often.Read(0x04, 0x0000, 0x4F)
	b, _ := seldom.Read(0x04, 0x0000, 0x4F)
	if !slices.Equal(a, b) {
		t.Errorf("the registers differ: after many reads\n%04X\nafter one read\n%04X", a, b)
	}
	other := newWorld(t, 10, sim.MidMorning)
	other.elapsed = often.elapsed
	if c, _ := other.Read(0x04, 0x0000, 0x4F); slices.Equal(a, c) {
		t.Error("another seed has the same weather")
	}
	often.elapsed -= time.Hour
	if c, _ := often.Read(0x04, 0x0000, 0x4F); !slices.Equal(a, c) {
		t.Error("an earlier time changed the registers")
	}
}

func TestReservedRegistersReadAsZeroAndForeignOnesAreRefused(t *testing.T) {
	w := newWorld(t, 1, sim.MidMorning)
	for _, c := range []struct {
		function    byte
		addr, count uint16
		exception   byte
	}{
		{0x04, 0x0000, 0x4F, 0}, {0x03, 0x0000, 0x4F, 0}, {0x03, 0xE000, 0x50, 0}, {0x04, 0xE080, 6, 0},
		{0x04, 0x0000, 0x50, 2}, {0x04, 0x004F, 1, 2}, {0x04, 0x004E, 2, 2}, {0x03, 0xDFFF, 1, 2}, {0x03, 0xDFFF, 2, 2},
		{0x03, 0xE050, 1, 2}, {0x03, 0xE04F, 2, 2}, {0x03, 0xE07F, 2, 2}, {0x03, 0xE086, 1, 2}, {0x03, 0xE085, 2, 2},
		{0x03, 0xE000, 125, 2}, {0x03, 0xFFFF, 1, 2}, {0x03, 0xFFFF, 125, 2}, {0x04, 0x1000, 1, 2},
		{0x04, 0x0000, 0, 3}, {0x04, 0x0000, 126, 3}, {0x06, 0x0000, 1, 1}, {0x10, 0xE000, 1, 1},
	} {
		regs, exception := w.Read(c.function, c.addr, c.count)
		if exception != c.exception || exception == 0 && len(regs) != int(c.count) || exception != 0 && regs != nil {
			t.Errorf("%02X 0x%04X+%d: %d registers, exception %02d; want exception %02d", c.function, c.addr, c.count, len(regs), exception, c.exception)
		}
	}
	named := map[uint16]bool{}
	for _, o := range w.family.Objects {
		for n := range o.Registers {
			named[o.Address+n] = true
		}
	}
	for _, b := range []struct{ from, to uint16 }{{0x0000, 0x004E}, {0xE000, 0xE04F}, {0xE080, 0xE085}} {
		for addr := b.from; addr <= b.to; addr++ {
			regs, exception := w.Read(0x03, addr, 1)
			if exception != 0 || !named[addr] && regs[0] != 0 {
				t.Errorf("0x%04X: %04X, exception %02d", addr, regs, exception)
			}
		}
	}
}

func TestTheAnswerIsTheCallersOwn(t *testing.T) {
	w := newWorld(t, 1, sim.MidMorning)
	regs, _ := w.Read(0x03, 0xE000, 1)
	want := regs[0]
	regs[0] = ^want
	if again, _ := w.Read(0x03, 0xE000, 1); again[0] != want {
		t.Error("a caller changed the controller's registers")
	}
}

func TestAnUnknownFamilyIsRefused(t *testing.T) {
	f := &objects.Family{Slug: "X", Objects: []objects.Object{{Name: "warp", Table: objects.Input, Encoding: objects.U16, Registers: 1, Scale: 1}}}
	if _, err := sim.New(sim.Options{Family: f}); err == nil {
		t.Error("a family that the model does not know was accepted")
	}
	more := *family(t, "PSPWM")
	more.Objects = append(slices.Clone(more.Objects), f.Objects[0])
	if _, err := sim.New(sim.Options{Family: &more}); err == nil || !strings.Contains(err.Error(), "the object warp") {
		t.Errorf("a family with an object that the model does not know gave %v", err)
	}
	if _, err := sim.New(sim.Options{Family: family(t, "PSPWM"), Start: 24 * time.Hour}); err == nil {
		t.Error("a start outside of a day was accepted")
	}
	if _, err := sim.New(sim.Options{Family: family(t, "PSPWM"), Unit: 248}); err == nil {
		t.Error("an invalid unit id was accepted")
	}
}
