package sim

import "maps"

// ssmppt is a SunSaver MPPT at 12 V. It uses the first of its two sets of settings; both have the same values.
func ssmppt(s settings) model {
	return model{
		product: "SS-MPPT-15L", hardware: "01.01", software: 10, // reported by the revision alone
		site:   site{multiple: 1, size: 1.2, openV: 22, peakV: 17.5},
		blocks: []run{{0x0000, 0x003A}, {0xE000, 0xE04F}},
		roles:  rolesOfProStar(),
		table:  join(s.common(1), secondBank(s), ssmpptCounters(), ssmpptLive(s)),
	}
}

func ssmpptLive(s settings) table {
	return table{
		"Adc_vb_f": live(batteryV), "Adc_va_f": live(arrayV), "Adc_vl_f": live(loadV), "Adc_ic_f": live(chargeA),
		"Adc_il_f": live(loadA),
		"T_hs":     live(heatsink), "T_batt": live(ambient), "T_amb": live(ambient), "T_rts": noSensor,
		"charge_state": state(chargeStage), "load_state": state(loadSwitch),
		"led_state":   state(look([5]uint16{6, 6, 8, 8, 10})),
		"array_fault": now(chargeFault), "load_fault": now(loadFault), "alarm": now(alarm),
		"array_fault_daily": todays(chargeFault), "load_fault_daily": todays(loadFault), "alarm_daily": todays(alarm),
		"Vb_f": live(filtered25), "Vb_ref": live(reference), "V_lvd": live(lowLoadV),
		"dip_switch": bits("comm_modbus"),
		"Power_out":  live(powerOut), "Sweep_Vmp": live(sweepV), "Sweep_Pmax": live(sweepW),
		"Sweep_Voc":             live(sweepOpen),
		"lighting_should_be_on": fixed(0),
		"va_ref_fixed":          fixed(0), "va_ref_fixed_pct": fixed(0), "EVa_ref_fixed": fixed(0),
		"EVa_ref_fixed_pct": fixed(0),
		"EV_soc_y2g":        fixed(s.ledV[0]), "EV_soc_g2y": fixed(s.ledV[1]), "EV_soc_y2r0": fixed(s.ledV[3]),
		"EV_soc_r2y": fixed(s.ledV[2]),
		"Eic_lim":    fixed(15),
	}
}

func ssmpptCounters() table {
	kWh := odometer(energy, tenthKWh)
	return table{
		"Ahc_r": live(charged), "Ahc_t": live(charged), "EAhc_r": live(charged), "EAhc_t": live(charged),
		"Ahl_r": live(drawn), "Ahl_t": live(drawn), "EAhl_r": live(drawn), "EAhl_t": live(drawn),
		"kWhc": kWh, "EkWhc": kWh, "hourmeter": live(hours), "Ehourmeter": live(hours),
		"Vb_min_daily": live(leastV), "Vb_max_daily": live(mostV), "Ahc_daily": live(chargedToday),
		"Ahl_daily": live(drawnToday),
		"vb_min":    live(everLeastV), "vb_max": live(everMostV),
		"EVb_min": live(everLeastV), "EVb_max": live(everMostV),
		"EVa_max": live(mostArrayV),
	}
}

// secondBank returns the settings of the charge again, under names that end in 2.
func secondBank(s settings) table {
	second := table{}
	for name, q := range maps.All(s.common(1)) {
		second[name+"2"] = q
	}
	return second
}
