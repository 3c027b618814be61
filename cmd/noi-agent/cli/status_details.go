package cli

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"noi-agent/internal/shell"
	"noi-agent/status/api"
	"noi-agent/status/wording"
)

// printDetails prints the part of the page that only --verbose shows.
func (g *statusPage) printDetails(w io.Writer) {
	c := g.s.Clock
	fmt.Fprintf(w, "\ndevice %s, started %s\n", g.s.DeviceID, local(g.s.StartedAt))
	fmt.Fprint(w, paragraph(fmt.Sprintf("clock: %s, source %s, %s", c.State, c.Source, c.Reason), "", g.width()))
	for i := range g.s.Lines {
		g.printLine(w, &g.s.Lines[i])
	}
	for i := range g.s.Integrations {
		g.printIntegration(w, &g.s.Integrations[i])
	}
	g.printStore(w)
}

// item prints one paragraph of a block.
func (g *statusPage) item(w io.Writer, format string, args ...any) {
	fmt.Fprint(w, paragraph(g.cli.advised(fmt.Sprintf(format, args...)), "  ", g.width()))
}

func (g *statusPage) printLine(w io.Writer, l *api.Line) {
	c := l.Counters
	fmt.Fprintf(w, "\nline %s\n", l.Name)
	g.item(w, "%d requests, %d timeouts, %d damaged replies, %d exceptions", c.Requests, c.Timeouts,
		c.CRCErrors+c.FrameErrors, c.Exceptions)
	if c.Echoes > 0 {
		g.item(w, "the line echoes: %d of %d requests came back", c.Echoes, c.Requests)
	}
	for i := range l.Slaves {
		s := &l.Slaves[i]
		g.item(w, "unit %d: %s polled, %d missed, replies take %.0f ms (1 in 100: %.0f ms)", s.UnitID,
			counted(s.Objects, "object"), s.Missed, s.Counters.TurnaroundP50, s.Counters.TurnaroundP99)
		for _, object := range slices.Sorted(maps.Keys(s.NoValue)) {
			g.item(w, "  no value of %s: %s", object, noValueWords(s.NoValue[object]))
		}
		if s.Learnt != "" {
			fmt.Fprintln(w, "    learnt, for the slave in the configuration:")
			for line := range strings.SplitSeq(strings.TrimSpace(s.Learnt), "\n") {
				fmt.Fprintf(w, "      %s\n", escaped(line))
			}
		}
	}
	g.printFaults(w, l.Name)
}

// shownFaults is the most failed exchanges of a line that are printed. GET /api/v1/lines/faults has 20.
const shownFaults = 10

// printFaults prints the last failed exchanges of a line, the newest first.
func (g *statusPage) printFaults(w io.Writer, line string) {
	shown := 0
	for i := range g.faults.Faults {
		f := &g.faults.Faults[i]
		if f.Line != line || shown == shownFaults {
			continue
		}
		if shown == 0 {
			g.item(w, "last faults:")
		}
		shown++
		if f.Request == "" { // a failure of the port
			g.item(w, "  %s: %s (%s)", local(f.At), wording.LineFault(f.Kind), f.Error)
			continue
		}
		g.item(w, "  %s, unit %d: %s (%s)", local(f.At), f.UnitID, wording.LineFault(f.Kind), f.Error)
		g.item(w, "    sent %s", f.Request)
		g.item(w, "    received %s", receivedWords(f))
	}
}

// receivedWords returns the received bytes, or "nothing". Of a long reply only the first bytes are known.
func receivedWords(f *api.LineFault) string {
	known := (len(f.Received) + 1) / len("00 ")
	switch {
	case f.Length == 0:
		return "nothing"
	case f.Length > known:
		return fmt.Sprintf("%s … (%d bytes)", f.Received, f.Length)
	default:
		return f.Received
	}
}

// noValueWords returns in words why the last reply had no value. An unknown reason is returned unchanged.
func noValueWords(reason string) string {
	return cmp.Or(map[string]string{
		"absent": "no sensor is connected", "not_a_number": "the controller gives no number, as without a sensor",
		"out_of_range": "the value is out of range", "firmware": "this firmware does not have it",
	}[reason], reason)
}

