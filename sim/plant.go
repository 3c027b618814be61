package sim

import (
	"math"
	"math/rand/v2"
	"time"
)

// step is the simulated time between two states of the plant. The filters of the controllers have 25 s and more, so
// steps of a second are short enough.
const step = time.Second

const day = 24 * time.Hour

// sweepEvery is the interval at which an MPPT charger searches the array's greatest power.
const sweepEvery = 5 * time.Minute

// loadState is the state of the load's switch. The numbers are the same as in load_state of all families.
type loadState uint16

const (
	loadOn      loadState = 1
	loadWarning loadState = 2
	loadLow     loadState = 3 // disconnected to save the battery
	loadFaulted loadState = 4
)

// plant simulates the sun, the array, the batteries, the loads and the charger. It starts at midnight.
type plant struct {
	site   site
	set    settings
	unit   byte // unit id, for the registers that hold it
	random *rand.Rand
	time   time.Duration // since that midnight

	clear float64 // how clear the sky is: 0.3 (clouds) to 1 (clear)
	light bool    // the array gives enough to charge: it is day for the controller
	banks []*bank // one or two; the first has the loads

	openV, peakV, peakW float64 // what the array could give; peakV and peakW only for an MPPT charger
	available           float64 // A that could flow into the batteries
	arrayV, arrayA      float64
	sweep               sweep // of an MPPT charger
	ambient, heatsink   float64

	load   loadState
	warned time.Duration // time below the disconnect voltage since the warning began
	faults faults
	today  daily
	total  totals
	hour   extremes // of the first battery's voltage, since the full hour
	mostA  float64  // highest current of the array, ever
}

// sweep is the result of an MPPT charger's last search for the array's greatest power.
type sweep struct{ peakV, peakW, openV float64 }

// daily has the values that start again each morning.
type daily struct {
	charged, drawn        float64 // Ah
	energy                float64 // Wh charged
	mostArrayV, mostPower float64
	celsius               extremes
	seen                  [roles]uint64 // masks of the faults and alarms of the day
}

// totals only ever grow.
type totals struct {
	charged, drawn float64 // Ah
	energy         float64 // kWh charged
	hours          float64 // of operation
}

func newPlant(at site, set settings, unit byte, seed uint64) *plant {
	p := &plant{
		site: at, set: set, unit: unit,
		random: rand.New(rand.NewPCG(seed, 0)),
		clear:  0.9,
		load:   loadOn,
		// Totals of a unit that is about a year old. The Ah need both words of their 32 bits. The kWh agree with the Ah
		// at 13 V.
		total: totals{
			charged: 21345.6 * at.size, drawn: 15210.3 * at.size, energy: 277.5 * at.size * at.multiple, hours: 8412,
		},
		mostA: 9.8 * at.size,
	}
	p.banks = []*bank{newBank(set, at.multiple, capacity*at.size, 1)}
	if at.second > 0 {
		p.banks[0].share = firstShare
		p.banks = append(p.banks, newBank(set, at.multiple, at.second, 1-firstShare))
	}
	for _, b := range p.banks {
		b.charged = b.share * p.total.charged
		b.volts = b.rest()
	}
	return p
}

// begin sets the state at midnight. Call it after the faults are set.
func (p *plant) begin() {
	p.ambient = ambientAt(0)
	p.heatsink = p.ambient
	p.faults.apply(p)
	p.electric()
	for _, b := range p.banks {
		b.settle()
	}
	p.hour.begin(p.banks[0].volts)
	p.newDay()
}

// advance runs the steps until t, a time since the midnight of the start. Afterwards p.time is less than one step
// before t. An earlier t changes nothing.
func (p *plant) advance(t time.Duration) {
	for p.time+step <= t {
		p.step()
	}
}

func (p *plant) step() {
	p.time += step
	// Clouds pass: a first-order process with a mean of 0.85, a deviation of 0.1 and a time constant of 20 minutes.
	p.clear += (0.85-p.clear)/1200 + 0.004*p.random.NormFloat64()
	p.clear = min(max(p.clear, 0.3), 1)
	p.faults.apply(p)
	p.electric()
	p.temperatures()
	p.count()
	p.change()
}

// electric calculates all voltages and currents of this moment.
func (p *plant) electric() {
	p.banks[0].loadA = p.draw()
	for _, b := range p.banks[1:] {
		b.loadA = standby
	}
	p.shine()
	p.distribute()
	if p.site.peakV > 0 {
		p.convert()
	} else {
		p.connect()
	}
}

// draw returns the current of the loads, in A.
func (p *plant) draw() float64 {
	if p.load >= loadLow {
		return 0
	}
	return loadAt(p.time%day) * p.site.size
}

// shine calculates what the array could give.
func (p *plant) shine() {
	sun := sunAt(p.time%day) * p.clear
	p.openV = p.site.openV * math.Pow(sun, 0.08) // rises fast at dawn, nearly constant by day
	if p.site.peakV == 0 {
		p.available = shortCircuit * p.site.size * sun
		return
	}
	p.peakV = p.site.peakV / p.site.openV * p.openV
	p.peakW = peakWatts * p.site.size * p.site.multiple * sun
	// The converter can only lower the voltage. In weak light the array gives most at a voltage that is below the
	// battery's, so the converter cannot use it. The battery's voltage is that of the step before: the error is small.
	battery, part := p.banks[0].volts, 1.0
	if lowest := battery + lineDrop*p.site.multiple; p.peakV < lowest {
		part = max(p.openV-lowest, 0) / max(p.openV-p.peakV, 1e-9)
	}
	p.available = efficiency * p.peakW * part / battery
}

