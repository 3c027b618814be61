package cli

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"noi-agent/status/api"
	"noi-agent/status/wording"
)

// statusPage prints the status of the daemon for people: sentence, problems, lines, slaves, integrations and outbox, in
// this order.
type statusPage struct {
	s       *api.Status
	values  api.Objects    // latest values; empty: not known
	faults  api.LineFaults // for --verbose
	own     string         // version of this command
	host    string         // name of this computer; "": not known
	cli     *commandLine   // its flags belong to the advised commands
	look    look
	now     time.Time
	verbose bool
}

func (g *statusPage) print(w io.Writer) {
	fmt.Fprint(w, wrapped(g.title(), g.width()), "\n\n")
	fmt.Fprintln(w, g.mark(wrapped(wording.StateOf(g.s, g.now.Local()).Sentence(), g.width())))
	g.printProblems(w)
	for _, t := range []*table{g.lines(), g.slaves(), g.integrations()} {
		if len(t.rows) > 0 {
			fmt.Fprintln(w)
		}
		t.print(w, g.look)
	}
	fmt.Fprint(w, "\n", wrapped(g.outbox(), g.width()), "\n")
	if e := g.s.Endpoint; e != nil && e.Fingerprint != "" { // to compare with what the browser shows
		fmt.Fprint(w, wrapped("certificate "+e.Fingerprint, g.width()), "\n")
	}
	if g.verbose {
		g.printDetails(w)
		return
	}
	g.printMore(w)
}

// width returns the most columns of a line of text.
func (g *statusPage) width() int {
	if !g.look.terminal {
		return math.MaxInt
	}
	return g.look.width
}

func (g *statusPage) mark(text string) string {
	if g.look.colour {
		return coloured(text)
	}
	return text
}

func (g *statusPage) title() string {
	parts := []string{"noi-agent " + g.s.Version, "up " + age(time.Duration(g.s.UptimeS)*time.Second), g.clock()}
	if g.host != "" {
		parts = append([]string{g.host}, parts...)
	}
	if e := g.s.Endpoint; e != nil { // not the file: it may have changed, or its address could not be used
		parts = append(parts, e.Addresses[0])
	}
	return strings.Join(parts, " · ")
}

func (g *statusPage) clock() string {
	if g.s.Clock.State == "good" {
		return "clock right"
	}
	return "clock not known to be right"
}

// printProblems prints the problems, each with its hint. Notices are printed only with --verbose, because they need no
// action.
func (g *statusPage) printProblems(w io.Writer) {
	if g.s.Version != g.own && g.own != "dev" {
		fmt.Fprint(w, paragraph(fmt.Sprintf("%sThe running daemon is version %s, this command is %s.", markWarning,
			g.s.Version, g.own), "", g.width()))
		fmt.Fprintln(w, "  hint: sudo systemctl restart noi-agent")
	}
	marks := map[api.Severity]string{api.Fault: markFault, api.Warning: markWarning, api.Notice: markCalm}
	for i := range g.s.Problems {
		if pr := &g.s.Problems[i]; pr.Severity != api.Notice || g.verbose {
			g.printProblem(w, marks[pr.Severity], pr)
		}
	}
}

func (g *statusPage) printProblem(w io.Writer, mark string, pr *api.Problem) {
	head := mark + pr.Title
	when := fmt.Sprintf("since %s (%s)", shortLocal(g.now, pr.Since), age(time.Duration(pr.AgeS)*time.Second))
	gap := 3
	if g.look.terminal {
		gap = g.look.width - runes(head) - runes(when)
	}
	fmt.Fprintln(w)
	if gap >= 2 {
		fmt.Fprintf(w, "%s%s%s\n", g.mark(head), strings.Repeat(" ", gap), when)
	} else {
		fmt.Fprint(w, g.mark(strings.TrimRight(paragraph(head, "", g.width()), "\n")), "\n  ", when, "\n")
	}
	if pr.Detail != "" {
		fmt.Fprint(w, paragraph(pr.Detail, "  ", g.width()))
	}
	if n := len(pr.Folded); n > 0 {
		fmt.Fprint(w, paragraph(alsoExplains(pr), "  ", g.width()))
	}
	fmt.Fprint(w, paragraph("hint: "+g.cli.advised(pr.Remedy), "  ", g.width()))
	if g.verbose {
		fmt.Fprintf(w, "  code: %s (docs/troubleshooting.md), effect on data: %s\n", pr.Code, pr.Effect)
	}
}

