// Package sim is the behaviour of a charge controller: what a ProStar PWM would answer while the sun rises,
// its battery fills and its loads draw. noi-sim puts it on a pseudo-terminal; tests ask it directly.
//
// Promises:
//
//   - One model, one truth. Currents, voltages, stages, daily values and totals come from the same steps of one
//     simulated second, so they agree with each other as those of a real unit do.
//   - The same seed and the same simulated time give the same registers, however often anybody has read in between.
//   - Every object of the family has a register image: live values, the settings of a sealed 12 V battery, the
//     serial number. A family with an object that the model does not know is an error of New, not a silent zero.
//   - Reserved registers inside the documented blocks read as 0; anything outside is exception 02, as on the
//     controllers that do answer reserved addresses. Functions 03 and 04 see one address space.
//
// There is no remote temperature sensor (T_rts is not a number) and nothing is at fault: faults and alarms are clear.
// The disputed objects kWhc_r and kWhc_t are held as half precision, which is what real units of the twin family showed.
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
//		Elapsed: func() time.Duration { return 60 * time.Since(started) },
//	})
//	slave := controller.Slave(1) // *modbustest.Slave, to be served on a pty
package sim
