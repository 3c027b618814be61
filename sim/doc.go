// Package sim simulates a charge controller of any built-in family. The controller answers requests while the simulated
// sun rises, the battery is charged and the loads draw current. noi-sim puts controllers on a pseudo-terminal; tests
// call them directly.
//
// Promises:
//
//   - One model gives all values. Currents, voltages, stages, daily values and totals come from the same steps of one
//     simulated second, so they agree with each other, as the values of a real unit do. A family is a table with the
//     quantity of the model for each object, and a site (12, 24 or 48 V, its array, its loads).
//   - The same seed, faults and simulated time give the same registers, independent of the reads before.
//   - Every object of the family has a register image: live values, the settings of a sealed battery, the serial
//     number. An object that the model does not know is an error of New, not a silent zero.
//   - Reserved registers inside the documented blocks read as 0. Other addresses give exception 02, as on the
//     controllers that do answer reserved addresses. Functions 03 and 04 read the same address space.
//   - A Fault names an object and a value of the family, and the simulation reacts to it. A fault of the charger, or a
//     state without charging, stops the charge. A fault of the load, or a state without load, switches the load off. A
//     day without charge drains the battery until the load is disconnected. Alarms and forced numbers change nothing
//     else. A fault begins and ends with a step of a simulated second.
//
// Without a Fault the controller reports no fault. A ProStar and a SunSaver MPPT have no remote temperature sensor
// (T_rts gives no sample); the other families have one.
//
// If the sources contradict each other about an encoding, the first of the object's choices is used: half precision for
// the kWh of the ProStars (as real units showed), full scales of 180 V and 80 A for the settings of a TriStar MPPT, f16
// and f32lo for the settings of the 600 V model (its firmware is 21), the low byte first in network names, seconds for
// the lighting times of a TriStar PWM, 115 V for a SureSine, the low word first for the faults of a GenStar. Settings
// of TriStars are in volts of the system, as in their family files. Settings of ProStars are for 12 V nominal. A
// SureSine does not identify itself: its product code is unknown. A counter that has reached its end continues at 0.
//
// The package reads no clock: Options.Elapsed gives the simulated time, which may run faster than real time. Only one
// goroutine may use a Controller.
//
// In reading order:
//
//   - controller.go, fault.go: Controller, and forced values
//   - plant.go, bank.go, site.go: sun, battery and loads; the size of a site
//   - model.go, quantity.go, encode.go, settings.go: from a quantity of the plant to registers
//   - pspwm.go, psmppt.go, prostar.go, tsmppt.go, tsmppt600.go, tspwm.go, tristar.go, ssmppt.go, ssduo.go, suresine.go,
//     genstar.go: one family each, or the tables that two families share
//
// Example: a controller with unit id 1, for which a real second is a simulated minute:
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
