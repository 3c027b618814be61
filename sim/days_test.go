//go:build !race

// Days of a controller. Nothing runs at the same time in them, so tools/check.sh has them run without the race detector.

package sim_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"noi-agent/sim"
)

// Currents, voltages, stages and totals must agree every five minutes of three days, whatever the weather.
func TestADayIsConsistent(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newWorld(t, seed, 0)
			for w.elapsed = 0; w.elapsed < 72*time.Hour; w.elapsed += 5 * time.Minute {
				w.checkMoment()
			}
		})
	}
}

func TestTotalsAreTheIntegralOfTheCurrents(t *testing.T) {
	w := newWorld(t, 3, sim.MidMorning)
	charged, drawn, energy := w.number("Ahc_t"), w.number("Ahl_t"), w.number("kWhc_t")
	hours := w.number("hourmeter")
	var ah, load, kwh float64
	const dt = 10 * time.Second
	for w.elapsed < 24*time.Hour {
		w.elapsed += dt
		ia, vb := w.number("adc_ia"), w.number("adc_vbterm")
		ah += ia * dt.Hours()
		load += w.number("adc_il") * dt.Hours()
		kwh += ia * vb * dt.Hours() / 1000
	}
	w.near("charge", w.number("Ahc_t")-charged, ah, 0.5)
	w.near("load", w.number("Ahl_t")-drawn, load, 0.5)
	w.near("energy", w.number("kWhc_t")-energy, kwh, 0.25) // half precision at 278 has steps of 0.25
	w.near("hours", w.number("hourmeter")-hours, 24, 1)
	w.near("EEPROM copy of the charge", w.number("EAhc_t"), w.number("Ahc_t"), 0)
	if charged < 6553.6 {
		t.Errorf("the total is %g Ah; it should need both words from the start", charged)
	}
}

// A day with enough sun has night, bulk, absorption and float. Daily values start again in the morning.
func TestTheStagesFollowTheSun(t *testing.T) {
	w := newWorld(t, 1, 0)
	var seen []string
	for ; w.elapsed < 24*time.Hour; w.elapsed += 10 * time.Second {
		s := w.read("charge_state").String()
		if len(seen) == 0 || seen[len(seen)-1] != s {
			seen = append(seen, s)
		}
	}
	first, last := seen[0], seen[len(seen)-1]
	for _, s := range []string{"NIGHT", "BULK", "ABSORPTION", "FLOAT"} {
		if !slices.Contains(seen, s) {
			t.Errorf("%s never came; the day was %v", s, seen)
		}
	}
	if first != "NIGHT" || last != "NIGHT" || seen[1] != "BULK" || len(seen) > 20 {
		t.Errorf("the day was %v", seen)
	}
	if w.number("time_ab_daily") < 3600 || w.number("time_fl_daily") < 600 || w.number("Ahc_daily") < 20 {
		t.Errorf("today: %g s absorption, %g s float, %g Ah", w.number("time_ab_daily"), w.number("time_fl_daily"), w.number("Ahc_daily"))
	}
	w.elapsed = 24*time.Hour + 7*time.Hour
	if ah := w.number("Ahc_daily"); ah > 10 || w.number("time_fl_daily") != 0 {
		t.Errorf("an hour after sunrise the day already has %g Ah and %g s float", ah, w.number("time_fl_daily"))
	}
}

func TestTheBatteryNeitherRunsEmptyNorFloatsForEver(t *testing.T) {
	w := newWorld(t, 7, 0)
	for range 14 {
		w.elapsed += 24 * time.Hour
		if vb := w.number("adc_vbterm"); vb < 12 || vb > 13 {
			t.Errorf("at %v, midnight: the battery has %g V", w.elapsed, vb)
		}
	}
}

// Without charge for days the load is disconnected from the battery. It comes back when the battery has recovered.
func TestABatteryThatIsNotChargedLosesItsLoad(t *testing.T) {
	w := open(t, family(t, "PSPWM"), sim.Options{Faults: []sim.Fault{{Object: "array_fault", Value: "fets_shorted", Until: 5 * 24 * time.Hour}}})
	seen := []string{}
	for ; w.elapsed < 7*24*time.Hour; w.elapsed += time.Minute {
		if s := w.read("load_state").String(); len(seen) == 0 || seen[len(seen)-1] != s {
			seen = append(seen, s)
		}
		if low := w.read("load_state").String() == "LVD"; low != (w.number("adc_il") == 0) || low && w.number("adc_vl") != 0 {
			t.Fatalf("at %v: %v with %g A", w.elapsed, w.read("load_state"), w.number("adc_il"))
		}
	}
	if seen[0] != "LOAD_ON" || !slices.Contains(seen, "LVD_WARNING") || !slices.Contains(seen, "LVD") || seen[len(seen)-1] != "LOAD_ON" {
		t.Errorf("the load went through %v", seen)
	}
	w = open(t, family(t, "PSPWM"), sim.Options{Faults: []sim.Fault{{Object: "array_fault", Value: "fets_shorted"}}})
	w.elapsed = 5 * 24 * time.Hour
	if w.read("load_state").String() != "LVD" || !w.has("alarm", "lvd") {
		t.Errorf("after five days: %v, alarms %v", w.read("load_state"), w.read("alarm"))
	}
}
