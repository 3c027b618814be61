package sim_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/sim"
)

// everyFamily runs a test once for each built-in family.
func everyFamily(t *testing.T, test func(*testing.T, *objects.Family)) {
	t.Helper()
	for _, f := range mustCatalog(t).Families() {
		t.Run(f.Slug, func(t *testing.T) {
			t.Parallel()
			test(t, f)
		})
	}
}

// plausible returns the possible values of a unit at any of the sites.
func plausible(unit string) (least, most float64) {
	limits := map[string][2]float64{
		"V": {-2, 525}, "A": {-70, 80}, "Ah": {-1000, 1e6}, "W": {0, 3000}, "°C": {-30, 100}, "°F": {-20, 210}, "%": {0, 100}, "Hz": {50, 60},
		"V/°C": {-0.2, 0.2}, "Ω": {0, 1}, "min": {0, 1440}, "d": {0, 366}, "s": {-1, 86400},
	}
	if l, ok := limits[unit]; ok {
		return l[0], l[1]
	}
	return 0, 1e7
}

// checkAll reads every object and checks its unit, its names, and its encoding back into registers.
func (w *world) checkAll() {
	w.t.Helper()
	for i := range w.family.Objects {
		o := w.object(w.family.Objects[i].Name)
		regs := w.span(o)
		v, err := o.DecodeSpan(regs)
		if noRTS := o.Name == "T_rts" && !strings.HasPrefix(w.family.Slug, "TS"); noRTS != errors.Is(err, objects.ErrNoSample) || err != nil && !noRTS {
			w.t.Fatalf("at %v: %s %04X: %v", w.elapsed, o.Name, regs, err)
		}
		again := slices.Clone(regs)
		if err := sim.EncodeSpan(o, v, again); err != nil || !slices.Equal(again, regs) {
			w.t.Errorf("at %v: %s holds %04X, %v, which encodes as %04X (%v)", w.elapsed, o.Name, regs, v, again, err)
		}
		least, most := plausible(o.Unit)
		if f := v.Float(); v.Kind() == objects.KindNumber && (f < least || f > most) {
			w.t.Errorf("at %v: %s is %v %s", w.elapsed, o.Name, v, o.Unit)
		}
		for _, name := range append(v.Names(), v.String()) {
			if strings.Contains(name, "UNKNOWN_") || strings.Contains(name, "UNDEFINED") || strings.Contains(name, "bit_") {
				w.t.Errorf("at %v: %s is %v", w.elapsed, o.Name, v)
			}
		}
	}
}

// Reads each hour of a day, and then in the large steps of a fast world.
func TestEveryObjectOfEveryFamilyHasAPlausibleValue(t *testing.T) {
	everyFamily(t, func(t *testing.T, f *objects.Family) {
		w := open(t, f, sim.Options{Seed: 5})
		for ; w.elapsed < 24*time.Hour; w.elapsed += time.Hour {
			w.checkAll()
		}
		for ; w.elapsed < 5*24*time.Hour; w.elapsed += 53*time.Hour + 17*time.Minute {
			w.checkAll()
		}
	})
}

// view names the objects of a family that correspond to those of the others; "" for an object that it does not have.
type view struct {
	volts, array, current, ah, kWh string
	least, most                    []string    // extremes of volts; today's first
	powers                         [][3]string // volts, amperes, their product in watts
	state                          string      // object with the stage of the charge
	stages                         [4]string   // its names, from night to float
	totals                         []string    // objects that never decrease
	copies                         [][2]string // pairs of objects with equal values
	fault                          [2]string   // a fault that stops the charge: object and bit
	daily                          string      // object that keeps the fault until the morning
}

