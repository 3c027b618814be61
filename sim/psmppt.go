package sim

// psmppt is a ProStar MPPT at 12 V, on an array of 60 cells.
func psmppt(s settings) model {
	return model{
		product: "PS-MPPT-40M", hardware: "01.02", software: 18,
		site:   site{multiple: 1, size: 2.4, openV: 38, peakV: 31},
		blocks: blocksOfProStar(0x0051),
		roles:  rolesOfProStar(), lowLoad: "lvd",
		table: join(prostar(s), table{
			"sw_ver": fixed(18), "hw_version": word("01.02"),
			"adc_p12": fixed(12.1), "adc_p5": fixed(5.02), "adc_vmeter": fixed(11.4),
			"adc_ic_f_shadow": live(chargeA), "adc_ia_f_shadow": live(arrayA), "adc_va_f_shadow": live(arrayV),
			"adc_ib_f_shadow": live(netA),
			"T_ind[U]":        live(inductor), "T_ind[V]": live(inductor), "T_ind[W]": live(inductor),
			"Power_out": live(powerOut), "Sweep_Vmp": live(sweepV), "Sweep_Pmax": live(sweepW),
			"Sweep_Voc":           live(sweepOpen),
			"va_ref":              live(arrayAim),
			"vb_ref_charge_slave": fixed(0), // no master
			"va_ref_fixed":        fixed(0), "va_ref_fixed_pct": fixed(0), "EVa_ref_fixed": fixed(0),
			"EVa_ref_fixed_pct":       fixed(0),
			"alarm_on_setting_change": fixed(0), "Ealarm_on_setting_change": fixed(0),
			"Eib_lim": fixed(40), "Eic_lim": fixed(40),
			"EV_tempcomp": fixed(-s.tempComp), // seen negative
		}),
	}
}
