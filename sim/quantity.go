package sim

import (
	"maps"
	"math"
	"time"

	"noi-agent/objects"
)

// quantity is what an object shows of the plant.
type quantity func(*plant, *objects.Object) objects.Value

// table says what each object of a family shows, by name.
type table map[string]quantity

// join returns all entries; of two for one object the later one counts.
func join(tables ...table) table {
	all := table{}
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}

// live is a number of the plant's.
func live(f func(*plant) float64) quantity {
	return func(p *plant, _ *objects.Object) objects.Value { return objects.Number(f(p)) }
}

// odometer is a counter that begins again at 0 when it would reach most, as a register does that is full.
func odometer(f func(*plant) float64, most float64) quantity {
	return live(func(p *plant) float64 { return math.Mod(f(p), most) })
}

// fixed is a number that never changes: a setting, a supply.
func fixed(f float64) quantity { return live(func(*plant) float64 { return f }) }

// lasting is a setting in seconds.
func lasting(d time.Duration) quantity { return fixed(d.Seconds()) }

// word is a text or state that never changes.
func word(s string) quantity {
	return func(*plant, *objects.Object) objects.Value { return objects.Text(s) }
}

// bits are flags that never change, lowest bit first.
func bits(names ...string) quantity {
	return func(*plant, *objects.Object) objects.Value { return objects.Bits(names) }
}

// flags are bits that the plant decides.
func flags(f func(*plant) uint64) quantity {
	return func(p *plant, o *objects.Object) objects.Value { return bitsOf(o, f(p)) }
}

// state is one that the plant decides, by its number.
func state(f func(*plant) uint16) quantity {
	return func(p *plant, o *objects.Object) objects.Value { return stateOf(o, f(p)) }
}

// noSensor is a number whose sensor is not there.
func noSensor(*plant, *objects.Object) objects.Value { return objects.Value{} }

// now are the faults or alarms of a role that are there, and todays those that were there since the morning.
func now(r role) quantity    { return flags(func(p *plant) uint64 { return p.faults.now[r] }) }
func todays(r role) quantity { return flags(func(p *plant) uint64 { return p.today.seen[r] }) }

func chargeStage(p *plant) uint16 { return uint16(p.banks[0].stage) }
func loadSwitch(p *plant) uint16  { return uint16(p.load) }

// unitID, meterID: the MeterBus has ids up to 15.
func unitID(p *plant) float64  { return float64(p.unit) }
func meterID(p *plant) float64 { return float64(1 + (p.unit-1)%15) }

func batteryV(p *plant) float64   { return p.banks[0].volts }
func reference(p *plant) float64  { return p.banks[0].reference }
func filtered25(p *plant) float64 { return p.banks[0].filtered25 }
func filtered60(p *plant) float64 { return p.banks[0].filtered60 }
func net60(p *plant) float64      { return p.banks[0].net60 }
func charge60(p *plant) float64   { return p.banks[0].charge60 }
func chargeA(p *plant) float64    { return p.charge() }
func loadA(p *plant) float64      { return p.banks[0].loadA }
func netA(p *plant) float64       { return p.charge() - loadA(p) }
func arrayV(p *plant) float64     { return p.arrayV }
func arrayA(p *plant) float64     { return p.arrayA }
func senseV(p *plant) float64     { return batteryV(p) - senseDrop*p.site.multiple/p.site.size*netA(p) }
func lowLoadV(p *plant) float64   { return p.disconnectV() }
func highLoadV(p *plant) float64  { return p.set.loadHighV * p.site.multiple }
func charging(p *plant) bool      { return p.banks[0].charging() }
func full(p *plant) float64       { return 100 * p.banks[0].full() }

// loadV is the voltage at the load's terminals; none while they are off.
func loadV(p *plant) float64 {
	if p.load >= loadLow {
		return 0
	}
	return batteryV(p) - loadDrop*p.site.multiple/p.site.size*loadA(p)
}

func powerOut(p *plant) float64  { return p.power() }
func powerIn(p *plant) float64   { return p.arrayV * p.arrayA }
func sweepV(p *plant) float64    { return p.sweep.peakV }
func sweepW(p *plant) float64    { return p.sweep.peakW }
func sweepOpen(p *plant) float64 { return p.sweep.openV }

// arrayAim is the array voltage that the converter holds; none while it rests.
func arrayAim(p *plant) float64 {
	if !charging(p) {
		return 0
	}
	return p.arrayV
}

func ambient(p *plant) float64  { return p.ambient }
func heatsink(p *plant) float64 { return p.heatsink }

// inductor is warmer than the heatsink while current flows.
func inductor(p *plant) float64 { return p.heatsink + 0.4*p.charge()/p.site.size }

func charged(p *plant) float64    { return p.total.charged }
func drawn(p *plant) float64      { return p.total.drawn }
func netCharged(p *plant) float64 { return p.total.charged - p.total.drawn }
func energy(p *plant) float64     { return p.total.energy }
func hours(p *plant) float64      { return math.Floor(p.total.hours) }

func leastV(p *plant) float64       { return p.banks[0].today.least }
func mostV(p *plant) float64        { return p.banks[0].today.most }
func everLeastV(p *plant) float64   { return p.banks[0].ever.least }
func everMostV(p *plant) float64    { return p.banks[0].ever.most }
func mostArrayV(p *plant) float64   { return p.today.mostArrayV }
func mostPower(p *plant) float64    { return p.today.mostPower }
func coldest(p *plant) float64      { return p.today.celsius.least }
func warmest(p *plant) float64      { return p.today.celsius.most }
func chargedToday(p *plant) float64 { return p.today.charged }
func drawnToday(p *plant) float64   { return p.today.drawn }
func netToday(p *plant) float64     { return p.today.charged - p.today.drawn }
func energyToday(p *plant) float64  { return p.today.energy } // Wh
func absorbing(p *plant) float64    { return p.banks[0].absorbing.Seconds() }
func inFloat(p *plant) float64      { return p.banks[0].floating.Seconds() }

// look is the state of charge LED: the stage while it regulates, else the battery's voltage. The numbers are those of
// led_state, the same in all families that have it; colours are those of a family, from green down to red.
func look(colours [5]uint16) func(*plant) uint16 {
	return func(p *plant) uint16 {
		switch p.banks[0].stage {
		case faulted:
			return 12 // red, yellow and green in turn
		case absorption:
			return 5
		case floating:
			return 4
		}
		for i, limit := range p.set.ledV {
			if filtered25(p) >= limit*p.site.multiple {
				return colours[i]
			}
		}
		return colours[4]
	}
}

// chargeLED is green by day. No source names the number of a dark one; 0 stands for it.
func chargeLED(p *plant) uint16 {
	if !charging(p) {
		return 0
	}
	return 6
}