func views() map[string]view {
	proStar := view{
		volts: "adc_vbterm", ah: "Ahc_t", kWh: "kWhc_t", least: []string{"Vb_min_daily", "EVb_min"}, most: []string{"Vb_max_daily", "EVb_max"},
		state: "charge_state", stages: [4]string{"NIGHT", "BULK", "ABSORPTION", "FLOAT"},
		totals: []string{"Ahc_r", "Ahl_r", "Ahl_t", "hourmeter"},
		copies: [][2]string{{"Ahc_t", "EAhc_t"}, {"hourmeter", "Ehourmeter"}, {"kWhc_t", "EkWhc_t"}, {"T_batt", "T_amb"}},
		fault:  [2]string{"array_fault", "rts_shorted"}, daily: "array_fault_daily",
	}
	pspwm, psmppt := proStar, proStar
	pspwm.array, pspwm.current = "adc_va", "adc_ia"
	psmppt.array, psmppt.current = "adc_va_f_shadow", "adc_ic_f_shadow"
	psmppt.powers = [][3]string{{"adc_vbterm", "adc_ic_f_shadow", "Power_out"}}
	psmppt.stages[1] = "MPPT"
	triStar := view{
		volts: "adc_vb_f_med", array: "adc_va_f", current: "adc_ib_f_shadow", ah: "Ahc_t", kWh: "kWhc_t",
		least: []string{"vb_min_daily", "vb_min", "EVb_min"}, most: []string{"vb_max_daily", "vb_max", "EVb_max"},
		state: "charge_state", stages: [4]string{"NIGHT", "MPPT", "ABSORPTION", "FLOAT"},
		totals: []string{"Ahc_r", "kWhc_r", "hourmeter"}, copies: [][2]string{{"Ahc_t", "EAhc_t"}, {"hourmeter", "Ehourmeter"}, {"T_batt", "T_rts"}},
		powers: [][3]string{{"adc_vb_f_med", "adc_ib_f_shadow", "power_out_shadow"}, {"adc_va_f", "adc_ia_f_shadow", "power_in_shadow"}},
		fault:  [2]string{"fault", "rts_shorted"}, daily: "fault_daily",
	}
	tsmppt600 := triStar
	tsmppt600.array = "adc_va_f_shadow"
	tsmppt600.powers = [][3]string{{"adc_vb_f_med", "adc_ib_f_shadow", "power_out"}, {"adc_va_f_shadow", "adc_ia_f_shadow", "power_in"}}
	return map[string]view{
		"PSPWM": pspwm, "PSMPPT": psmppt, "TSMPPT": triStar, "TSMPPT600": tsmppt600,
		"SSMPPT": {
			volts: "Adc_vb_f", array: "Adc_va_f", current: "Adc_ic_f", ah: "Ahc_t", kWh: "kWhc",
			least: []string{"Vb_min_daily", "vb_min", "EVb_min"}, most: []string{"Vb_max_daily", "vb_max", "EVb_max"},
			state: "charge_state", stages: [4]string{"NIGHT", "BULK_CHARGE", "ABSORPTION", "FLOAT"},
			totals: []string{"Ahc_r", "Ahl_r", "Ahl_t", "hourmeter"}, copies: [][2]string{{"kWhc", "EkWhc"}, {"Ahl_t", "EAhl_t"}},
			powers: [][3]string{{"Adc_vb_f", "Adc_ic_f", "Power_out"}},
			fault:  [2]string{"array_fault", "overcurrent"}, daily: "array_fault_daily",
		},
		"TSPWM": {
			volts: "adc_vb_f", array: "adc_vx_f", current: "adc_ipv_f", ah: "Ah_t", kWh: "kWh", least: []string{"Vb_min", "EVb_min"}, most: []string{"Vb_max", "EVb_max"},
			state: "control_state", stages: [4]string{"NIGHT", "BULK", "PWM", "FLOAT"},
			totals: []string{"Ah_r", "hourmeter"}, copies: [][2]string{{"Ah_t", "EAh_t"}, {"kWh", "EkWh"}},
			fault: [2]string{"fault", "miswire"},
		},
		"SSDUO": {
			volts: "vb1", array: "va", current: "ia1", ah: "ah_b1", least: []string{"vminb1"}, most: []string{"vmaxb1"},
			totals: []string{"ah_total", "ah_b2", "hours"}, copies: [][2]string{{"ta_C", "tr_C"}, {"priority", "priority_off"}, {"tcompcoef", "tcompcoef_ee"}},
			fault: [2]string{"faults", "overcurrent"},
		},
		"SURESINE": {volts: "adc_vb", least: []string{"EVb_min"}, most: []string{"EVb_max"}, totals: []string{"Ehourmeter"}, copies: [][2]string{{"adc_iac", "Iac"}}},
		"GENSTAR": {
			volts: "battery_terminal_voltage", array: "array_voltage", current: "system_charge_current", ah: "system_charge_ah_total", kWh: "system_charge_kwh_total",
			least: []string{"battery_voltage_min_daily", "battery_voltage_min_hourly", "battery_voltage_min"},
			most:  []string{"battery_voltage_max_daily", "battery_voltage_max_hourly", "battery_voltage_max"},
			state: "charge_state", stages: [4]string{"NIGHT", "BULK", "ABSORPTION", "FLOAT"},
			totals: []string{"system_load_ah_total", "internal_charge_kwh_total", "aggregated_shunt_charge_ah_total"},
			copies: [][2]string{{"system_load_ah_total", "internal_load_ah_total"}, {"load_current", "system_load_current"}},
			powers: [][3]string{{"battery_terminal_voltage", "system_charge_current", "output_power"}},
			fault:  [2]string{"charge_faults", "rts_shorted"}, daily: "charge_faults_daily",
		},
	}
}

