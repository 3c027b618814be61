// Package cli is the command line of noi-agent: the daemon (`noi-agent run`), and the commands that look at a
// configuration, a line or a running daemon. One file holds one command. Product goes to stdout, everything else to
// stderr. The exit code is 0 (done), 1 (failed) or 2 (misused).
//
// Reading order: program.go, daemon.go (how the daemon is asked), run.go, then any command.
package cli
