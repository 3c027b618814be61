package web

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"noi-agent/status/api"
	"noi-agent/status/wording"
)

// The tones. Each has a mark and a colour. A text always stands beside the mark.
const (
	good = "good"
	warn = "warn"
	bad  = "bad"
	calm = "calm"
)

// mark returns the mark of a tone.
func mark(tone string) string {
	switch tone {
	case good:
		return "✓"
	case warn:
		return "!"
	case bad:
		return "✗"
	default:
		return "–"
	}
}

// saying is a state in words, with its tone.
type saying struct{ Tone, Words string }

// lineState returns the state of a line in words. A line that works may still have a problem, of its own or of a
// controller on it.
func lineState(status *api.Status, l *api.Line) saying {
	for i := range status.Problems {
		p := &status.Problems[i]
		switch {
		case p.Subject != l.Name:
		case p.Code == api.LineSilent.Code:
			return saying{bad, "No answer"}
		case p.Code == api.LineGarbled.Code:
			return saying{bad, "Damaged replies"}
		}
		if l.State == "ok" && (p.Subject == l.Name || strings.HasPrefix(p.Subject, l.Name+"/")) {
			return saying{warn, "works, with problems"}
		}
	}
	return look(l.State, map[string]saying{
		"ok": {good, "works"}, "opening": {warn, "opening"}, "failed": {bad, "cannot be used"}, "disabled": {calm,
			"disabled"},
	})
}

// slaveState returns the state of a controller in words. A controller that answers may still have a problem.
func slaveState(status *api.Status, unit, state string) saying {
	about := func(p api.Problem) bool { return p.Subject == unit }
	if state == "ok" && slices.ContainsFunc(status.Problems, about) {
		return saying{warn, "answers, with problems"}
	}
	return look(state, map[string]saying{
		"ok": {good, "answers"}, "waiting": {calm, "not asked yet"}, "silent": {bad, "No answer"},
		"garbled": {bad, "Damaged replies"}, "refusing": {bad, "Refuses to be read"},
		"unknown_model": {bad, "Model not known"}, "wrong_model": {bad, "Wrong model"},
		"no_objects": {bad, "None of its objects"},
	})
}

// integrationState returns the state of an integration in words.
func integrationState(in *api.Integration) saying {
	if in.State == "ok" && in.LastSuccess == nil {
		return saying{calm, "ready"}
	}
	return look(in.State, map[string]saying{
		"ok": {good, "delivered"}, "idle": {calm, "nothing to send yet"}, "retrying": {warn, "retrying"},
		"waiting": {bad, "refused"}, "waiting_for_clock": {warn, "waits for the clock"}, "paused": {calm, "paused"},
	})
}

// clockState returns in words whether the clock is trusted.
func clockState(c api.Clock) saying {
	switch {
	case c.State == "unsure":
		return saying{warn, "not known to be right"}
	case c.Service != "" && c.Service != "none":
		return saying{good, "set by network time"}
	default:
		return saying{good, "taken as right"}
	}
}

// storeState returns the state of the store in words.
func storeState(s api.Store) saying {
	switch s.Start {
	case "memory":
		return saying{bad, "in memory only"}
	case "renewed":
		return saying{warn, "replaced at the start"}
	default:
		return saying{good, "works"}
	}
}

// look returns the words for a state. A state that is not in the table is shown unchanged.
func look(state string, table map[string]saying) saying {
	if s, ok := table[state]; ok {
		return s
	}
	return saying{calm, cmp.Or(state, "not known")}
}

// severityTone returns the tone of a severity.
func severityTone(s api.Severity) string {
	switch s {
	case api.Fault:
		return bad
	case api.Warning:
		return warn
	default:
		return calm
	}
}

// costsData returns a sentence about the effect of a problem on the data. waiting is the number of samples that wait
// because of the problem; 0: none, or not known.
func costsData(e api.Effect, waiting uint64) string {
	switch {
	case e == api.Lost:
		return "Samples are being lost."
	case e == api.Delayed && waiting == 1:
		return "No data is lost: 1 sample waits."
	case e == api.Delayed && waiting > 0:
		return "No data is lost: " + plural(waiting, "sample") + " wait."
	case e == api.Delayed:
		return "No data is lost: it waits."
	default:
		return "No data is lost."
	}
}

// leadsTo names the page to which the link of a problem leads.
func leadsTo(href string) string {
	for prefix, name := range map[string]string{
		"/triggers": "Failed triggers", "/values": "Values of the controller", "/integrations": "The integration",
		"/system#lines": "Line statistics", "/system#outbox": "The outbox",
	} {
		if strings.HasPrefix(href, prefix) {
			return name
		}
	}
	return "System"
}

// sentence is the state of the whole gateway, at the top of the overview.
type sentence struct {
	Tone string
	Head string // "2 things need attention."
	Rest string // sentence about the data; "": none
	Age  *int64 // seconds since the last accepted message; nil: there was none
	Last string // sentence about the last message; it is shown if Age is nil
}

// sentenceOf splits the text that page and command line share into its parts.
func sentenceOf(s *api.Status, now time.Time) sentence {
	state := wording.StateOf(s, now)
	tone := map[string]string{"good": good, "warning": warn, "fault": bad}[state.Tone]
	head, rest, two := strings.Cut(state.Text, ". ")
	if two {
		head += "."
	}
	out := sentence{Tone: cmp.Or(tone, calm), Head: head, Rest: rest, Last: state.Last}
	if ago, ok := wording.SinceSuccess(s, now); ok {
		seconds := int64(ago.Seconds())
		out.Age = &seconds
	}
	return out
}