// alsoExplains returns a text with the problems that are folded under a problem.
func alsoExplains(pr *api.Problem) string {
	titles := make([]string, len(pr.Folded))
	for i := range pr.Folded {
		titles[i] = pr.Folded[i].Title
	}
	return "this explains: " + strings.Join(titles, "; ")
}

func (g *statusPage) lines() *table {
	t := &table{columns: []column{{name: "LINE"}, {name: "PORT", least: 14, both: true}, {name: "STATE"},
		{name: "BUSY", right: true}, {name: "FAILED"}, {name: "LAST GOOD", right: true}}}
	states := map[string]string{"ok": markGood + "ok", "failed": markFault + "failed",
		"opening": markWarning + "opening", "disabled": markCalm + "disabled"}
	for i := range g.s.Lines {
		l := &g.s.Lines[i]
		c := l.Counters
		var last *int64
		for j := range l.Slaves {
			if at := l.Slaves[j].AgeS; at != nil && (last == nil || *at < *last) {
				last = at
			}
		}
		state := cmp.Or(states[l.State], l.State)
		if l.State == "ok" && g.troubled(l.Name) {
			state = markWarning + "problem"
		}
		t.add(l.Name, l.Port, state, fmt.Sprintf("%.0f %%", 100*l.Load),
			fmt.Sprintf("%d of %d", c.Timeouts+c.CRCErrors+c.FrameErrors, c.Requests), ageOf(last))
	}
	return t
}

// slaveState returns the state of a slave in words. An unknown state is returned unchanged.
func slaveState(state string) string {
	words, ok := map[string]string{
		"ok": markGood + "ok", "waiting": markCalm + "waiting", "silent": markFault + "no answer",
		"garbled": markFault + "damaged replies", "refusing": markFault + "refuses",
		"unknown_model": markFault + "model not known", "wrong_model": markFault + "wrong model",
		"no_objects": markFault + "no objects",
	}[state]
	if !ok {
		return state
	}
	return words
}

// troubled reports whether a line or a slave has a problem of its own.
func (g *statusPage) troubled(subject string) bool {
	return slices.ContainsFunc(g.s.Problems, func(p api.Problem) bool { return p.Subject == subject })
}

// unitState is slaveState for a unit. A unit that answers may still have a problem.
func (g *statusPage) unitState(unit, state string) string {
	if state == "ok" && g.troubled(unit) {
		return markWarning + "problem"
	}
	return slaveState(state)
}

func (g *statusPage) slaves() *table {
	t := &table{columns: []column{{name: "SLAVE", least: 8}, {name: "AT"}, {name: "PRODUCT"}, {name: "FIRMWARE"},
		{name: "STATE"}, {name: "BATTERY", right: true}, {name: "LAST GOOD", right: true}}}
	for i := range g.s.Lines {
		for j := range g.s.Lines[i].Slaves {
			s := &g.s.Lines[i].Slaves[j]
			product := cmp.Or(s.ProductCode, s.Family, none)
			if product == s.Slave && g.look.terminal {
				product = none // the slave has no name of its own, so the column SLAVE already has the product code
			}
			t.add(cmp.Or(s.Slave, none), fmt.Sprintf("%s/%d", g.s.Lines[i].Name, s.UnitID), product,
				cmp.Or(s.CCFirmware, none), g.unitState(fmt.Sprintf("%s/%d", g.s.Lines[i].Name, s.UnitID), s.State),
				g.battery(g.s.Lines[i].Name, s), ageOf(s.AgeS))
		}
	}
	return t
}

