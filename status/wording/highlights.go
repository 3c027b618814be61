package wording

// The objects that say most about a controller, by the names that the vendors give them, the likelier ones first.

// BatteryVoltage are the names of the battery voltage.
func BatteryVoltage() []string {
	return []string{
		"adc_vbterm", "adc_vb", "adc_vbterm_f", "adc_vb_f_1m", "adc_vb_f_med", "vb_f", "Adc_vb_f", "adc_vb_f",
		"battery_terminal_voltage", "vb1",
	}
}

// ChargeState are the names of the charge state.
func ChargeState() []string {
	return []string{"charge_state", "control_state", "b1_state", "load_state"}
}

// ArrayCurrent are the names of the current from the array, or into the battery where that one is not measured.
func ArrayCurrent() []string {
	return []string{"adc_ia", "adc_ia_f_shadow", "array_current", "adc_ib_f_shadow", "Adc_ic_f", "adc_ipv_f", "ia1"}
}
