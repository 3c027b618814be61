package sim

import (
	"math"
	"time"
)

// site describes the array, the batteries and the loads at a controller. A site of size 1 at 12 V has an array of 10 A,
// a battery of 100 Ah and loads of about 45 Ah a day. That is two thirds of the charge that the array gives.
type site struct {
	multiple float64 // nominal voltage as a multiple of 12 V: 1, 2 or 4
	size     float64 // factor for array, battery and loads; 1: as above
	openV    float64 // V of the array in full sun without current
	peakV    float64 // V at which the array gives the most power; 0: a PWM charger, which connects array and battery
	second   float64 // Ah of a second battery, which has no loads; 0: there is none
}

// Constants of a site of size 1 at 12 V. Currents and Ah grow with the size, voltages with the multiple, watts with
// both.
const (
	shortCircuit = 10.0  // A of a PWM charger's array in full sun
	peakWatts    = 140.0 // W of an MPPT charger's array in full sun: also about 10 A at the battery
	capacity     = 100.0 // Ah of the battery
	lineDrop     = 0.15  // V from the array's terminals to the battery's while they are connected
	senseDrop    = 0.004 // Ω of the wires between the controller and the battery
	loadDrop     = 0.02  // Ω of the load's switch
	standby      = 0.02  // A that the wiring of a second battery draws
	firstShare   = 0.9   // part of the array's current for the first of two batteries, while both need more
	efficiency   = 0.96  // of an MPPT charger's converter; also used for an inverter
)

// sunAt returns the sunlight of a clear sky at a time of day: 0 before 6 and after 18 o'clock, 1 at noon.
func sunAt(t time.Duration) float64 {
	return max(math.Sin(math.Pi*(t.Hours()-6)/12), 0)
}

// loadAt returns the current of the loads in A at a time of day. A radio is always on, a pump runs for ten minutes of
// each half hour, and lamps are on from 18 to 23 o'clock.
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