// battery returns the battery voltage of a slave that answers.
func (g *statusPage) battery(line string, s *api.Slave) string {
	if s.State != "ok" {
		return none
	}
	for _, name := range wording.BatteryVoltage() {
		for i := range g.values.Objects {
			v := &g.values.Objects[i]
			var volts float64
			if v.Line == line && v.UnitID == s.UnitID && v.Object == name {
				if _, err := fmt.Sscanf(string(v.Value), "%g", &volts); err == nil {
					return fmt.Sprintf("%.2f %s", volts, v.Unit)
				}
			}
		}
	}
	return none
}

func (g *statusPage) integrations() *table {
	t := &table{columns: []column{{name: "INTEGRATION", least: 12}, {name: "TYPE"}, {name: "STATE"},
		{name: "WAITING", right: true}, {name: "OLDEST", right: true},
		{name: "LAST SUCCESS"}, {name: "UPLINK TODAY", right: true}}}
	for i := range g.s.Integrations {
		in := &g.s.Integrations[i]
		last := none
		if in.LastSuccess != nil {
			last = shortLocal(g.now, *in.LastSuccess)
		}
		t.add(orID(in.Name, in.ID), in.Type, g.integrationState(in), fmt.Sprint(in.Backlog), g.oldest(in), last,
			wording.Decimal(float64(in.Uplink.TodaySent+in.Uplink.TodayReceived)))
	}
	return t
}

// oldest returns the age of the oldest sample that waits.
func (g *statusPage) oldest(in *api.Integration) string {
	if in.Oldest != nil && in.OldestAgeS == nil { // the status of an older daemon has no age
		return age(g.now.Sub(*in.Oldest))
	}
	return ageOf(in.OldestAgeS)
}

func (g *statusPage) integrationState(in *api.Integration) string {
	if in.State == "waiting" {
		for i := range g.s.Problems {
			pr := &g.s.Problems[i]
			if pr.Subject == in.ID && (pr.Code == api.CloudNotSetUp.Code || pr.Code == api.CloudNoCredentials.Code) {
				return markFault + "not set up"
			}
		}
	}
	if in.State == "ok" && in.LastSuccess == nil {
		return markGood + "ready"
	}
	words, ok := map[string]string{
		"idle": markCalm + "idle", "ok": markGood + "delivered", "retrying": markWarning + "retrying",
		"waiting":           markFault + "refused",
		"waiting_for_clock": markWarning + "waits for the clock", "paused": markCalm + "paused",
	}[in.State]
	if !ok {
		return in.State
	}
	return words
}

// outbox returns a sentence about the size of the outbox, its limits, and the flash writes.
func (g *statusPage) outbox() string {
	s := &g.s.Store
	text := fmt.Sprintf("outbox: %s of %s, keeps %s at most", binarySize(s.Bytes), binarySize(s.Settings.MaxSize),
		daysOf(s.Settings.MaxAge))
	if s.PerDay != nil {
		text += fmt.Sprintf(", %.1f MB a day written to flash", *s.PerDay)
	}
	return text
}

// printMore prints the commands that show more details.
func (g *statusPage) printMore(w io.Writer) {
	gaps, dead, notices := 0, 0, 0
	for i := range g.s.Integrations {
		gaps += len(g.s.Integrations[i].Gaps)
		dead += g.s.Integrations[i].Dead
	}
	for i := range g.s.Problems {
		if g.s.Problems[i].Severity == api.Notice {
			notices++
		}
	}
	var more []string
	if gaps > 0 {
		more = append(more, "there are gaps: noi-agent gaps")
	}
	if dead > 0 {
		more = append(more, counted(dead, "dead letter")+": noi-agent deadletters")
	}
	if notices > 0 {
		more = append(more, counted(notices, "notice")+": noi-agent status --verbose")
	}
	for _, text := range more {
		fmt.Fprint(w, paragraph(g.cli.advised(text), "", g.width()))
	}
}
