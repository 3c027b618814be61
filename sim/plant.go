package sim

import (
	"math"
	"math/rand/v2"
	"time"
)

// step is the simulated time between two states of the plant. The controllers filter over 25 s and more, so a second is fine.
const step = time.Second

const day = 24 * time.Hour

// The site: 180 W of 36-cell modules, a sealed 12 V battery and loads of about 45 Ah a day, two thirds of what the array gives.
const (
	shortCircuit = 10.0  // A of the array in full sun
	openCircuit  = 21.5  // V of the array in full sun
	capacity     = 100.0 // Ah of the battery
	lineDrop     = 0.15  // V from the array's terminals to the battery's while they are connected
	senseDrop    = 0.004 // Ω of the wires between the controller and the battery
	loadDrop     = 0.02  // Ω of the load's switch
)

// stage is what the charger does; its text is the name of charge_state.
type stage string

const (
	night      stage = "NIGHT"
	bulk       stage = "BULK"
	absorption stage = "ABSORPTION"
	floating   stage = "FLOAT"
)

// plant is the sun, the array, the battery, the loads and the charger between them. It starts at a midnight.
type plant struct {
	set    settings
	random *rand.Rand
	time   time.Duration // since that midnight

	clear  float64 // how clear the sky is, 0.3 to 1
	stored float64 // Ah in the battery

	stage    stage
	absorbed time.Duration // at the absorption voltage, today
	low      time.Duration // below the float voltage, since float was reached
	hold     time.Duration // of absorption before float, chosen each morning

	arrayV, arrayA    float64 // adc_va, adc_ia
	batteryV, loadA   float64 // adc_vbterm, adc_il
	reference         float64 // vb_ref, 0 at night
	filtered25        float64 // vb_f
	filtered60        float64 // adc_vb_f_1m
	net60             float64 // adc_ib_f_1m
	ambient, heatsink float64 // °C

	today daily
	total totals
}

// daily is what starts anew each morning.
type daily struct {
	leastV, mostV, mostArrayV float64
	charged, drawn            float64       // Ah
	absorbing, floating       time.Duration // time_ab_daily, time_fl_daily
}

// totals only ever grow.
type totals struct {
	charged, drawn float64 // Ah
	energy         float64 // kWh charged
	hours          float64 // of operation
}

func newPlant(set settings, seed uint64) *plant {
	p := &plant{
		set:    set,
		random: rand.New(rand.NewPCG(seed, 0)),
		clear:  0.9,
		stored: 0.68 * capacity,
		stage:  night,
		hold:   set.absorptionTime,
		// A unit of about a year; the Ah need both words of their 32 bits, and the kWh are those Ah at 13 V.
		total: totals{charged: 21345.6, drawn: 15210.3, energy: 277.5, hours: 8412},
	}
	p.ambient = ambientAt(0)
	p.heatsink = p.ambient
	p.electric()
	p.filtered25, p.filtered60, p.net60 = p.batteryV, p.batteryV, p.arrayA-p.loadA
	p.newDay()
	return p
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
	p.electric()
	p.temperatures()
	p.count()
	p.changeStage()
}

// electric works out all voltages and currents of this moment. A PWM charger connects the array straight to the battery for
// a part of the time, the duty; its array voltage is the mean of both conditions.
func (p *plant) electric() {
	p.loadA = loadAt(p.time % day)
	sun := sunAt(p.time%day) * p.clear
	open := openCircuit * math.Pow(sun, 0.08) // steep at dawn, nearly flat by day
	p.reference = p.target()
	if p.stage == night {
		p.arrayV, p.arrayA, p.batteryV = open, 0, p.terminal(-p.loadA)
		return
	}
	available, duty := shortCircuit*sun, 1.0
	p.arrayA, p.batteryV = available, p.terminal(available-p.loadA)
	if p.batteryV > p.reference {
		accepted := max((p.reference-p.rest())/p.resistance(), 0)
		p.arrayA, p.batteryV = min(accepted+p.loadA, available), p.reference
		duty = p.arrayA / available
	}
	connected := min(p.batteryV+lineDrop, open)
	p.arrayV = duty*connected + (1-duty)*open
}

// target returns the regulation voltage at the battery's temperature, 0 when the charger rests.
func (p *plant) target() float64 {
	compensation := p.set.tempComp * (p.ambient - 25)
	switch p.stage {
	case night:
		return 0
	case floating:
		return p.set.floatV - compensation
	default:
		return p.set.absorptionV - compensation
	}
}

