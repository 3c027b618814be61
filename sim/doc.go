// Package sim is the behaviour of a charge controller: what any of the built-in families would answer while the sun
// rises, its battery fills and its loads draw. noi-sim puts it on a pseudo-terminal; tests ask it directly.
//
// Promises:
//
//   - One model, one truth. Currents, voltages, stages, daily values and totals come from the same steps of one
//     simulated second, so they agree with each other as those of a real unit do. A family is a table of which object
//     shows which quantity of that model, and a site to stand at (12, 24 or 48 V, its array, its loads).
//   - The same seed, faults and simulated time give the same registers, however often anybody has read in between.
//   - Every object of the family has a register image: live values, the settings of a sealed battery, the serial
//     number. An object that the model does not know is an error of New, not a silent zero.
//   - Reserved registers inside the documented blocks read as 0; anything outside is exception 02, as on the
//     controllers that do answer reserved addresses. Functions 03 and 04 see one address space.
//   - A Fault shows under the name it has in the family, and the plant follows: a fault of the charger stops the
//     charge, one of the load the load, and so does a state in which either rests; a day without charge drains the
//     battery until the load is taken off. Alarms and forced numbers change nothing else. What is forced begins and
//     ends with a step of a simulated second.
//
// Without a Fault nothing is at fault. A ProStar and a SunSaver MPPT have no remote temperature sensor (T_rts gives no
// sample); the others have one.
//
// Where the sources dispute an encoding, the first of the object's choices holds: half precision for the kWh of the
// ProStars (what real units showed), full scales of 180 V and 80 A for the settings of a TriStar MPPT, f16 and f32lo
// for those of the 600 V model (its firmware is 21), the low byte first in network names, seconds for the lighting
// times of a TriStar PWM, 115 V for a SureSine, the low word first for the faults of a GenStar. Settings of TriStars
// are in volts of the system, as their family files have them, those of ProStars for 12 V nominal. A SureSine does not
// identify itself: its product code is unknown. Counters that are full begin again at 0.
//
// The package reads no clock: simulated time comes in through Options.Elapsed, and it may run faster than real time.
// A Controller belongs to one goroutine.
//
// A controller at unit id 1 that lives a minute each second:
//
//	started := time.Now()
//	controller, err := sim.New(sim.Options{
//		Family:  family,
//		Start:   sim.MidMorning,
//		Faults:  []sim.Fault{{Object: "array_fault", Value: "rts_shorted", From: time.Hour}},
//		Elapsed: func() time.Duration { return 60 * time.Since(started) },
//	})
//	slave := controller.Slave() // *modbustest.Slave, to be served on a pty
package sim
