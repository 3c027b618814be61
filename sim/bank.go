package sim

import "time"

// stage is the state of the charger for one battery. The numbers are the same as in charge_state of all families. The
// names differ between the families (BULK, BULK_CHARGE, MPPT).
type stage uint16

const (
	night      stage = 3
	faulted    stage = 4
	bulk       stage = 5
	absorption stage = 6
	floating   stage = 7
)

// bank is one battery, with the charger's measured values and times for it.
type bank struct {
	set      settings
	multiple float64 // nominal voltage as a multiple of 12 V
	capacity float64 // Ah
	stored   float64 // Ah
	share    float64 // part of the array's current, while all batteries need more

	stage    stage
	absorbed time.Duration // time at the absorption voltage since the morning or the last float
	low      time.Duration // time below the float voltage, since float was reached
	hold     time.Duration // time of absorption before float; set each morning

	chargeA, loadA, volts float64
	reference             float64 // V that the charger regulates to; 0 while it does not charge
	filtered25            float64 // V
	filtered60            float64 // V
	net60, charge60       float64 // A

	today, ever         extremes      // of volts
	absorbing, floating time.Duration // today
	charged             float64       // Ah, in all
}

// extremes has the least and the greatest value since begin.
type extremes struct{ least, most float64 }

func (e *extremes) begin(f float64) { e.least, e.most = f, f }
func (e *extremes) note(f float64)  { e.least, e.most = min(e.least, f), max(e.most, f) }

func newBank(set settings, multiple, ah, share float64) *bank {
	return &bank{
		set: set, multiple: multiple, capacity: ah, stored: 0.68 * ah, share: share, stage: night,
		hold: set.absorptionTime,
		ever: extremes{12.3 * multiple, 13.9 * multiple}, // a real unit has values of the time before, too
	}
}

func (b *bank) charging() bool { return b.stage >= bulk }

// regulated reports whether the battery has reached the regulation voltage.
func (b *bank) regulated() bool { return b.volts >= b.reference }

// aim sets the regulation voltage at the battery's temperature.
func (b *bank) aim(celsius float64) {
	compensation := b.set.tempComp * (celsius - 25)
	switch b.stage {
	case night, faulted:
		b.reference = 0
	case floating:
		b.reference = b.multiple * (b.set.floatV - compensation)
	default:
		b.reference = b.multiple * (b.set.absorptionV - compensation)
	}
}

// take sets the charge current and the voltage of the battery for an offered current, in A. The battery accepts less
// than offered if it reaches the regulation voltage.
func (b *bank) take(offered float64) {
	if !b.charging() {
		b.chargeA, b.volts = 0, b.terminal(-b.loadA)
		return
	}
	b.chargeA, b.volts = offered, b.terminal(offered-b.loadA)
	if b.volts > b.reference {
		accepted := max((b.reference-b.rest())/b.resistance(), 0)
		b.chargeA, b.volts = min(accepted+b.loadA, offered), b.reference
	}
}

func (b *bank) full() float64 { return b.stored / b.capacity }

// rest returns the battery's voltage without current. At 12 V nominal it is 12.9 V for a full battery and 12.0 V at a
// fifth. Below a fifth it falls fast, to 10.8 V for an empty battery.
func (b *bank) rest() float64 {
	return b.multiple * (11.8 + 1.1*b.full() - 5*max(0.2-b.full(), 0))
}

// ohm returns the resistance of the battery's plates and wires, in Ω.
func (b *bank) ohm() float64 { return 0.02 * b.multiple * capacity / b.capacity }

// resistance returns the battery's resistance against charging, in Ω. It rises fast when the battery is nearly full.
// Therefore the current falls during absorption.
func (b *bank) resistance() float64 {
	third := b.full() * b.full() * b.full() // its fourth power is the twelfth
	return b.ohm() * (1 + 60*third*third*third*third)
}

// terminal returns the battery's voltage at a current of net into the battery (A; negative: out of the battery).
func (b *bank) terminal(net float64) float64 {
	if net > 0 {
		return b.rest() + net*b.resistance()
	}
	return b.rest() + net*b.ohm()
}

// count adds one step to the counters, and updates the controller's filters.
func (b *bank) count() {
	b.stored = min(max(b.stored+(b.chargeA-b.loadA)*step.Hours(), 0), b.capacity)
	b.charged += b.chargeA * step.Hours()
	b.today.note(b.volts)
	b.ever.note(b.volts)
	filter := func(value *float64, now, seconds float64) { *value += (now - *value) * step.Seconds() / seconds }
	filter(&b.filtered25, b.volts, 25)
	filter(&b.filtered60, b.volts, 60)
	filter(&b.net60, b.chargeA-b.loadA, 60)
	filter(&b.charge60, b.chargeA, 60)
}

// settle sets the filters and today's extremes to the current values.
func (b *bank) settle() {
	b.filtered25, b.filtered60 = b.volts, b.volts
	b.net60, b.charge60 = b.chargeA-b.loadA, b.chargeA
	b.today.begin(b.volts)
}

// change sets the next stage of the charger. stopped: a fault forbids charging. light: it is day.
func (b *bank) change(stopped, light bool) {
	switch {
	case stopped:
		b.stage = faulted
	case !light:
		b.stage = night
	case !b.charging():
		b.stage = bulk
	case b.stage == floating:
		b.keepFloat()
	case b.regulated():
		b.absorb()
	case b.volts < b.reference-0.2*b.multiple:
		b.stage = bulk
	}
}

// absorb counts the time at the absorption voltage. After hold the stage is float.
func (b *bank) absorb() {
	b.stage = absorption
	b.absorbed += step
	b.absorbing += step
	if b.absorbed >= b.hold {
		b.stage, b.low = floating, 0
	}
}

// keepFloat counts the time in float. If the battery was below the float voltage for floatExit in sum, the stage is
// bulk again.
func (b *bank) keepFloat() {
	b.floating += step
	if !b.regulated() {
		b.low += step
	}
	if b.low >= b.set.floatExit {
		b.stage, b.absorbed = bulk, 0
	}
}

// sunrise starts the controller's day. If the battery was low since the last sunrise, absorption takes longer.
func (b *bank) sunrise() {
	b.hold = b.set.absorptionTime
	if b.today.least < b.set.lowTrip*b.multiple {
		b.hold = b.set.lowAbsorptionTime
	}
	b.absorbed, b.low, b.absorbing, b.floating = 0, 0, 0, 0
	b.today.begin(b.volts)
}
