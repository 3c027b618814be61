// Command noi-sim is a world to try the agent in, without hardware and without an account:
//
//	noi-sim run -- bin/noi-agent run --config configs/demo.yaml
//
// It puts a simulated PS-PWM-30M on a pseudo-terminal whose bytes travel at wire pace (linked at run/ttyNOI), starts
// stand-ins of SNS and Pub/Sub on loopback, and runs the command with credentials that open nothing else.
//
// On stdout: one line with the address of the status page, then each message the clouds take as one line of raw JSON,
// byte for byte as it came, and a summary at the end. Everything else, what the command prints included, goes to stderr.
//
// Ctrl-C (or SIGTERM, or a terminal that goes away) sends one SIGTERM to the command, which runs in a process group of its own;
// a second one kills it. The exit code is 0 when the command ended well, 1 when it did not or the world could not be
// set up, 2 when the command line is wrong.
//
// The command's environment has no AWS_* variable but the stand-in's key, no proxy, and no way to a real cloud: an integration
// without an endpoint finds the stand-ins too.
//
// It refuses to replace anything at run/ttyNOI but a link, and to listen anywhere but on loopback.
package main
