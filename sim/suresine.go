package sim

import "math"

// suresine is a SureSine-300 with 115 V at a battery that another charger charges. It does not identify itself: its
// product code is not documented.
func suresine(s settings) model {
	v := func(volts float64) quantity { return fixed(volts) }
	return model{
		site:   site{multiple: 1, size: 3, openV: 21.5},
		blocks: []run{{0x0000, 0x0010}, {0xE000, 0xE00B}, {0xE040, 0xE047}},
		roles:  map[string]role{"fault": loadFault, "alarm": alarm, "load_state": switchState},
		table: join(suresineLive(), table{
			"EVb_min": live(everLeastV), "EVb_max": live(everMostV), "Emodbus_id": live(unitID),
			"Emeter_id": live(meterID),
			"EV_lvd2":   v(s.disconnectV), "EV_lvr2": v(s.reconnectV), "EV_hvd2": v(s.batteryHighV),
			"EV_hvr2":      v(s.batteryBackV),
			"Et_lvd_warn2": lasting(s.warning), "EV_lvdwarn_beep2": v(11.8), "EV_lvrwarn_beep2": v(12.0),
			"EV_startlvd2":  v(12.0),
			"Ehourmeter":    odometer(hours, 1<<16), // only the low word
			"serial_number": serial,
		}),
	}
}

func suresineLive() table {
	return table{
		"adc_vb": live(batteryV), "Vb": live(filtered25), "adc_iac": live(outputA), "Iac": live(outputA),
		"adc_ths": live(thermistor), "adc_remon": fixed(0xFFC0), // raw: the remote switch is on
		"Ths": live(heatsink), "fault": now(loadFault), "alarm": now(alarm),
		"dip_switch": bits("modbus"), "load_state": state(loadSwitch),
		"mod_index": live(modulation), "volts": fixed(outputV), "hertz": fixed(60),
	}
}

const outputV = 115 // V of the inverter

// outputA returns the AC current in A: the battery's power without the losses of the inverter, at outputV.
func outputA(p *plant) float64 { return efficiency * loadA(p) * batteryV(p) / outputV }

// modulation returns the modulation index in percent. It is higher at a lower battery voltage, and 0 while the inverter
// is off.
func modulation(p *plant) float64 {
	if p.load >= loadLow {
		return 0
	}
	return min(100*10.5/batteryV(p), 99)
}

// thermistor returns the raw value of a sensor whose scale is not documented. It falls when the heatsink gets warmer.
func thermistor(p *plant) float64 { return math.Round(40000 - 300*heatsink(p)) }