// rest is the battery's voltage without current: 11.8 V empty, 12.9 V full.
func (p *plant) rest() float64 { return 11.8 + 1.1*p.stored/capacity }

// resistance is the battery's against charging, in Ω; it rises steeply as the battery fills, which is why the current tapers.
func (p *plant) resistance() float64 { return 0.02 + 1.2*math.Pow(p.stored/capacity, 12) }

// terminal returns the battery's voltage while net flows into it (A, negative: out of it).
func (p *plant) terminal(net float64) float64 {
	if net > 0 {
		return p.rest() + net*p.resistance()
	}
	return p.rest() + net*0.02
}

func (p *plant) temperatures() {
	p.ambient = ambientAt(p.time % day)
	warm := p.ambient + 0.06*p.arrayA*p.arrayA + 0.02*p.loadA*p.loadA
	p.heatsink += (warm - p.heatsink) * step.Seconds() / 600
}

// count integrates what the controller counts, and runs its filters.
func (p *plant) count() {
	const hours = float64(step) / float64(time.Hour)
	p.stored = min(p.stored+(p.arrayA-p.loadA)*hours, capacity)
	p.today.charged += p.arrayA * hours
	p.today.drawn += p.loadA * hours
	p.total.charged += p.arrayA * hours
	p.total.drawn += p.loadA * hours
	p.total.energy += p.arrayA * p.batteryV * hours / 1000
	p.total.hours += hours

	p.today.leastV = min(p.today.leastV, p.batteryV)
	p.today.mostV = max(p.today.mostV, p.batteryV)
	p.today.mostArrayV = max(p.today.mostArrayV, p.arrayV)

	p.filtered25 += (p.batteryV - p.filtered25) * step.Seconds() / 25
	p.filtered60 += (p.batteryV - p.filtered60) * step.Seconds() / 60
	p.net60 += (p.arrayA - p.loadA - p.net60) * step.Seconds() / 60
}

// changeStage moves the charger on. Dusk and dawn are a volt apart, so that a cloud at dawn does not end the day.
func (p *plant) changeStage() {
	regulated := p.batteryV >= p.reference
	switch {
	case p.stage == night:
		if p.arrayV > p.batteryV+1.5 {
			p.sunrise()
		}
	case p.arrayA < 0.01 || p.arrayV < p.batteryV:
		p.stage = night
	case p.stage == floating:
		p.keepFloat(regulated)
	case regulated:
		p.absorb()
	case p.batteryV < p.reference-0.2:
		p.stage = bulk
	}
}

// absorb counts the time at the absorption voltage and ends it with float.
func (p *plant) absorb() {
	p.stage = absorption
	p.absorbed += step
	p.today.absorbing += step
	if p.absorbed >= p.hold {
		p.stage, p.low = floating, 0
	}
}

// keepFloat goes back to bulk charging once the battery has been below the float voltage for long enough in all.
func (p *plant) keepFloat(regulated bool) {
	p.today.floating += step
	if !regulated {
		p.low += step
	}
	if p.low >= p.set.floatExit {
		p.stage, p.absorbed = bulk, 0
	}
}

// sunrise starts the controller's day. A battery that was low in the night gets the longer absorption.
func (p *plant) sunrise() {
	p.hold = p.set.absorptionTime
	if p.today.leastV < p.set.lowTrip {
		p.hold = p.set.lowAbsorptionTime
	}
	p.stage, p.absorbed, p.low = bulk, 0, 0
	p.newDay()
}

func (p *plant) newDay() {
	p.today = daily{leastV: p.batteryV, mostV: p.batteryV, mostArrayV: p.arrayV}
}

// sunAt returns the clear sky's part of full sun at a time of day: from 6 to 18 o'clock, 1 at noon.
func sunAt(t time.Duration) float64 {
	return max(math.Sin(math.Pi*(t.Hours()-6)/12), 0)
}

// loadAt returns the load's current in A: a radio always, a pump for ten minutes each half hour, lamps from 18 to 23 o'clock.
func loadAt(t time.Duration) float64 {
	amperes := 0.8
	if t%(30*time.Minute) < 10*time.Minute {
		amperes += 1.5
	}
	if t >= 18*time.Hour && t < 23*time.Hour {
		amperes += 3
	}
	return amperes
}

// ambientAt returns the air's temperature in °C: 24 at 15 o'clock, 10 at three at night.
func ambientAt(t time.Duration) float64 {
	return 17 + 7*math.Cos(math.Pi*(t.Hours()-15)/12)
}
