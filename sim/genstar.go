package sim

// genstar is a GenStar MPPT at 24 V, with a shunt that measures the whole current of its battery. It is alone on its
// bus, so the whole system, the unit itself and the shunt have the same counters. The encoding of its firmware number
// is not known: a plain number is used. The states of its LED are not known: the numbers of the other families are
// used.
func genstar(s settings) model {
	return model{
		product: "GS-MPPT-60M-200V", hardware: "01.00", software: 12,
		site:   site{multiple: 2, size: 4, openV: 120, peakV: 98},
		blocks: []run{{0x0000, 0x0102}, {0x0212, 0x02FF}, {0x227C, 0x2293}},
		roles: map[string]role{
			"charge_faults": chargeFault, "load_faults": loadFault, "system_faults": systemFault, "alarms": alarm,
			"charge_state": chargeState, "load_state": switchState,
		},
		lowLoad: "entered_lvd",
		table: join(genstarLive(), genstarStates(), genstarDaily(),
			genstarTotals("system"), genstarTotals("internal"), genstarTotals("aggregated_shunt")),
	}
}

func genstarLive() table {
	return table{
		"firmware_version": fixed(12), "software_patchlevel": fixed(0), "serial_number": serial,
		"load_current": live(loadA), "array_current": live(arrayA), "battery_terminal_voltage": live(batteryV),
		"array_voltage": live(arrayV), "load_voltage": live(loadV), "battery_sense_voltage": live(senseV),
		"system_charge_current": live(chargeA), "system_battery_current": live(netA),
		"system_load_current": live(loadA),
		"coin_cell_voltage":   fixed(3.05), "casting_temp": live(heatsink), "inductor_casting_temp": live(inductor),
		"battery_temp": live(ambient), "rts_temp": live(ambient), "heatsink_temp": live(heatsink),
		"internal_temp": live(heatsink),
		// no battery computer, no master
		"target_voltage": live(reference), "bms_mode": fixed(0), "slave_target_voltage": fixed(0),
		"max_array_current": fixed(60), "max_charge_current": fixed(60), "max_battery_current": fixed(60),
		"battery_soc": live(full), "battery_voltage_min": live(everLeastV), "battery_voltage_max": live(everMostV),
		"output_power": live(powerOut), "vmp": live(sweepV), "pmax": live(sweepW), "voc": live(sweepOpen),
		"array_voltage_reference": live(arrayAim),
	}
}

func genstarStates() table {
	led := func(p *plant) float64 { return float64(look([5]uint16{6, 7, 8, 9, 10})(p)) }
	return table{
		"charge_state": state(chargeStage), "load_state": state(loadSwitch), "led_state": live(led),
		"soc_led_state": live(led),
		"load_faults":   now(loadFault), "system_faults": now(systemFault), "alarms": now(alarm),
		"charge_faults":       now(chargeFault),
		"system_faults_daily": todays(systemFault), "alarms_daily": todays(alarm),
		"charge_faults_daily": todays(chargeFault),
	}
}

func genstarDaily() table {
	return table{
		"battery_voltage_min_hourly": live(func(p *plant) float64 { return p.hour.least }),
		"battery_voltage_max_hourly": live(func(p *plant) float64 { return p.hour.most }),
		"battery_voltage_min_daily":  live(leastV), "battery_voltage_max_daily": live(mostV),
		"array_voltage_max_daily": live(mostArrayV),
		"output_power_max_daily":  live(mostPower), "battery_temp_min_daily": live(coldest),
		"battery_temp_max_daily":   live(warmest),
		"absorption_seconds_daily": live(absorbing), "equalize_seconds_daily": fixed(0),
		"float_seconds_daily": live(inFloat),
	}
}

// genstarTotals returns the counters of the system, of the unit or of the shunt. whose is the prefix of their names.
func genstarTotals(whose string) table {
	all := table{whose + "_charge_kwh_daily": live(func(p *plant) float64 { return energyToday(p) / 1000 })}
	for kind, today := range map[string]quantity{"charge": live(chargedToday), "battery": live(netToday),
		"load": live(drawnToday)} {
		all[whose+"_"+kind+"_ah_daily"] = today
	}
	for _, end := range []string{"_resettable", "_total"} {
		all[whose+"_charge_kwh"+end] = live(energy)
		all[whose+"_charge_ah"+end] = live(charged)
		all[whose+"_battery_ah"+end] = live(netCharged)
		all[whose+"_load_ah"+end] = live(drawn)
	}
	return all
}
