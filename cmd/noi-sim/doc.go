// Command noi-sim is a world to try the agent in, without hardware and without an account:
//
//	noi-sim run -- bin/noi-agent run --config configs/demo.yaml
//
// It puts a simulated PS-PWM-30M on a pseudo-terminal whose bytes travel at wire pace (linked at run/ttyNOI), starts
// stand-ins of SNS and Pub/Sub on loopback, and runs the command with credentials that open nothing else.
//
// Without a command it prints the configuration and the environment for an agent in a second terminal, and stands until
// Ctrl-C. Faults are rehearsed from a third one, while the world runs:
//
//	noi-sim fault cloud sns refuse      stop | slow | reject | refuse | ok; of sns, pubsub or all
//	noi-sim fault line silent           silent | garbage | slow | ok; --unit N for one controller
//
// A port that is set to another baud rate than --baud gets garbage, as on a real line.
//
// --slaves puts other controllers there, of any built-in family, each under a sky of its own:
//
//	noi-sim run --slaves 1=PSPWM,2=TSMPPT,5=SSMPPT -- bin/noi-agent run --config configs/demo-many.yaml
//
// --speed lets the sun move faster: 600 is a day in 144 s. --fault (or --faults, with commas) forces what an object
// shows:
//
//	--fault array_fault:rts_shorted@30s         a bit, beside those that are set, from 30 s after the start on
//	--fault 2/charge_state:DISCONNECT@30s-90s   a state, of unit 2 alone, for a minute
//	--fault adc_vbsense:0@1m --fault T_amb:none@2m    a number; a sensor that is gone
//
// Without a unit it is for each controller that has the object. These times are real ones, from the moment the line is
// served, whatever --speed is; a fault begins and ends with a simulated second. What follows from one is in package
// sim: a fault of the charger stops the charge.
//
// On stdout: one line with the address of the status page, then each message the clouds take as one line of raw JSON,
// byte for byte as it came, and a summary at the end. Everything else, what the command prints included, goes to
// stderr.
//
// Ctrl-C (or SIGTERM, or a terminal that goes away) sends one SIGTERM to the command, which runs in a process group of
// its own; a second one kills it. The exit code is 0 when the command ended well, 1 when it did not or the world could
// not be set up, 2 when the command line is wrong.
//
// The command's environment has no AWS_* variable but the stand-in's key, no proxy, and no way to a real cloud: an
// integration without an endpoint finds the stand-ins too.
//
// It refuses to replace anything at run/ttyNOI but a link, and to listen anywhere but on loopback.
package main
