package wording

// This file lists the most important objects of a controller. Vendors give them different names. The first name that a
// family has is used.

// BatteryVoltage returns the names of the battery voltage.
func BatteryVoltage() []string {
	return []string{
		"adc_vbterm", "adc_vb", "adc_vbterm_f", "adc_vb_f_1m", "adc_vb_f_med", "vb_f", "Adc_vb_f", "adc_vb_f",
		"battery_terminal_voltage", "vb1",
	}
}

// ChargeState returns the names of the charge state.
func ChargeState() []string {
	return []string{"charge_state", "control_state", "b1_state", "load_state"}
}

// ArrayCurrent returns the names of the current from the array. For families that do not measure it, they are the names
// of the current into the battery.
func ArrayCurrent() []string {
	return []string{"adc_ia", "adc_ia_f_shadow", "array_current", "adc_ib_f_shadow", "Adc_ic_f", "adc_ipv_f", "ia1"}
}
