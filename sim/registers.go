package sim

import (
	"maps"
	"math"

	"noi-agent/objects"
)

// registers returns the value of every object, by name.
func (p *plant) registers() map[string]objects.Value {
	values := p.set.registers()
	maps.Copy(values, p.live())
	maps.Copy(values, p.counters())
	return values
}

// live returns the RAM but for its counters. A missing value (the zero Value) is a sensor that is not there.
func (p *plant) live() map[string]objects.Value {
	n, none := objects.Number, objects.Bits(nil)
	return map[string]objects.Value{
		"sw_ver": n(6), "n_sys_v": n(12),
		"vdd_actual": n(3.27), "adc_fgdrive": n(11.9), "adc_pmeter": n(11.4), "adc_vrefint": n(1.224),
		"adc_FN3": n(-1.21), "adc_gload": n(p.batteryV + 8.1), "adc_gatepv": n(11.9),
		"adc_ia": n(p.arrayA), "adc_vbterm": n(p.batteryV), "adc_va": n(p.arrayV),
		"adc_vl": n(p.batteryV - loadDrop*p.loadA), "adc_il": n(p.loadA),
		"adc_vbsense": n(p.batteryV - senseDrop*(p.arrayA-p.loadA)),
		"adc_vb_f_1m": n(p.filtered60), "adc_ib_f_1m": n(p.net60), "vb_f": n(p.filtered25), "vb_ref": n(p.reference),
		"T_hs": n(p.heatsink), "T_batt": n(p.ambient), "T_amb": n(p.ambient), "T_rts": {},
		"Tb_lo_limit_100": n(-20), "Tb_lo_limit_0": n(-25),

		"charge_state": objects.Text(string(p.stage)), "load_state": objects.Text("LOAD_ON"),
		"array_fault": none, "load_fault": none, "alarm": none,
		"array_fault_daily": none, "load_fault_daily": none, "alarm_daily": none,
		"dip_switch": objects.Bits([]string{"dip3", "dip6"}), // 12 V, sealed
		"led_state":  objects.Text(p.led()), "charge_led_state": objects.Text(p.chargeLED()),
		"lighting_should_be_on": n(0),

		"V_lvd": n(p.set.disconnectV - p.set.disconnectOhm*p.loadA), "V_lhvd": n(p.set.loadHighV),
	}
}

// counters returns the totals and daily values, in RAM and in EEPROM. Here the two never differ; a real unit copies now and then.
func (p *plant) counters() map[string]objects.Value {
	n := objects.Number
	return map[string]objects.Value{
		"Ahc_r": n(p.total.charged), "Ahc_t": n(p.total.charged), "EAhc_r": n(p.total.charged), "EAhc_t": n(p.total.charged),
		"Ahl_r": n(p.total.drawn), "Ahl_t": n(p.total.drawn), "EAhl_r": n(p.total.drawn), "EAhl_t": n(p.total.drawn),
		"kWhc_r": n(p.total.energy), "kWhc_t": n(p.total.energy), "EkWhc_r": n(p.total.energy), "EkWhc_t": n(p.total.energy),
		"hourmeter": n(math.Floor(p.total.hours)), "Ehourmeter": n(math.Floor(p.total.hours)),

		"Vb_min_daily": n(p.today.leastV), "Vb_max_daily": n(p.today.mostV), "Va_max_daily": n(p.today.mostArrayV),
		"EVb_min": n(p.today.leastV), "EVb_max": n(p.today.mostV), "EVa_max": n(p.today.mostArrayV),
		"Ahc_daily": n(p.today.charged), "Ahl_daily": n(p.today.drawn),
		"time_ab_daily": seconds(p.today.absorbing), "time_fl_daily": seconds(p.today.floating), "time_eq_daily": n(0),
	}
}

// led returns what the state of charge LED shows: the stage while it regulates, else the battery's voltage.
func (p *plant) led() string {
	switch p.stage {
	case absorption:
		return "ABSORPTION_GREEN_BLINK_1HZ"
	case floating:
		return "FLOAT_SLOW_GREEN_BLINK"
	}
	for i, name := range []string{"GREEN", "GREEN_YELLOW", "YELLOW", "YELLOW_RED"} {
		if p.filtered25 >= p.set.ledV[i] {
			return name
		}
	}
	return "BLINK_RED"
}

// chargeLED is green by day. No source names the number of a dark one; 0 stands for it.
func (p *plant) chargeLED() string {
	if p.stage == night {
		return "LED_START"
	}
	return "GREEN"
}
