package sim

import "time"

// stage is what the charger does with one battery. The numbers are those of charge_state, the same in all families;
// their names are not (BULK, BULK_CHARGE, MPPT).
type stage uint16

const (
	night      stage = 3
	faulted    stage = 4
	bulk       stage = 5
	absorption stage = 6
	floating   stage = 7
)

// bank is one battery, with what the charger knows of it.
type bank struct {
	set      settings
	multiple float64 // of 12 V nominal
	capacity float64 // Ah
	stored   float64 // Ah
	share    float64 // of the array, while all batteries ask for more

	stage    stage
	absorbed time.Duration // at the absorption voltage, today
	low      time.Duration // below the float voltage, since float was reached
	hold     time.Duration // of absorption before float, chosen each morning

	chargeA, loadA, volts float64
	reference             float64 // V the charger regulates to, 0 while it rests
	filtered25            float64 // V
	filtered60            float64 // V
	net60, charge60       float64 // A

	today, ever         extremes      // of volts
	absorbing, floating time.Duration // today
	charged             float64       // Ah, in all
}

// extremes are the least and the greatest value that was noted.
type extremes struct{ least, most float64 }

func (e *extremes) begin(f float64) { e.least, e.most = f, f }
func (e *extremes) note(f float64)  { e.least, e.most = min(e.least, f), max(e.most, f) }

func newBank(set settings, multiple, ah, share float64) *bank {
	return &bank{
		set: set, multiple: multiple, capacity: ah, stored: 0.68 * ah, share: share, stage: night,
		hold: set.absorptionTime,
		ever: extremes{12.3 * multiple, 13.9 * multiple}, // since they were cleared, not long ago
	}
}

func (b *bank) charging() bool { return b.stage >= bulk }

// regulated reports whether the battery has the voltage it is to have.
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

// take lets the battery take what it can of the current that is offered.
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

// rest is the battery's voltage without current: at 12 V nominal 12.9 full, 12.0 at a fifth, and from there steeply
// down to 10.8.
func (b *bank) rest() float64 {
	return b.multiple * (11.8 + 1.1*b.full() - 5*max(0.2-b.full(), 0))
}

// ohm is the resistance of the battery's plates and wires.
func (b *bank) ohm() float64 { return 0.02 * b.multiple * capacity / b.capacity }

// resistance is the battery's against charging, in Ω; it rises steeply as the battery fills, which is why the current
// tapers.
func (b *bank) resistance() float64 {
	third := b.full() * b.full() * b.full() // its fourth power is the twelfth
	return b.ohm() * (1 + 60*third*third*third*third)
}

// terminal returns the battery's voltage while net flows into it (A, negative: out of it).
func (b *bank) terminal(net float64) float64 {
	if net > 0 {
		return b.rest() + net*b.resistance()
	}
	return b.rest() + net*b.ohm()
}

// count integrates over one step, and runs the controller's filters.
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

// settle starts filters and extremes at what is now.
func (b *bank) settle() {
	b.filtered25, b.filtered60 = b.volts, b.volts
	b.net60, b.charge60 = b.chargeA-b.loadA, b.chargeA
	b.today.begin(b.volts)
}

// change moves the charger on. stopped: a fault forbids charging; light: it is day.
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

// absorb counts the time at the absorption voltage and ends it with float.
func (b *bank) absorb() {
	b.stage = absorption
	b.absorbed += step
	b.absorbing += step
	if b.absorbed >= b.hold {
		b.stage, b.low = floating, 0
	}
}

// keepFloat goes back to bulk charging once the battery has been below the float voltage for long enough in all.
func (b *bank) keepFloat() {
	b.floating += step
	if !b.regulated() {
		b.low += step
	}
	if b.low >= b.set.floatExit {
		b.stage, b.absorbed = bulk, 0
	}
}

// sunrise starts the controller's day. A battery that was low in the night gets the longer absorption.
func (b *bank) sunrise() {
	b.hold = b.set.absorptionTime
	if b.today.least < b.set.lowTrip*b.multiple {
		b.hold = b.set.lowAbsorptionTime
	}
	b.absorbed, b.low, b.absorbing, b.floating = 0, 0, 0, 0
	b.today.begin(b.volts)
}