func (g *statusPage) printIntegration(w io.Writer, in *api.Integration) {
	fmt.Fprintf(w, "\nintegration %s, id %s\n", orID(in.Name, in.ID), in.ID)
	fmt.Fprintf(w, "  topic %s\n", in.Topic)
	g.item(w, "%d sent, %d rejected, %d dropped, %d replayed", in.Sent, in.Failed, in.Dropped, in.Replayed)
	g.item(w, "%s", trafficWords(&in.Uplink))
	if in.NextPublication != nil {
		g.item(w, "next publication %s", local(*in.NextPublication))
	}
	if in.LastError != "" {
		g.item(w, "last error: %s", in.LastError)
	}
	if in.Dead > 0 {
		g.item(w, "%s%s: noi-agent deadletters", counted(in.Dead, "dead letter"), deadSince(in.ID, g.s.Problems))
	}
	for i := range in.Gaps[:min(wording.NewestGaps, len(in.Gaps))] {
		gap := &in.Gaps[i]
		g.item(w, "gap: %s, %s, %s: %s", gapSource(gap), gapTimes(gap), gapCount(gap), wording.Gap(gap.Reason))
	}
	if len(in.Gaps) > wording.NewestGaps {
		g.item(w, "older gaps: noi-agent gaps --integration %s", shell.Quote(orID(in.Name, in.ID)))
	}
}

// trafficWords returns the bytes that an integration has sent and received.
func trafficWords(u *api.Uplink) string {
	text := "uplink today " + bothWays(u.TodaySent, u.TodayReceived) + "; this month " + bothWays(u.MonthSent,
		u.MonthReceived)
	if u.PerSample != nil {
		text += fmt.Sprintf("; %.0f bytes sent per sample", *u.PerSample)
	}
	return text
}

// bothWays prints bytes as "1.2 MB sent, 43.2 kB received".
func bothWays(sent, received uint64) string {
	return wording.Decimal(float64(sent)) + " sent, " + wording.Decimal(float64(received)) + " received"
}

// deadSince returns since when an integration has dead letters; "" if it is not known. Only the problem has this time.
func deadSince(integration string, problems []api.Problem) string {
	for i := range problems {
		if p := &problems[i]; p.Code == "dead_letters" && p.Subject == integration {
			return " since " + local(p.Since)
		}
	}
	return ""
}

func gapCount(g *api.Gap) string {
	if g.Count == 0 {
		return "number of samples not known"
	}
	return counted(int(g.Count), "sample")
}

func gapSource(g *api.Gap) string {
	source := cmp.Or(g.Object, "objects not known")
	if g.Unit != "" {
		source += " of " + g.Unit
	}
	return source
}

func gapTimes(g *api.Gap) string {
	at := func(t *time.Time) string { return local(*t) }
	switch {
	case g.From == nil && g.To == nil:
		return "times not known"
	case g.From == nil:
		return "until " + at(g.To)
	case g.To == nil:
		return "from " + at(g.From)
	}
	return at(g.From) + " to " + at(g.To)
}

// printStore prints the details of the outbox. It leaves out counters that are zero.
func (g *statusPage) printStore(w io.Writer) {
	s := &g.s.Store
	fmt.Fprintf(w, "\noutbox\n")
	g.item(w, "%d samples kept; since the start %d were written to flash, and %d were sent without being written",
		s.Samples, s.Committed, s.Spared)
	if s.Removed > 0 {
		g.item(w, "%s of removed integrations: kept for 24 hours after the removal",
			counted(int(s.Removed), "message"))
	}
	start := "start: " + s.Start
	if words := wording.Start(s.Start); words != "" {
		start += " (" + words + ")"
	}
	if s.Salvaged > 0 {
		start += "; " + counted(int(s.Salvaged), "sample") + " salvaged"
	}
	if s.Corrupt > 0 {
		start += "; " + counted(int(s.Corrupt), "damaged record")
	}
	g.item(w, "%s", start)
	if len(s.KeptAside) > 0 {
		g.item(w, "kept aside: %s", strings.Join(s.KeptAside, ", "))
	}
	in := s.Settings
	g.item(w, "active settings: buffer: max_size %s, max_age %s, when_full %s, commit_every %s, retain_after_ack %s; "+
		"triggers: keep %d, flush_every %s",
		binarySize(in.MaxSize), wording.Duration(in.MaxAge), in.WhenFull, wording.Duration(in.CommitEvery),
		wording.Duration(in.RetainAfterAck),
		in.KeepTriggers, wording.Duration(in.FlushEvery))
}
