package sim_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/sim"
)

// The charger has a fault at eleven o'clock: the fault shows under its name, and the charge stops. After the fault
// everything is normal.
func TestAFaultStopsTheChargeOfEveryFamily(t *testing.T) {
	everyFamily(t, func(t *testing.T, f *objects.Family) {
		v := views()[f.Slug]
		if v.fault[0] == "" {
			return
		}
		w := open(t, f, sim.Options{Seed: 1, Start: 10 * time.Hour, Faults: []sim.Fault{
			{Object: v.fault[0], Value: v.fault[1], From: time.Hour, Until: 90 * time.Minute},
		}})
		w.elapsed = time.Hour - time.Second
		if w.has(v.fault[0], v.fault[1]) || w.number(v.current) == 0 {
			t.Errorf("just before: %v at %g A", w.read(v.fault[0]), w.number(v.current))
		}
		w.elapsed = time.Hour
		began := w.number(v.ah)
		for ; w.elapsed < 90*time.Minute; w.elapsed += 5 * time.Minute {
			if !w.has(v.fault[0], v.fault[1]) || w.number(v.current) != 0 || w.number(v.ah) != began {
				t.Errorf("at %v: %v at %g A", w.elapsed, w.read(v.fault[0]), w.number(v.current))
			}
			if v.state != "" && w.read(v.state).String() != "FAULT" {
				t.Errorf("at %v: the state is %s", w.elapsed, w.read(v.state))
			}
			w.checkPowers(v)
			w.checkAll()
		}
		w.elapsed = 90*time.Minute + 10*time.Second
		if w.has(v.fault[0], v.fault[1]) || w.number(v.current) == 0 {
			t.Errorf("afterwards: %v at %g A", w.read(v.fault[0]), w.number(v.current))
		}
		if v.daily != "" && !w.has(v.daily, v.fault[1]) {
			t.Errorf("the daily object no longer has the fault: %v", w.read(v.daily))
		}
		w.elapsed = 23 * time.Hour // the next morning
		if v.daily != "" && w.has(v.daily, v.fault[1]) {
			t.Errorf("the next day still has %v", w.read(v.daily))
		}
	})
}

// has reports whether a bit is set.
func (w *world) has(name, bit string) bool {
	w.t.Helper()
	return slices.Contains(w.read(name).Names(), bit)
}

func TestAFaultOfTheLoadStopsTheLoad(t *testing.T) {
	for _, c := range []struct{ family, fault, bit, state, current, charge string }{
		{"PSPWM", "load_fault", "external_short_circuit", "load_state", "adc_il", "adc_ia"},
		{"PSMPPT", "load_fault", "overcurrent", "load_state", "adc_il", "adc_ic_f_shadow"},
		{"SSMPPT", "load_fault", "heatsink_over_temperature", "load_state", "Adc_il_f", "Adc_ic_f"},
		{"SURESINE", "fault", "heatsink_over_temperature_95C", "load_state", "Iac", ""},
		{"GENSTAR", "load_faults", "load_hvd", "load_state", "load_current", "system_charge_current"},
	} {
		w := open(t, family(t, c.family), sim.Options{Start: sim.MidMorning, Faults: []sim.Fault{{Object: c.fault, Value: c.bit, Until: time.Hour}}})
		if !w.has(c.fault, c.bit) || w.read(c.state).String() != "FAULT" || w.number(c.current) != 0 {
			t.Errorf("%s: %v, %v at %g A", c.family, w.read(c.fault), w.read(c.state), w.number(c.current))
		}
		if c.charge != "" && w.number(c.charge) == 0 {
			t.Errorf("%s: the charge stopped too", c.family)
		}
		w.elapsed = time.Hour + 2*time.Second
		if w.has(c.fault, c.bit) || w.read(c.state).String() == "FAULT" || w.number(c.current) == 0 {
			t.Errorf("%s, afterwards: %v, %v at %g A", c.family, w.read(c.fault), w.read(c.state), w.number(c.current))
		}
	}
}

// Alarms, and faults of a reading only, are shown and change nothing else.
func TestWhatIsNoFaultChangesNothingElse(t *testing.T) {
	forced := []sim.Fault{
		{Object: "alarm", Value: "rts_open"},
		{Object: "alarm", Value: "current_limit"},
		{Object: "alarm", Value: "bit_25"},
		{Object: "array_fault_daily", Value: "battery_hvd"},
		{Object: "T_amb", Value: sim.NoSensor},
		{Object: "T_rts", Value: "21.5"},
		{Object: "adc_vbsense", Value: "99"},
		{Object: "led_state", Value: "OFF"},
		{Object: "serial_number", Value: "12345678"},
	}
	w := open(t, family(t, "PSPWM"), sim.Options{Start: sim.MidMorning, Faults: forced})
	plain := open(t, family(t, "PSPWM"), sim.Options{Start: sim.MidMorning})
	changed := []string{"alarm", "alarm_daily", "array_fault_daily", "T_amb", "T_rts", "adc_vbsense", "led_state", "serial_number"}
	w.elapsed, plain.elapsed = time.Hour, time.Hour
	for i := range w.family.Objects {
		o := &w.family.Objects[i]
		if same := slices.Equal(w.span(o), plain.span(o)); same == slices.Contains(changed, o.Name) {
			t.Errorf("%s: %04X with and %04X without", o.Name, w.span(o), plain.span(o))
		}
	}
	if got := w.read("alarm").String(); got != "rts_open, current_limit, bit_25" {
		t.Errorf("alarm is %s", got)
	}
	if got := w.read("array_fault_daily").String(); got != "battery_hvd" {
		t.Errorf("array_fault_daily is %s", got)
	}
	if w.number("T_rts") != 21.5 || w.number("adc_vbsense") != 99 || w.read("led_state").String() != "OFF" || w.read("serial_number").String() != "12345678" {
		t.Errorf("%v, %v, %v, %v", w.read("T_rts"), w.read("adc_vbsense"), w.read("led_state"), w.read("serial_number"))
	}
	if _, err := w.object("T_amb").Decode(w.span(w.object("T_amb"))); !errors.Is(err, objects.ErrNoSample) {
		t.Errorf("the removed sensor gives %v, want ErrNoSample", err)
	}
}

