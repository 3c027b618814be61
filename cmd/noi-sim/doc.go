// Command noi-sim simulates a site, to try the agent without hardware and without an account at a cloud:
//
//	noi-sim run -- bin/noi-agent run --config configs/demo.yaml
//
// It starts a simulated PS-PWM-30M on a pseudo-terminal, and a simulated SNS and Pub/Sub on loopback. The
// pseudo-terminal passes bytes on at the baud rate; run/ttyNOI is a link to it. Then noi-sim runs the command, with
// credentials that are only valid for the simulated clouds. Without a command it prints the configuration and the
// environment for an agent in a second terminal, and runs until Ctrl-C. A third terminal can start and end faults:
//
//	noi-sim fault cloud sns refuse      stop | slow | reject | refuse | ok; of sns, pubsub or all
//	noi-sim fault line silent           silent | garbage | noisy | loose | slow | ok; with --unit N
//
// If the port is opened with another baud rate than --baud, the bytes are garbage, as on a real line. With another
// parity than --parity, no controller answers.
//
// --slaves selects other controllers, of any built-in family, each with its own sun:
//
//	noi-sim run --slaves 1=PSPWM,2=TSMPPT,5=SSMPPT -- bin/noi-agent run --config configs/demo-many.yaml
//
// Two controllers with the same unit id (1=PSPWM,1=PSPWM) answer at the same time, so no reply of this unit is valid.
//
// --speed makes the sun faster: 600 is a day in 144 s. --fault (or --faults, with commas) forces the value of an
// object:
//
//	--fault array_fault:rts_shorted@30s               sets a bit, beginning 30 s after the start
//	--fault 2/charge_state:DISCONNECT@30s-90s         sets a state, only of unit 2, for a minute
//	--fault adc_vbsense:0@1m --fault T_amb:none@2m    sets a number; removes a sensor
//
// Without a unit the fault is for each controller that has the object. The times are real times since the start of the
// line, independent of --speed. A fault begins and ends with a simulated second. Package sim describes the effects: a
// fault of the charger stops the charge.
//
// Stdout has one line with the address of the status page, then each message that the clouds accept as one line of raw
// JSON, byte for byte, and a summary at the end. Everything else goes to stderr, also the output of the command.
// Ctrl-C (or SIGTERM, or a terminal that closes) sends one SIGTERM to the command, which runs in its own process group.
// A second Ctrl-C kills the command. Exit codes: 0 the command ended well, 1 the command failed or the simulation could
// not start, 2 wrong usage.
//
// The environment of the command has no proxy, and of the AWS_* variables only those for the simulated cloud. An
// integration without an endpoint also uses the simulated clouds, so no message goes to a real cloud.
//
// Refused: noi-sim replaces nothing but a link at run/ttyNOI. Its clouds listen only on loopback.
//
// In reading order:
//
//   - main.go, run.go, child.go: the command line, a run, the command
//   - world.go, fleet.go, link.go: the simulated clouds and line, its controllers, the link to the port
//   - control.go, faults.go: faults from another terminal
//   - guide.go, screen.go, summary.go: what is printed
package main
