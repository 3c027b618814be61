package sim

// tsmppt600 is a TriStar MPPT 600V at 48 V, with a firmware that has the newer register layout.
func tsmppt600(s settings) model {
	return model{
		product: "TS-MPPT-60-600V-48", hardware: "01.00", software: 21,
		site: site{multiple: 4, size: 5, openV: 380, peakV: 310},
		blocks: []run{{0x0000, 0x0068}, {0x100F, 0x1030}, {0x151B, 0x1521}, {0xE000, 0xE021}, {0xE080, 0xE08F},
			{0xE0C0, 0xE0CD}},
		roles: map[string]role{"fault": chargeFault, "alarm": alarm, "charge_state": chargeState},
		table: join(tristarMPPT(s, 4), table{
			"ver_sw": fixed(21), "ver_fpga": fixed(7), "n_sys_v": fixed(4), "Ehw_version": word("01.00"),
			"Emodel":          word("48V"),
			"adc_va_f_shadow": live(arrayV), "adc_p12ext_f": fixed(12.0), "adc_fp12_f": fixed(12.2),
			"led_state": state(look([5]uint16{6, 7, 8, 9, 11})),
			"power_out": live(powerOut), "power_in": live(powerIn),
			"ib_ref_charge_slave": fixed(0),
			"Esweep_va_max_lim":   fixed(525), "Esweep_va_min_lim": fixed(100),
			"Elog_ptr": fixed(0x8000),
		}),
	}
}
