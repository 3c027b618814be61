package sim

// tspwm is a TriStar PWM at 24 V in charge mode. The loads of the site are not connected to it.
func tspwm(s settings) model {
	return model{
		product: "TS-60", hardware: "01.04", software: 9, // only the revision reports the software version
		site:   site{multiple: 2, size: 2, openV: 43},
		blocks: []run{{0x0000, 0x0020}, {0xE000, 0xE042}, {0xF000, 0xF00B}},
		roles:  map[string]role{"fault": chargeFault, "alarm": alarm, "control_state": chargeState},
		table:  join(s.common(2), tspwmLive(), tspwmSettings(), tspwmCalibration()),
	}
}

func tspwmLive() table {
	return table{
		"adc_vb_f": live(batteryV), "adc_vs_f": live(senseV), "adc_vx_f": live(arrayV),
		"adc_ipv_f": live(chargeA), "adc_iload_f": fixed(0), "Vb_f": live(filtered25), "V_ref": live(reference),
		"T_hs": live(heatsink), "T_batt": live(ambient),
		"Ah_r": live(charged), "Ah_t": live(charged), "EAh_r": live(charged), "EAh_t": live(charged),
		"kWh": odometer(energy, 1<<16-1), "EkWh": odometer(energy, 1<<16-1), "hourmeter": live(hours),
		"Ehourmeter": live(hours),
		"alarm":      now(alarm), "fault": now(chargeFault), "dip_switch": bits("dip2", "dip5", "dip8"),
		"control_mode": word("CHARGE"), "control_state": state(chargeStage),
		// in the document 230 means: connected all of the time
		"d_filt": live(func(p *plant) float64 { return 230 * p.duty(0) }),
		"Vb_min": live(everLeastV), "Vb_max": live(everMostV), "EVb_min": live(everLeastV), "EVb_max": live(everMostV),
	}
}

// tspwmSettings returns the settings that are not in common. The lighting times are -1: there is no light.
func tspwmSettings() table {
	return table{
		"Et_sun1": fixed(-1), "Et_sun2": fixed(-1), "Eb_light_config": fixed(0),
		"EV_night_max": fixed(10), "EV_day_min": fixed(20), "EV_relaxed_day": fixed(18),
		"Emb_tristar_id": live(unitID), "Emb_meterbus_id": live(meterID),
		"Et_batt_service": fixed(0), "Etmr_batt_service": fixed(0),
		"Ed_float_enter": fixed(95), "Eb_diversion_pwm": word("PWM"),
	}
}

// tspwmCalibration returns the calibration that the maker writes into a unit: gains near 1.
func tspwmCalibration() table {
	return table{
		"serial_number":     serial,
		"K_gain_adc_vb48":   fixed(1.004),
		"K_gain_adc_ic":     fixed(0.991),
		"K_gain_adc_il":     fixed(1.008),
		"K_gain_adc_vs":     fixed(0.997),
		"K_gain_adc_vx":     fixed(1.002),
		"K_hw_ver":          word("01.04"),
		"K_gain_adc_vb1224": fixed(0.998), "calib_state_K_amp60": word("TS60_CALIBRATED"),
	}
}
