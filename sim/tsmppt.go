package sim

import "math"

// tsmppt is a TriStar MPPT at 24 V. Its full scales are 180 V and 80 A, as in the MIB.
func tsmppt(s settings) model {
	return model{
		product: "TS-MPPT-60", hardware: "01.01", software: 25,
		site: site{multiple: 2, size: 3.5, openV: 100, peakV: 82},
		blocks: []run{{0x0000, 0x005B}, {0x1000, 0x1030}, {0x151B, 0x1521}, {0xE000, 0xE021}, {0xE080, 0xE08C},
			{0xE0C0, 0xE0CD}},
		roles: map[string]role{"fault": chargeFault, "alarm": alarm, "charge_state": chargeState},
		table: join(tristarMPPT(s, 2), table{
			"V_PU": fixed(180), "I_PU": fixed(80), "ver_sw": fixed(25), "Ehw_version": word("01.01"),
			"Emodel":             word("60A"),
			"ProcessorB_Version": fixed(12),
			"adc_va_f":           live(arrayV),
			"adc_p18_f":          fixed(1.81), "adc_v_ref": fixed(1.24),
			"led_state":        state(look([5]uint16{6, 6, 8, 8, 10})),
			"power_out_shadow": live(powerOut), "power_in_shadow": live(powerIn),
			"Whc_daily":    live(func(p *plant) float64 { return 10 * math.Floor(energyToday(p)/10) }),
			"Ib_ref_slave": fixed(0),
		}),
	}
}