// precision returns how far a read value may differ from the real one: half a step of the object's encoding at this
// value.
func (w *world) precision(name string) float64 {
	w.t.Helper()
	o := w.object(name)
	span := w.span(o)
	addr, _ := o.Span()
	at := int(o.Address - addr)
	if !strings.HasSuffix(string(o.Encoding), "lo") {
		at += int(o.Registers) - 1
	}
	here, err := o.DecodeSpan(span)
	if err != nil {
		w.t.Fatal(err)
	}
	span[at]++
	next, err := o.DecodeSpan(span)
	if err != nil {
		w.t.Fatal(err)
	}
	return 0.51 * math.Abs(next.Float()-here.Float())
}

// checkPowers checks watts = volts times amperes, within the precision of all three encodings.
func (w *world) checkPowers(v view) {
	w.t.Helper()
	for _, p := range v.powers {
		volts, amperes := w.number(p[0]), w.number(p[1])
		tolerance := w.precision(p[0])*(amperes+0.01) + w.precision(p[1])*volts + w.precision(p[2])
		w.near(p[2], w.number(p[2]), volts*amperes, tolerance)
	}
}

func (w *world) checkExtremes(v view) {
	w.t.Helper()
	now := w.number(v.volts)
	for _, name := range v.least {
		if w.number(name) > now {
			w.t.Errorf("at %v: %s is %g, above the %g of now", w.elapsed, name, w.number(name), now)
		}
	}
	for _, name := range v.most {
		if w.number(name) < now {
			w.t.Errorf("at %v: %s is %g, below the %g of now", w.elapsed, name, w.number(name), now)
		}
	}
	for _, pair := range v.copies {
		w.near(pair[1], w.number(pair[1]), w.number(pair[0]), w.precision(pair[0])+w.precision(pair[1]))
	}
}

// Power, extremes, copies and totals agree every ten minutes of two days, for each family.
func TestValuesOfEveryFamilyAgree(t *testing.T) {
	everyFamily(t, func(t *testing.T, f *objects.Family) {
		v, ok := views()[f.Slug]
		if !ok {
			t.Fatal("there is no view of this family")
		}
		w := open(t, f, sim.Options{Seed: 2})
		last := map[string]float64{}
		for ; w.elapsed < 48*time.Hour; w.elapsed += 10 * time.Minute {
			w.checkPowers(v)
			w.checkExtremes(v)
			for _, name := range append(v.totals, v.ah, v.kWh) {
				if name == "" {
					continue
				}
				now := w.number(name)
				if now < last[name] {
					t.Errorf("at %v: %s fell from %g to %g", w.elapsed, name, last[name], now)
				}
				last[name] = now
			}
		}
		if t.Failed() {
			return
		}
		for name, then := range last {
			w := open(t, f, sim.Options{Seed: 2})
			if w.number(name) >= then {
				t.Errorf("%s has not grown in two days", name)
			}
		}
	})
}

// Counters agree with the current: Ah and kWh over six hours of charging.
func TestCountersOfEveryFamilyAreTheIntegralOfTheCharge(t *testing.T) {
	everyFamily(t, func(t *testing.T, f *objects.Family) {
		v := views()[f.Slug]
		if v.ah == "" {
			return
		}
		w := open(t, f, sim.Options{Seed: 3, Start: 8 * time.Hour})
		ah, kWh, charged, energy := 0.0, 0.0, w.number(v.ah), 0.0
		if v.kWh != "" {
			energy = w.number(v.kWh)
		}
		const dt = 30 * time.Second
		for w.elapsed < 6*time.Hour {
			w.elapsed += dt
			ah += w.number(v.current) * dt.Hours()
			kWh += w.number(v.current) * w.number(v.volts) * dt.Hours() / 1000
		}
		w.near("charge", w.number(v.ah)-charged, ah, 0.2+0.01*ah)
		if ah < 10 {
			t.Errorf("only %g Ah in six hours of day", ah)
		}
		if v.kWh != "" {
			w.near("energy", w.number(v.kWh)-energy, kWh, 2*w.precision(v.kWh)+0.01*kWh)
		}
	})
}

