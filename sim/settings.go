package sim

import (
	"time"

	"noi-agent/objects"
)

// settings are the charger's, for 12 V nominal at 25 °C.
type settings struct {
	absorptionV, floatV float64
	absorptionTime      time.Duration
	lowAbsorptionTime   time.Duration // after a night below lowTrip
	lowTrip             float64
	floatExit           time.Duration
	tempComp            float64 // V/°C, taken off above 25 °C
	disconnectV         float64 // of the load
	disconnectOhm       float64 // V less for each A of load
	loadHighV           float64
	ledV                [4]float64 // limits of the state of charge LED, from green down
}

// sealed is plausible for the second battery type (sealed) of the ProStar's DIP switches. The values follow what the maker
// prints for such batteries where it prints any; they were not read from a unit.
func sealed() settings {
	return settings{
		absorptionV: 14.15, floatV: 13.70,
		absorptionTime: 150 * time.Minute, lowAbsorptionTime: 180 * time.Minute, lowTrip: 12.5,
		floatExit: 30 * time.Minute, tempComp: 0.03,
		disconnectV: 11.5, disconnectOhm: 0.015, loadHighV: 15.3,
		ledV: [4]float64{12.6, 12.35, 12.05, 11.75},
	}
}

func seconds(d time.Duration) objects.Value { return objects.Number(d.Seconds()) }

// registers returns the settings as the EEPROM holds them, and what is burnt into a unit beside them.
func (s settings) registers() map[string]objects.Value {
	n := objects.Number
	return map[string]objects.Value{
		"EV_reg": n(s.absorptionV), "EV_float": n(s.floatV),
		"Et_float": seconds(s.absorptionTime), "Et_floatlb": seconds(s.lowAbsorptionTime),
		"EV_floatlb_trip": n(s.lowTrip), "EV_float_cancel": n(11.5), "Et_float_exit_cum": seconds(s.floatExit),
		"EV_eq": n(0), "Et_eqcalendar": n(0), "Et_eq_above": n(0), "Et_eq_reg": n(0), // sealed: never equalized
		"Evb_ref_charge_lim": n(15), "EV_tempcomp": n(s.tempComp),
		"EV_hvd": n(15.5), "EV_hvr": n(14.5), "Evb_ref_lim": n(15),
		"ETb_max": n(60), "ETb_min": n(-30), "ETb_lo_limit_100": n(-20), "ETb_lo_limit_0": n(-25),
		"EV_lvd": n(s.disconnectV), "EV_lvr": n(12.6), "EV_lhvd": n(s.loadHighV), "EV_lhvr": n(14.5),
		"ER_icomp": n(s.disconnectOhm), "Et_lvd_warn": n(65),
		"EV_sunrise_threshold": n(8), "EV_sunset_threshold": n(5),
		"EV_soc_g_gy": n(s.ledV[0]), "EV_soc_gy_y": n(s.ledV[1]), "EV_soc_y_yr": n(s.ledV[2]), "EV_soc_yr_r": n(s.ledV[3]),
		"Emodbus_id": n(1), "Emeter_id": n(1), "Eic_lim": n(30),
		"Etmr_eqcalendar": n(0),
		"serial_number":   objects.Text("21053417"),
		"model_id":        n(4), // the known numbers are not; any will do
		"hw_version":      objects.Text("01.04"),
	}
}
