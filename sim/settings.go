package sim

import "time"

// settings are the settings of the charger, for 12 V nominal at 25 °C.
type settings struct {
	absorptionV, floatV float64
	absorptionTime      time.Duration
	lowAbsorptionTime   time.Duration // after a night below lowTrip
	lowTrip             float64
	floatCancel         float64
	floatExit           time.Duration
	tempComp            float64 // V/°C; subtracted for each °C above 25 °C
	batteryHighV        float64 // V at which charging ends
	batteryBackV        float64 // V at which charging starts again
	referenceLimit      float64
	disconnectV         float64 // V below which the load is disconnected
	disconnectOhm       float64 // V less for each A of load
	reconnectV          float64
	warning             time.Duration // time of the warning before the load is disconnected
	loadHighV, loadBack float64
	ledV                [4]float64 // V limits of the state of charge LED, from green to red
}

// sealed returns plausible settings for the second battery type (sealed) of the ProStar's DIP switches. They are the
// values that the maker publishes for such batteries, if it publishes any. They were not read from a unit.
func sealed() settings {
	return settings{
		absorptionV: 14.15, floatV: 13.70,
		absorptionTime: 150 * time.Minute, lowAbsorptionTime: 180 * time.Minute, lowTrip: 12.5, floatCancel: 11.5,
		floatExit: 30 * time.Minute, tempComp: 0.03,
		batteryHighV: 15.5, batteryBackV: 14.5, referenceLimit: 15,
		disconnectV: 11.5, disconnectOhm: 0.015, reconnectV: 12.6, warning: 65 * time.Second,
		loadHighV: 15.3, loadBack: 14.5,
		ledV: [4]float64{12.6, 12.35, 12.05, 11.75},
	}
}

// common returns the settings that several families have under the same names. multiple is the nominal voltage as a
// multiple of 12 V. A sealed battery is never equalized.
func (s settings) common(multiple float64) table {
	v := func(volts float64) quantity { return fixed(multiple * volts) }
	return table{
		"EV_reg": v(s.absorptionV), "EV_float": v(s.floatV), "EV_float_cancel": v(s.floatCancel),
		"Et_float": lasting(s.absorptionTime), "Et_floatlb": lasting(s.lowAbsorptionTime),
		"EV_floatlb_trip": v(s.lowTrip), "Et_float_exit_cum": lasting(s.floatExit),
		"EV_eq": fixed(0), "Et_eqcalendar": fixed(0), "Et_eq_above": fixed(0), "Et_eq_reg": fixed(0),
		"Etmr_eqcalendar": fixed(0),
		"EV_tempcomp":     v(s.tempComp), "EV_hvd": v(s.batteryHighV), "EV_hvr": v(s.batteryBackV),
		"Evb_ref_lim": v(s.referenceLimit),
		"ETb_max":     fixed(60), "ETb_min": fixed(-30),
		"EV_lvd": v(s.disconnectV), "EV_lvr": v(s.reconnectV), "EV_lhvd": v(s.loadHighV), "EV_lhvr": v(s.loadBack),
		"ER_icomp": fixed(s.disconnectOhm), "Et_lvd_warn": lasting(s.warning),
		"EV_soc_g_gy": v(s.ledV[0]), "EV_soc_gy_y": v(s.ledV[1]), "EV_soc_y_yr": v(s.ledV[2]),
		"EV_soc_yr_r": v(s.ledV[3]),
		"Emodbus_id":  live(unitID), "Emeter_id": live(meterID),
	}
}