// A state in which the charger or the load is off switches it off. Any other forced state is only shown.
func TestAForcedStateIsLivedUpTo(t *testing.T) {
	for _, c := range []struct {
		object, state string
		charge, load  bool
	}{
		{"charge_state", "DISCONNECT", false, true}, {"charge_state", "NIGHT", false, true}, {"charge_state", "EQUALIZE", true, true},
		{"load_state", "LVD", true, false}, {"load_state", "LOAD_OFF", true, false}, {"load_state", "OVERRIDE", true, true},
		{"charge_state", "UNKNOWN_77", true, true},
	} {
		w := open(t, family(t, "PSPWM"), sim.Options{Start: 11 * time.Hour, Faults: []sim.Fault{{Object: c.object, Value: c.state, From: time.Minute}}})
		w.elapsed = 2 * time.Minute
		if got := w.read(c.object).String(); got != c.state {
			t.Errorf("%s is %s, want %s", c.object, got, c.state)
		}
		if charge, load := w.number("adc_ia") > 0, w.number("adc_il") > 0; charge != c.charge || load != c.load {
			t.Errorf("%s %s: charge %v, load %v", c.object, c.state, charge, load)
		}
	}
}

func TestFaultsThatCannotBeAreRefused(t *testing.T) {
	for _, c := range []struct {
		family string
		fault  sim.Fault
		says   string
		kind   string // kind of the UnknownError
		known  string // one of the names in the error
	}{
		{"PSPWM", sim.Fault{Object: "array_falt", Value: "rts_shorted"}, `PSPWM has no object "array_falt"`, "object", "array_fault"},
		{"PSPWM", sim.Fault{Object: "array_fault", Value: "rts_short"}, `array_fault has no bit "rts_short"`, "bit", "rts_shorted"},
		{"PSPWM", sim.Fault{Object: "array_fault", Value: "bit_16"}, `no bit "bit_16"`, "bit", "rts_shorted"},
		{"PSPWM", sim.Fault{Object: "charge_state", Value: "bulk"}, `charge_state has no state "bulk"`, "state", "BULK"},
		{"TSPWM", sim.Fault{Object: "control_state", Value: "LVD"}, `no state "LVD"`, "state", "PWM"},
		{"PSPWM", sim.Fault{Object: "adc_ia", Value: "much"}, `adc_ia takes a number, or none; not "much"`, "", ""},
		{"PSPWM", sim.Fault{Object: "adc_ia", Value: "NaN"}, "takes a number", "", ""},
		{"PSPWM", sim.Fault{Object: "adc_ia", Value: "70000"}, "half precision", "", ""},
		{"PSPWM", sim.Fault{Object: "Emodbus_id", Value: "248"}, "not within 1 to 247", "", ""},
		{"PSPWM", sim.Fault{Object: "charge_state", Value: "none"}, "does not hold this kind of value", "", ""},
		{"PSPWM", sim.Fault{Object: "serial_number", Value: "123456789"}, "longer than 8 characters", "", ""},
		{"PSPWM", sim.Fault{Object: "adc_ia", Value: "1", From: time.Hour, Until: time.Hour}, "never comes", "", ""},
		{"PSPWM", sim.Fault{Object: "adc_ia", Value: "1", From: -1}, "never comes", "", ""},
		{"TSMPPT", sim.Fault{Object: "V_PU", Value: "90"}, "V_PU cannot be forced", "", ""},
		{"TSPWM", sim.Fault{Object: "control_mode", Value: "LOAD"}, "control_mode cannot be forced", "", ""},
	} {
		_, err := sim.New(sim.Options{Family: family(t, c.family), Faults: []sim.Fault{c.fault}})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v gave %v, want %q", c.fault, err, c.says)
			continue
		}
		var unknown *sim.UnknownError
		if errors.As(err, &unknown) != (c.kind != "") || c.kind != "" && (unknown.Kind != c.kind || !slices.Contains(unknown.Known, c.known)) {
			t.Errorf("%+v gave %+v, want an unknown %s", c.fault, unknown, c.kind)
		}
	}
}

// With a firmware older than the map there are no samples, as on a real unit.
func TestAForcedFirmwareTakesTheSamplesAway(t *testing.T) {
	w := open(t, family(t, "TSMPPT600"), sim.Options{Faults: []sim.Fault{{Object: "ver_sw", Value: "12"}}})
	o := w.object("adc_vb_f_med")
	if _, err := o.DecodeSpan(w.span(o)); !errors.Is(err, objects.ErrFirmware) {
		t.Errorf("the voltage gives %v, want ErrFirmware", err)
	}
}
