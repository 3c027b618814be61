package modbus

// Echo is whether requests come back before their replies, as on two-wire adapters that receive their own requests.
type Echo string

// The kinds. With each of them, an echo is never taken for a reply.
const (
	EchoAuto Echo = "auto" // detected; the same as ""
	EchoOn   Echo = "on"   // a reply without an echo was disturbed
	EchoOff  Echo = "off"  // no echo is expected, and an echo means nothing
)

// echoSure is how many exchanges in a row must have, or lack, an echo before the line counts as one that echoes.
const echoSure = 3

// echoes learns whether a line echoes.
type echoes struct {
	mode  Echo // not empty
	found bool // the line echoes, as far as is known
	run   int  // exchanges in a row that say so, up to echoSure
}

// learn takes the window of an exchange. It reports whether the line counts as one that echoes, and whether this is
// new.
func (e *echoes) learn(w *window) (echo, changed bool) {
	switch {
	case w.echoed:
		e.run = min(e.run+1, echoSure)
	case w.heard:
		e.run = max(e.run-1, 0)
	}
	before := e.found
	if e.run == 0 || e.run == echoSure {
		e.found = e.run == echoSure
	}
	return e.found, e.found != before
}

// observed reports whether the line echoes, as far as is known.
func (e *echoes) observed() bool { return e.found }

// expected reports whether a reply without an echo was disturbed.
func (e *echoes) expected() bool { return e.mode == EchoOn || e.mode == EchoAuto && e.found }
