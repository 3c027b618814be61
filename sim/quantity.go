package sim

import (
	"maps"
	"math"
	"time"

	"noi-agent/objects"
)

// quantity returns the value of an object for the state of the plant.
type quantity func(*plant, *objects.Object) objects.Value

// table has the quantity of each object of a family, by the object's name.
type table map[string]quantity

// join returns the entries of all tables. If two tables have an entry for the same object, the later table counts.
func join(tables ...table) table {
	all := table{}
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}

// live returns a quantity for a number of the plant.
func live(f func(*plant) float64) quantity {
	return func(p *plant, _ *objects.Object) objects.Value { return objects.Number(f(p)) }
}

// odometer returns a quantity for a counter that continues at 0 when it would reach most, like a full register.
func odometer(f func(*plant) float64, most float64) quantity {
	return live(func(p *plant) float64 { return math.Mod(f(p), most) })
}

// fixed returns a quantity for a number that never changes, such as a setting.
func fixed(f float64) quantity { return live(func(*plant) float64 { return f }) }

// lasting returns a quantity for a duration that never changes, in seconds.
func lasting(d time.Duration) quantity { return fixed(d.Seconds()) }

// word returns a quantity for a text or a state that never changes.
func word(s string) quantity {
	return func(*plant, *objects.Object) objects.Value { return objects.Text(s) }
}

// bits returns a quantity for bits that never change, lowest bit first.
func bits(names ...string) quantity {
	return func(*plant, *objects.Object) objects.Value { return objects.Bits(names) }
}

// flags returns a quantity for bits that depend on the plant. f returns their mask.
func flags(f func(*plant) uint64) quantity {
	return func(p *plant, o *objects.Object) objects.Value { return bitsOf(o, f(p)) }
}

// state returns a quantity for a state that depends on the plant. f returns its number.
func state(f func(*plant) uint16) quantity {
	return func(p *plant, o *objects.Object) objects.Value { return stateOf(o, f(p)) }
}

// noSensor is the quantity of a number whose sensor is absent.
func noSensor(*plant, *objects.Object) objects.Value { return objects.Value{} }

// now returns a quantity for the current faults or alarms of a role. todays returns one for those since the morning.
func now(r role) quantity    { return flags(func(p *plant) uint64 { return p.faults.now[r] }) }
func todays(r role) quantity { return flags(func(p *plant) uint64 { return p.today.seen[r] }) }

func chargeStage(p *plant) uint16 { return uint16(p.banks[0].stage) }
func loadSwitch(p *plant) uint16  { return uint16(p.load) }

// unitID and meterID are the ids of the unit. A MeterBus id is 1 to 15.
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

// loadV returns the voltage at the load's terminals; 0 while the load is off.
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

// arrayAim returns the array voltage that the converter regulates to; 0 while it does not charge.
func arrayAim(p *plant) float64 {
	if !charging(p) {
		return 0
	}
	return p.arrayV
}

func ambient(p *plant) float64  { return p.ambient }
func heatsink(p *plant) float64 { return p.heatsink }

// inductor returns a temperature that is above the heatsink's while current flows.
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

// look returns the function for the state of charge LED. In the stages fault, absorption and float the LED shows the
// stage; in the others it shows the battery's voltage. The numbers are those of led_state, the same in all families
// that have it. colours has the family's numbers for the five voltage ranges, from green to red.
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

// chargeLED is green (6) while the charger charges. No source has the number for a dark LED; 0 is used.
func chargeLED(p *plant) uint16 {
	if !charging(p) {
		return 0
	}
	return 6
}
