package sim

// pspwm is a ProStar PWM at 12 V.
func pspwm(s settings) model {
	return model{
		product: "PS-PWM-30M", hardware: "01.04", software: 6,
		site:   site{multiple: 1, size: 1, openV: 21.5},
		blocks: blocksOfProStar(0x004E),
		roles:  rolesOfProStar(), lowLoad: "lvd",
		table: join(prostar(s), table{
			"sw_ver": fixed(6), "hw_version": word("01.04"),
			"adc_pmeter": fixed(11.4), "adc_vrefint": fixed(1.224), "adc_FN3": fixed(-1.21), "adc_gatepv": fixed(11.9),
			"adc_gload":            live(func(p *plant) float64 { return batteryV(p) + 8.1 }),
			"adc_ia":               live(arrayA),
			"adc_va":               live(arrayV),
			"EV_sunrise_threshold": fixed(8), "EV_sunset_threshold": fixed(5),
		}),
	}
}
