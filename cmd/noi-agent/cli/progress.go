package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"noi-agent/modbus"
	"noi-agent/status/wording"
)

// progress shows a person who waits how far a scan is: a bar on a terminal, elsewhere a line for each round.
type progress struct {
	w        io.Writer
	terminal bool
	scan     *modbus.Scan
}

func newProgress(w io.Writer, scan *modbus.Scan) *progress {
	return &progress{w: w, terminal: isTerminal(w), scan: scan}
}

// announce says how long it will take.
func (g *progress) announce() {
	first := g.scan.Settings[0]
	fmt.Fprintf(g.w, "asking %s on %s%s", counted(len(g.scan.Units), "unit"), first.Port, at(framingOf(first)))
	if g.scan.Ask == nil {
		fmt.Fprintf(g.w, ": up to %s", roughly(g.scan.Expected(first)))
	} else {
		fmt.Fprintf(g.w, " through the running agent, between its own reads: about %s, or more on a busy line",
			roughly(g.scan.Expected(first)))
	}
	if g.scan.Rounds() > 1 {
		var all time.Duration
		for _, s := range g.scan.Settings {
			all += g.scan.Expected(s)
		}
		all *= time.Duration(g.scan.Rounds() / len(g.scan.Settings))
		fmt.Fprintf(g.w, "; if no device answers, %s with other settings or function, %s in all",
			counted(g.scan.Rounds()-1, "more round"), roughly(all))
	}
	fmt.Fprintln(g.w, "; Ctrl-C ends it and keeps what was found")
}

// step is modbus.Scan.Step. The first one comes when the port is open: then the scan begins.
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
	fmt.Fprintf(g.w, "\r%s unit %d%s, %d found, %s left\x1b[K", bar(full), s.Unit, where, s.Found, roughly(left))
}

// barWidth is how many characters a full bar has.
const barWidth = 20

// bar is a bar of which so many characters are full.
func bar(full int) string {
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "]"
}

// done takes the bar away.
func (g *progress) done() {
	if g.terminal {
		fmt.Fprint(g.w, "\r\x1b[K")
	}
}

// framingOf is framing, and nothing where there is none.
func framingOf(s modbus.Settings) string {
	if isNetwork(s.Port) {
		return ""
	}
	return framing(s)
}

// roughly rounds a time to what a person cares for.
func roughly(d time.Duration) string {
	return wording.Age(max(d, time.Second))
}