func TestStagesOfEveryFamilyFollowTheSun(t *testing.T) {
	everyFamily(t, func(t *testing.T, f *objects.Family) {
		v := views()[f.Slug]
		if v.state == "" {
			return
		}
		w := open(t, f, sim.Options{Seed: 1})
		var seen, first []string
		for ; w.elapsed < 24*time.Hour; w.elapsed += time.Minute {
			s := w.read(v.state).String()
			if len(seen) == 0 || seen[len(seen)-1] != s {
				seen = append(seen, s)
			}
			if !slices.Contains(first, s) {
				first = append(first, s)
			}
			w.checkRest(v, s)
		}
		if !slices.Equal(first, v.stages[:]) || seen[len(seen)-1] != v.stages[0] || len(seen) > 30 {
			t.Errorf("the day was %v, want first %v and night at the end", seen, v.stages)
		}
	})
}

// checkRest checks that the current fits the stage.
func (w *world) checkRest(v view, stage string) {
	w.t.Helper()
	amperes, volts, array := w.number(v.current), w.number(v.volts), w.number(v.array)
	switch {
	case stage == v.stages[0] && amperes != 0:
		w.t.Fatalf("at %v: %g A at night", w.elapsed, amperes)
	case amperes > 0 && array < volts-w.precision(v.volts)-w.precision(v.array):
		w.t.Fatalf("at %v: %g A flow from an array of %g V into %g V", w.elapsed, amperes, array, volts)
	}
}

// All registers of all blocks are equal for the same seed and time, however often they were read before.
func TestEveryFamilyIsDetermined(t *testing.T) {
	everyFamily(t, func(t *testing.T, f *objects.Family) {
		faults := []sim.Fault{}
		if v := views()[f.Slug]; v.fault[0] != "" {
			faults = append(faults, sim.Fault{Object: v.fault[0], Value: v.fault[1], From: time.Hour, Until: 2 * time.Hour})
		}
		o := sim.Options{Seed: 9, Start: sim.MidMorning, Faults: faults}
		often, seldom := open(t, f, o), open(t, f, o)
		for often.elapsed < 5*time.Hour {
			often.elapsed += 197 * time.Second
			often.Read(0x04, 0x0000, 1)
		}
		seldom.elapsed = often.elapsed
		o.Seed = 10
		other := open(t, f, o)
		other.elapsed = often.elapsed
		same, total := 0, 0
		for i := range f.Objects {
			a, b := often.span(&f.Objects[i]), seldom.span(&f.Objects[i])
			if !slices.Equal(a, b) {
				t.Errorf("%s: after many reads %04X, after one read %04X", f.Objects[i].Name, a, b)
			}
			if total++; slices.Equal(a, other.span(&f.Objects[i])) {
				same++
			}
		}
		if same == total {
			t.Error("another seed has the same weather")
		}
	})
}

func TestEveryFamilyTellsWhoItIs(t *testing.T) {
	catalog := mustCatalog(t)
	// the registers of hardware and software version; hardware is text, software a number
	versions := map[string][2]string{
		"PSPWM": {"hw_version", "sw_ver"}, "PSMPPT": {"hw_version", "sw_ver"}, "TSMPPT": {"Ehw_version", "ver_sw"}, "TSMPPT600": {"Ehw_version", "ver_sw"},
	}
	everyFamily(t, func(t *testing.T, f *objects.Family) {
		w := open(t, f, sim.Options{Unit: 17})
		slave := w.Slave()
		if slave.Unit != 17 {
			t.Errorf("the slave has unit id %d", slave.Unit)
		}
		if len(f.ProductCodes) == 0 {
			if slave.Identity != nil {
				t.Errorf("the identity is %+v, and the family has no product code", slave.Identity)
			}
			return
		}
		if found, _ := catalog.ByProductCode(slave.Identity.Product); found != f {
			t.Errorf("the product code %s is not of this family", slave.Identity.Product)
		}
		if v, ok := versions[f.Slug]; ok {
			want := fmt.Sprintf("v%s.%02.0f", w.read(v[0]), w.number(v[1]))
			if slave.Identity.Revision != want {
				t.Errorf("the revision is %s, the registers say %s", slave.Identity.Revision, want)
			}
		}
	})
}