// distribute gives each battery its share of the current. Current that one battery does not accept goes to the others.
func (p *plant) distribute() {
	left := p.available
	for _, b := range p.banks {
		b.aim(p.ambient)
		b.take(p.available * b.share)
		left -= b.chargeA
	}
	for _, b := range p.banks {
		if len(p.banks) > 1 && left > 0 {
			before := b.chargeA
			b.take(before + left)
			left -= b.chargeA - before
		}
	}
}

// charge returns the current into all batteries and loads, in A.
func (p *plant) charge() float64 {
	sum := 0.0
	for _, b := range p.banks {
		sum += b.chargeA
	}
	return sum
}

// power returns the power into all batteries and loads, in W.
func (p *plant) power() float64 {
	sum := 0.0
	for _, b := range p.banks {
		sum += b.chargeA * b.volts
	}
	return sum
}

// connect calculates the array's values for a PWM charger. Such a charger connects the array with a battery for a part
// of the time, the duty. The array's voltage is the mean over the connected and the open time.
func (p *plant) connect() {
	p.arrayA, p.arrayV = p.charge(), p.openV
	for i := range p.banks {
		connected := min(p.banks[i].volts+lineDrop*p.site.multiple, p.openV)
		p.arrayV -= p.duty(i) * (p.openV - connected)
	}
}

// duty returns the part of the time for which the array feeds a battery.
func (p *plant) duty(i int) float64 {
	if p.available == 0 {
		return 0
	}
	return p.banks[i].chargeA / p.available
}

// convert calculates the array's values for an MPPT charger. The charger keeps the array at the voltage of most power.
// If the batteries and loads accept less power, the voltage is higher.
func (p *plant) convert() {
	p.arrayA, p.arrayV = 0, p.openV
	if power := p.power() / efficiency; power > 0 {
		p.arrayV = p.peakV + (p.openV-p.peakV)*max(1-power/p.peakW, 0)
		p.arrayA = power / p.arrayV
	}
}

func (p *plant) temperatures() {
	p.ambient = ambientAt(p.time % day)
	charge, load := p.charge()/p.site.size, p.banks[0].loadA/p.site.size
	warm := p.ambient + 0.06*charge*charge + 0.02*load*load
	p.heatsink += (warm - p.heatsink) * step.Seconds() / 600
}

// count adds one step to all counters.
func (p *plant) count() {
	for _, b := range p.banks {
		b.count()
	}
	charged, drawn := p.charge()*step.Hours(), p.banks[0].loadA*step.Hours()
	p.today.charged += charged
	p.today.drawn += drawn
	p.today.energy += p.power() * step.Hours()
	p.total.charged += charged
	p.total.drawn += drawn
	p.total.energy += p.power() * step.Hours() / 1000
	p.total.hours += step.Hours()
	p.note()
}

// note updates the least and the highest values, the faults of the day and the sweep.
func (p *plant) note() {
	if p.time%time.Hour == 0 {
		p.hour.begin(p.banks[0].volts)
	}
	p.hour.note(p.banks[0].volts)
	p.mostA = max(p.mostA, p.arrayA)
	p.today.mostArrayV = max(p.today.mostArrayV, p.arrayV)
	p.today.mostPower = max(p.today.mostPower, p.power())
	p.today.celsius.note(p.ambient)
	for role, now := range p.faults.now {
		p.today.seen[role] |= now
	}
	if p.light && p.time%sweepEvery == 0 {
		p.sweep = sweep{p.peakV, p.peakW, p.openV}
	}
}

// change updates day and night, the stages of the charger and the load's switch. The limits for dawn and dusk differ by
// 1.5 V or more, so a cloud at dawn does not end the day.
func (p *plant) change() {
	first := p.banks[0].volts
	switch {
	case !p.light && p.openV > first+1.5*p.site.multiple && p.available >= 0.04*p.site.size:
		p.light = true
		p.sweep = sweep{p.peakV, p.peakW, p.openV}
		for _, b := range p.banks {
			b.sunrise()
		}
		p.newDay()
	case p.light && (p.openV < first || p.available < 0.01*p.site.size):
		p.light = false
	}
	for _, b := range p.banks {
		b.change(p.faults.noCharge, p.light)
	}
	p.switchLoad()
}

func (p *plant) newDay() {
	p.today = daily{mostArrayV: p.arrayV, mostPower: p.power(), seen: p.faults.now}
	p.today.celsius.begin(p.ambient)
}

// disconnectV returns the voltage below which the load is switched off. The higher the current, the lower the voltage.
func (p *plant) disconnectV() float64 {
	return p.site.multiple * (p.set.disconnectV - p.set.disconnectOhm*p.banks[0].loadA)
}

// switchLoad sets the state of the load's switch: a warning for a low battery, then disconnected, then connected again
// when the battery has recovered.
func (p *plant) switchLoad() {
	volts := p.banks[0].volts
	switch {
	case p.faults.noLoad:
		p.load = loadFaulted
	case p.load == loadFaulted, p.load == loadLow && volts > p.set.reconnectV*p.site.multiple:
		p.load, p.warned = loadOn, 0
	case p.load == loadLow:
	case volts >= p.disconnectV():
		p.load, p.warned = loadOn, 0
	case p.warned >= p.set.warning:
		p.load = loadLow
	default:
		p.load = loadWarning
		p.warned += step
	}
}
