package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"noi-agent/modbus"
	"noi-agent/status/wording"
)

// progress shows the progress of a scan: a bar on a terminal, otherwise a line for each round.
type progress struct {
	w        io.Writer
	terminal bool
	scan     *modbus.Scan
}

func newProgress(w io.Writer, scan *modbus.Scan) *progress {
	return &progress{w: w, terminal: isTerminal(w), scan: scan}
}

// announce prints how long the scan may take.
func (g *progress) announce() {
	first := g.scan.Settings[0]
	var b strings.Builder
	fmt.Fprintf(&b, "asking %s on %s%s", counted(len(g.scan.Units), "unit"), first.Port, at(framingOf(first)))
	if g.scan.Ask == nil {
		fmt.Fprintf(&b, ": up to %s", roughly(g.scan.Expected(first)))
	} else {
		fmt.Fprintf(&b, " through the running agent, between its own reads: about %s, or more on a busy line",
			roughly(g.scan.Expected(first)))
	}
	if g.scan.Rounds() > 1 {
		var all time.Duration
		for _, s := range g.scan.Settings {
			all += g.scan.Expected(s)
		}
		all *= time.Duration(g.scan.Rounds() / len(g.scan.Settings))
		fmt.Fprintf(&b, "; if no device answers, %s with other settings or function, %s in all",
			counted(g.scan.Rounds()-1, "more round"), roughly(all))
	}
	b.WriteString("; Ctrl-C ends the scan and prints the devices found")
	sentence(g.w, "%s", b.String())
}

// step shows the progress. It is the Step of the modbus.Scan. The first step comes when the port is open: then the
// scan begins.
func (g *progress) step(s modbus.Step) {
	if s.Asked == 0 && s.Round == 1 {
		g.announce()
	}
	where := fmt.Sprintf("%s function %02X", at(framingOf(s.Settings)), s.Function)
	if !g.terminal {
		if s.Asked == 0 && s.Round > 1 {
			fmt.Fprintf(g.w, "round %d of %d:%s\n", s.Round, s.Last, where)
		}
		return
	}
	full := barWidth * s.Asked / s.All
	left := g.scan.Expected(s.Settings) * time.Duration(s.All-s.Asked) / time.Duration(s.All)
	text := fmt.Sprintf("%s unit %d%s, %d found, %s left", bar(full), s.Unit, where, s.Found, roughly(left))
	if runes(text) >= widthOf(g.w) { // a line that the terminal breaks would stay on the screen
		text = fmt.Sprintf("unit %d, %d found, %s left", s.Unit, s.Found, roughly(left))
	}
	fmt.Fprintf(g.w, "\r%s\x1b[K", text)
}

// barWidth is the number of characters in a bar.
const barWidth = 20

// bar returns a bar with a number of full characters.
func bar(full int) string {
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "]"
}

// done removes the bar from the terminal.
func (g *progress) done() {
	if g.terminal {
		fmt.Fprint(g.w, "\r\x1b[K")
	}
}

// framingOf returns baud rate, parity and stop bits as a text; "" for a network line.
func framingOf(s modbus.Settings) string {
	if isNetwork(s.Port) {
		return ""
	}
	return framing(s)
}

// roughly prints a time in one unit.
func roughly(d time.Duration) string {
	return wording.Age(max(d, time.Second))
}
