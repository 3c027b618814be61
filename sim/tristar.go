package sim

// tristarMPPT returns the objects that both TriStar MPPTs have under the same names. multiple is the nominal voltage as
// a multiple of 12 V.
func tristarMPPT(s settings, multiple float64) table {
	return join(tristarLive(), tristarCounters(), tristarNetwork(), tristarSettings(s, multiple))
}

func tristarLive() table {
	return table{
		"adc_vb_f_med": live(batteryV), "adc_vbterm_f": live(batteryV), "adc_vbs_f": live(senseV),
		"adc_ib_f_shadow": live(chargeA), "adc_ia_f_shadow": live(arrayA),
		"adc_p12_f": fixed(12.1), "adc_p3_f": fixed(3.28), "adc_pmeter_f": fixed(11.6),
		"T_hs": live(heatsink), "T_rts": live(ambient), "T_batt": live(ambient),
		"adc_vb_f_1m": live(filtered60), "adc_ib_f_1m": live(charge60), "vb_ref": live(reference),
		"fault": now(chargeFault), "alarm": now(alarm), "fault_daily": todays(chargeFault),
		"alarm_daily": todays(alarm),
		"flags_daily": flags(tristarDay), "dip_switch": bits("dip4", "dip5", "dip6"),
		"charge_state":  state(chargeStage),
		"sweep_Pin_max": live(sweepW), "sweep_vmp": live(sweepV), "sweep_voc": live(sweepOpen),
		// no master, no fixed array voltage
		"vb_ref_slave": fixed(0), "va_ref_fixed": fixed(0), "va_ref_fixed_pct": fixed(0),
		"EVa_ref_fixed_init": fixed(0), "EVa_ref_fixed_pct_init": fixed(0),
	}
}

// tristarDay returns flags_daily. Its bits mean: float was reached, there was an alarm, there was a fault.
func tristarDay(p *plant) uint64 {
	var day uint64
	for bit, came := range map[int]bool{2: inFloat(p) > 0, 3: p.today.seen[alarm] != 0,
		4: p.today.seen[chargeFault] != 0} {
		if came {
			day |= 1 << bit
		}
	}
	return day
}

func tristarCounters() table {
	return table{
		"vb_min": live(everLeastV), "vb_max": live(everMostV), "EVb_min": live(everLeastV), "EVb_max": live(everMostV),
		"EVa_max": live(mostArrayV), "hourmeter": live(hours), "Ehourmeter": live(hours),
		"Ahc_r": live(charged), "Ahc_t": live(charged), "EAhc_r": live(charged), "EAhc_t": live(charged),
		"kWhc_r": odometer(energy, wholeKWh), "kWhc_t": odometer(energy, wholeKWh),
		"EkWhc_r": odometer(energy, wholeKWh), "EkWhc_t": odometer(energy, wholeKWh),
		"vb_min_daily": live(leastV), "vb_max_daily": live(mostV), "va_max_daily": live(mostArrayV),
		"Ahc_daily": live(chargedToday), "Whc_daily": live(energyToday), "Pout_max_daily": live(mostPower),
		"Tb_min_daily": live(coldest), "Tb_max_daily": live(warmest),
		"time_ab_daily": live(absorbing), "time_eq_daily": fixed(0), "time_fl_daily": live(inFloat),
	}
}

// tristarNetwork returns the network settings of a unit whose Ethernet is not used. The addresses are invented.
func tristarNetwork() table {
	return table{
		"IPAddr": word("192.168.1.253"), "SubNetMask": word("255.255.255.0"), "Gateway": word("192.168.1.1"),
		"PrimaryDNS": word("192.168.1.1"), "SecondaryDNS": word("0.0.0.0"),
		"ControllerID": word("SolarController"), "NetFlags": bits("dhcp_enabled"),
		"MACAddress": word("02:00:00:12:34:56"), "NetBIOSName": word("TSMPPT"),
		"HTTPPort": fixed(80), "MBIPPort": fixed(502), "SNMPTrapRecPort": fixed(162),
		"NetRules": bits(), "EthPowerSave": bits("power_save_on"), "VLANEnable": bits(), "VLANParam": fixed(1),
	}
}

// tristarSettings returns the settings in volts of the system, as in the family files.
func tristarSettings(s settings, multiple float64) table {
	v := func(volts float64) quantity { return fixed(multiple * volts) }
	return join(s.common(multiple), table{
		"EV_absorp": v(s.absorptionV), "Et_absorp": lasting(s.absorptionTime),
		"Et_absorp_ext": lasting(s.lowAbsorptionTime), "EV_absorp_ext": v(s.lowTrip),
		"Et_batt_service": fixed(0), "Etmr_batt_service": fixed(0),
		"Emeterbus_id": live(meterID), "EIb_lim": fixed(60),
		"Eserial": serial,
	})
}