// Registers in no block are refused in every family. 0x7000 and the registers directly beside each object's block are
// in none.
func TestRegistersBeyondTheMapAreRefused(t *testing.T) {
	everyFamily(t, func(t *testing.T, f *objects.Family) {
		w := open(t, f, sim.Options{})
		last := f.Objects[len(f.Objects)-1]
		for _, addr := range []uint16{0x7000, 0xFFFF, last.Address + last.Registers} {
			if _, exception := w.Read(0x03, addr, 1); exception != 2 {
				t.Errorf("0x%04X: exception %02d, want 02", addr, exception)
			}
		}
		if _, exception := w.Read(0x03, last.Address, last.Registers+1); exception != 2 {
			t.Errorf("a read across the end gave exception %02d, want 02", exception)
		}
	})
}

// Two units of one family have different serial numbers, and report their own unit ids.
func TestUnitsTellTheirID(t *testing.T) {
	ids := map[string]string{"PSPWM": "Emodbus_id", "TSPWM": "Emb_tristar_id", "SSDUO": "mb_id", "TSMPPT": "Emodbus_id", "SURESINE": "Emodbus_id"}
	for slug, name := range ids {
		for _, unit := range []byte{1, 16, 247} {
			w := open(t, family(t, slug), sim.Options{Unit: unit})
			if got := w.number(name); got != float64(unit) {
				t.Errorf("%s: unit %d reports %g", slug, unit, got)
			}
		}
	}
	one, two := open(t, family(t, "PSPWM"), sim.Options{}), open(t, family(t, "PSPWM"), sim.Options{Unit: 2})
	if a, b := one.read("serial_number").String(), two.read("serial_number").String(); a == b || len(a) != 8 || len(b) != 8 {
		t.Errorf("serial numbers %s and %s", a, b)
	}
}

// The two batteries of a Duo share one array. The sum of both currents is counted, and each battery has its own
// stage.
func TestTwoBatteriesShareOneArray(t *testing.T) {
	w := open(t, family(t, "SSDUO"), sim.Options{Seed: 4})
	apart := false
	for ; w.elapsed < 24*time.Hour; w.elapsed += 5 * time.Minute {
		w.near("Ah of both", w.number("ah_total"), w.number("ah_b1")+w.number("ah_b2"), 0.16)
		w.near("duty in percent", w.number("dc1"), w.number("dutcyc1"), 0.7)
		w.near("degrees Fahrenheit", w.number("ths_F"), w.number("ths_C")*9/5+32, 1.5)
		if sum := w.number("dutcyc1") + w.number("dutcyc2"); sum > 100.5 {
			t.Errorf("at %v: the array is connected %g %% of the time", w.elapsed, sum)
		}
		if w.number("ia1")+w.number("ia2") > w.number("iamax")+0.01 {
			t.Errorf("at %v: %g and %g A, and at most %g", w.elapsed, w.number("ia1"), w.number("ia2"), w.number("iamax"))
		}
		apart = apart || w.read("b1_state").String() != w.read("b2_state").String()
	}
	if !apart {
		t.Error("both batteries were always in the same stage")
	}
}

// The output of a SureSine equals its input from the battery, less its losses, whatever the load.
func TestAnInverterGivesWhatItTakes(t *testing.T) {
	w := open(t, family(t, "SURESINE"), sim.Options{Seed: 4, Faults: []sim.Fault{{Object: "load_state", Value: "LOAD_OFF", From: 20 * time.Hour}}})
	watts := func() float64 { return w.number("volts") * w.number("Iac") }
	w.elapsed = 2*time.Hour + 20*time.Minute // only the radio
	low := watts()
	w.elapsed = 19*time.Hour + 5*time.Minute // pump and lamps too
	high := watts()
	if low < 20 || low > 40 || high < 150 || high > 300 || w.number("mod_index") < 70 {
		t.Errorf("%g W by night, %g W in the evening, modulated %g %%", low, high, w.number("mod_index"))
	}
	w.elapsed = 20 * time.Hour
	if watts() != 0 || w.number("mod_index") != 0 {
		t.Errorf("switched off: %g W, modulated %g %%", watts(), w.number("mod_index"))
	}
}
