package sim

import "math"

// ssduo is a SunSaver Duo with a house battery, which has the loads, and a starter battery, which has no loads. It has
// a remote temperature sensor. Its product code is not documented; one program expects SSDuo.
func ssduo(s settings) model {
	return model{
		product: "SSDuo", hardware: "01.00", software: 3, // reported by the revision alone
		site:   site{multiple: 1, size: 1, openV: 21.5, second: 60},
		blocks: []run{{0x0000, 0x0028}, {0x0100, 0x0110}, {0xE000, 0xE01D}},
		roles:  map[string]role{"faults": chargeFault},
		table:  join(ssduoLive(), ssduoStates(), ssduoSettings(s)),
	}
}

// of returns a quantity for a number of battery i.
func of(i int, f func(*bank) float64) quantity {
	return live(func(p *plant) float64 { return f(p.banks[i]) })
}

func ssduoLive() table {
	all := table{
		"va": live(arrayV), "iamax": live(func(p *plant) float64 { return p.mostA }),
		"hours": live(hours), "ah_total": live(charged),
		"ta_C": live(ambient), "tr_C": live(ambient), "ths_C": live(heatsink),
		"ta_F": live(fahrenheit(ambient)), "tr_F": live(fahrenheit(ambient)), "ths_F": live(fahrenheit(heatsink)),
	}
	for i, n := range []string{"1", "2"} {
		duty := live(func(p *plant) float64 { return 100 * p.duty(i) })
		own := table{
			"vb" + n:     of(i, func(b *bank) float64 { return b.volts }),
			"ia" + n:     of(i, func(b *bank) float64 { return b.chargeA }),
			"vref" + n:   of(i, func(b *bank) float64 { return b.reference }),
			"vmaxb" + n:  of(i, func(b *bank) float64 { return b.ever.most }),
			"vminb" + n:  of(i, func(b *bank) float64 { return b.ever.least }),
			"ah_b" + n:   of(i, func(b *bank) float64 { return b.charged }),
			"dutcyc" + n: duty, "dc" + n: duty,
		}
		all = join(all, own)
	}
	return all
}

func fahrenheit(celsius func(*plant) float64) func(*plant) float64 {
	return func(p *plant) float64 { return celsius(p)*9/5 + 32 }
}

func ssduoStates() table {
	return table{
		"state": state(ssduoState), "faults": now(chargeFault), "flags": flags(ssduoFlags), "DIPs": bits(),
		"b1_state": state(ssduoCharge(0)), "b2_state": state(ssduoCharge(1)),
		"b1_detect": word("connected"), "b2_detect": word("connected"),
	}
}

// ssduoState returns 1 (NORMAL) while the charger charges.
func ssduoState(p *plant) uint16 {
	if charging(p) {
		return 1
	}
	return chargeStage(p)
}

// ssduoFlags returns valid_rts and started, and also regulation while a battery has reached its regulation voltage.
func ssduoFlags(p *plant) uint64 {
	all := uint64(1<<4 | 1<<7)
	for _, b := range p.banks {
		if b.charging() && b.regulated() {
			all |= 1 << 3
		}
	}
	return all
}

// ssduoCharge returns a function for the state of battery i: 0 (NORMAL) or 2 (FLOAT).
func ssduoCharge(i int) func(*plant) uint16 {
	return func(p *plant) uint16 {
		if p.banks[i].stage == floating {
			return 2
		}
		return 0
	}
}

// ssduoSettings returns the current settings, in RAM, and the settings in EEPROM for each position of the switches. All
// positions have the same settings. The raw number of the share is a whole number; 417 means 100 %.
func ssduoSettings(s settings) table {
	share := fixed(math.Round(417*firstShare) * 100 / 417)
	all := table{
		"priority": share, "priority_off": share, "priority_on": fixed(50),
		"tcompcoef": fixed(s.tempComp), "tcompcoef_ee": fixed(s.tempComp),
		"mt_id": live(meterID), "mb_id": live(unitID),
	}
	float := fixed(s.absorptionTime.Minutes())
	for _, n := range []string{"1", "2"} {
		all = join(all, table{
			"vabs" + n: fixed(s.absorptionV), "veql" + n: fixed(0), "vfloat" + n: fixed(s.floatV),
			"vclamp" + n: fixed(s.referenceLimit),
			"tfloat" + n: float, "teq" + n: fixed(0),
		})
		for _, dip := range []string{"off", "on"} {
			at := "_b" + n + "_dip" + n + "_" + dip
			all = join(all, table{
				"v_absorption" + at: fixed(s.absorptionV), "v_equalize" + at: fixed(0), "v_float" + at: fixed(s.floatV),
				"v_reg_max" + at: fixed(s.referenceLimit), "t_float" + at: float, "t_equalize" + at: fixed(0),
			})
		}
	}
	return all
}
