package sim

// wholeKWh is the end of a kWh counter in half precision. tenthKWh is the end of a 16-bit counter in steps of 0.1 kWh.
const (
	wholeKWh = 65504
	tenthKWh = 6553.5
)

// blocksOfProStar returns the blocks of the documents MS-001838 and MS-001723 (RAM up to last, and EEPROM), and one
// with the serial number and the versions, which the documents do not have.
func blocksOfProStar(last uint16) []run {
	return []run{{0x0000, last}, {0xE000, 0xE04F}, {0xE080, 0xE085}}
}

// prostar returns the objects that both ProStars have under the same names.
func prostar(s settings) table {
	return join(s.common(1), prostarLive(), prostarCounters(), table{
		"Evb_ref_charge_lim": fixed(s.referenceLimit),
		"ETb_lo_limit_100":   fixed(-20), "ETb_lo_limit_0": fixed(-25),
		"Eic_lim":       fixed(30),
		"serial_number": serial,
		"model_id":      fixed(4), // the numbers of the models are not known
	})
}

// prostarLive returns the objects in RAM without the counters.
func prostarLive() table {
	return table{
		"n_sys_v": fixed(12), "vdd_actual": fixed(3.27), "adc_fgdrive": fixed(11.9),
		"adc_vbterm": live(batteryV), "adc_vl": live(loadV), "adc_il": live(loadA), "adc_vbsense": live(senseV),
		"adc_vb_f_1m": live(filtered60), "adc_ib_f_1m": live(net60), "vb_f": live(filtered25),
		"vb_ref": live(reference),
		"T_hs":   live(heatsink), "T_batt": live(ambient), "T_amb": live(ambient), "T_rts": noSensor,
		"Tb_lo_limit_100": fixed(-20), "Tb_lo_limit_0": fixed(-25),
		"charge_state": state(chargeStage), "load_state": state(loadSwitch),
		"array_fault": now(chargeFault), "load_fault": now(loadFault), "alarm": now(alarm),
		"array_fault_daily": todays(chargeFault), "load_fault_daily": todays(loadFault), "alarm_daily": todays(alarm),
		"dip_switch": bits("dip3", "dip6"), // 12 V, sealed
		"led_state":  state(look([5]uint16{6, 7, 8, 9, 10})), "charge_led_state": state(chargeLED),
		"lighting_should_be_on": fixed(0),
		"V_lvd":                 live(lowLoadV), "V_lhvd": live(highLoadV),
	}
}

// prostarCounters returns the totals and the daily values, in RAM and in EEPROM. In the simulation the two are always
// the same; a real unit copies its RAM into its EEPROM only from time to time.
func prostarCounters() table {
	kWh := odometer(energy, wholeKWh)
	return table{
		"Ahc_r": live(charged), "Ahc_t": live(charged), "EAhc_r": live(charged), "EAhc_t": live(charged),
		"Ahl_r": live(drawn), "Ahl_t": live(drawn), "EAhl_r": live(drawn), "EAhl_t": live(drawn),
		"kWhc_r": kWh, "kWhc_t": kWh, "EkWhc_r": kWh, "EkWhc_t": kWh,
		"hourmeter": live(hours), "Ehourmeter": live(hours),
		"Vb_min_daily": live(leastV), "Vb_max_daily": live(mostV), "Va_max_daily": live(mostArrayV),
		"EVb_min": live(leastV), "EVb_max": live(mostV), "EVa_max": live(mostArrayV),
		"Ahc_daily": live(chargedToday), "Ahl_daily": live(drawnToday),
		"time_ab_daily": live(absorbing), "time_fl_daily": live(inFloat), "time_eq_daily": fixed(0),
	}
}

// rolesOfProStar returns the roles for both ProStars and the SunSaver MPPT.
func rolesOfProStar() map[string]role {
	return map[string]role{
		"array_fault": chargeFault, "load_fault": loadFault, "alarm": alarm,
		"charge_state": chargeState, "load_state": switchState,
	}
}
