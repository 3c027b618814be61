package sim

import (
	"math"
	"math/rand/v2"
	"time"
)

// step is the simulated time between two states of the plant. The controllers filter over 25 s and more, so a second is
// fine.
const step = time.Second

const day = 24 * time.Hour

// sweepEvery is how often an MPPT charger looks for the array's greatest power.
const sweepEvery = 5 * time.Minute

// loadState is what the load's switch does. The numbers are those of load_state, the same in all families.
type loadState uint16

const (
	loadOn      loadState = 1
	loadWarning loadState = 2
	loadLow     loadState = 3 // disconnected to save the battery
	loadFaulted loadState = 4
)

// plant is the sun, the array, the batteries, the loads and the charger between them. It starts at a midnight.
type plant struct {
	site   site
	set    settings
	unit   byte // unit id, for the registers that hold it
	random *rand.Rand
	time   time.Duration // since that midnight

	clear float64 // how clear the sky is, 0.3 to 1
	light bool    // the array is worth connecting: the controller's day
	banks []*bank // one or two; the first has the loads

	openV, peakV, peakW float64 // what the array could give; peakV and peakW with an MPPT charger alone
	available           float64 // A that could flow into the batteries
	arrayV, arrayA      float64
	sweep               sweep // of an MPPT charger
	ambient, heatsink   float64

	load   loadState
	warned time.Duration // below the disconnect voltage, in all since the warning began
	faults faults
	today  daily
	total  totals
	hour   extremes // of the first battery's volts, in this hour of the clock
	mostA  float64  // of the array, ever
}

// sweep is what an MPPT charger found when it last went through the array's voltages.
type sweep struct{ peakV, peakW, openV float64 }

// daily is what starts again each morning.
type daily struct {
	charged, drawn        float64 // Ah
	energy                float64 // Wh charged
	mostArrayV, mostPower float64
	celsius               extremes
	seen                  [roles]uint64 // faults and alarms by bit
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
		// A unit of about a year; the Ah need both words of their 32 bits, and the kWh are those Ah at 13 V.
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

// begin works out the state at midnight, once all that may be at fault is known.
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

// advance steps until the plant is less than one step before t, which counts from the midnight it started at.
// An earlier t changes nothing.
func (p *plant) advance(t time.Duration) {
	for p.time+step <= t {
		p.step()
	}
}

func (p *plant) step() {
	p.time += step
	// A first-order process around 0.85 with a deviation of 0.1 that forgets in 20 minutes: passing clouds.
	p.clear += (0.85-p.clear)/1200 + 0.004*p.random.NormFloat64()
	p.clear = min(max(p.clear, 0.3), 1)
	p.faults.apply(p)
	p.electric()
	p.temperatures()
	p.count()
	p.change()
}

// electric works out all voltages and currents of this moment.
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

// shine works out what the array could give.
func (p *plant) shine() {
	sun := sunAt(p.time%day) * p.clear
	p.openV = p.site.openV * math.Pow(sun, 0.08) // steep at dawn, nearly flat by day
	if p.site.peakV == 0 {
		p.available = shortCircuit * p.site.size * sun
		return
	}
	p.peakV = p.site.peakV / p.site.openV * p.openV
	p.peakW = peakWatts * p.site.size * p.site.multiple * sun
	// The converter only steps down: in weak light it cannot go as low as where the array gives most. The battery's
	// voltage is that of a moment ago, which is near enough.
	battery, part := p.banks[0].volts, 1.0
	if lowest := battery + lineDrop*p.site.multiple; p.peakV < lowest {
		part = max(p.openV-lowest, 0) / max(p.openV-p.peakV, 1e-9)
	}
	p.available = efficiency * p.peakW * part / battery
}

// distribute gives each battery its share, and what one does not take to the others.
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

// power returns what flows into the batteries and loads, in W.
func (p *plant) power() float64 {
	sum := 0.0
	for _, b := range p.banks {
		sum += b.chargeA * b.volts
	}
	return sum
}

// connect is a PWM charger, which ties the array straight to a battery for a part of the time, the duty; the array's
// voltage is the mean over both conditions.
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

// convert is an MPPT charger. It holds the array where it gives most, or nearer to its open voltage where less is
// wanted.
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

// count integrates what the controller counts.
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

// note keeps what is the least or the most so far.
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

// change moves day and night, the charger and the load's switch on. Dusk and dawn are a volt apart and more, so that a
// cloud at dawn does not end the day.
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

// disconnectV returns the voltage below which the load goes off, less the more current it draws.
func (p *plant) disconnectV() float64 {
	return p.site.multiple * (p.set.disconnectV - p.set.disconnectOhm*p.banks[0].loadA)
}

// switchLoad warns of a low battery, disconnects the load from it, and reconnects it once it has recovered.
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
