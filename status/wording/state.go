package wording

import (
	"fmt"
	"time"

	"noi-agent/status/api"
)

// State is the state of the agent in words. Page, command line and systemd show it.
type State struct {
	Tone   string // good | warning | fault | calm
	Text   string // "2 things need attention. No data is being lost."
	Last   string // "Last message 3 s ago."; "": there is no integration, or the agent is starting
	Faults int    // number of faults
}

// Mark returns the mark of the state, which is shown before the words.
func (s State) Mark() string {
	return map[string]string{"good": "✓", "warning": "!", "fault": "✗", "calm": "–"}[s.Tone]
}

// Sentence returns mark, text and last message in one line.
func (s State) Sentence() string {
	if s.Last != "" {
		return s.Mark() + " " + s.Text + " " + s.Last
	}
	return s.Mark() + " " + s.Text
}

// StateOf returns the state for a status. The text names the worst effect on the data. Its times are in the zone of
// now.
func StateOf(s *api.Status, now time.Time) State {
	var faults, warnings int
	var lost *time.Time
	effect := " No data is being lost."
	for i := range s.Problems {
		switch p := &s.Problems[i]; p.Severity {
		case api.Fault:
			faults++
			if p.Effect == api.Lost {
				lost = earlier(lost, lostSince(p))
			}
		case api.Warning:
			warnings++
			if p.Effect == api.Lost {
				effect = " Some samples may be missing."
			}
		}
	}
	switch n, last := faults+warnings, lastMessage(s, now); {
	case lost != nil:
		return State{"fault", "Samples are being lost since " + ShortTime(*lost, now) + ".", last, faults}
	case faults > 0:
		return State{"fault", needing(n) + effect, last, faults}
	case n > 0:
		return State{"warning", needing(n) + effect, last, 0}
	case len(s.Lines) == 0 && len(s.Integrations) == 0:
		return State{Tone: "calm", Text: "Not configured yet."}
	}
	return working(s, now)
}

// lostSince returns when the loss of samples by a problem began. A problem that it explains may have begun before it:
// one controller is silent for hours, then the whole line.
func lostSince(p *api.Problem) *time.Time {
	since := &p.Since
	for i := range p.Folded {
		if f := &p.Folded[i]; f.Effect == api.Lost && !f.Since.IsZero() {
			since = earlier(since, &f.Since)
		}
	}
	return since
}

// earlier returns the earlier one of two times; a nil is none.
func earlier(a, b *time.Time) *time.Time {
	if a == nil || b.Before(*a) {
		return b
	}
	return a
}

// working returns the state of a gateway without faults and warnings.
func working(s *api.Status, now time.Time) State {
	_, sent := SinceSuccess(s, now)
	const starting = 5 * 60 // seconds: an object that was not read by then has another reason
	if read, all := read(s); !sent && read < all && s.UptimeS < starting {
		return State{Tone: "calm", Text: fmt.Sprintf("Starting: %d of %d objects read.", read, all)}
	}
	return State{Tone: "good", Text: "Everything works.", Last: lastMessage(s, now)}
}

// lastMessage returns a sentence about the last accepted message; "" if there is no integration.
func lastMessage(s *api.Status, now time.Time) string {
	ago, sent := SinceSuccess(s, now)
	switch {
	case sent:
		return "Last message " + Age(ago) + " ago."
	case len(s.Integrations) > 0:
		return "No message was sent yet."
	}
	return ""
}

// read returns how many of the polled objects gave a reply at their last reading, and how many objects are polled.
func read(s *api.Status) (read, all int) {
	for i := range s.Lines {
		for j := range s.Lines[i].Slaves {
			read += s.Lines[i].Slaves[j].Read
			all += s.Lines[i].Slaves[j].Objects
		}
	}
	return read, all
}

func needing(n int) string {
	if n == 1 {
		return "1 thing needs attention."
	}
	return fmt.Sprintf("%d things need attention.", n)
}

// SinceSuccess returns the time since a cloud last accepted a message; false if none has. It uses the ages of the
// status, because a change of the clock does not change them.
func SinceSuccess(s *api.Status, now time.Time) (ago time.Duration, ok bool) {
	for i := range s.Integrations {
		in := &s.Integrations[i]
		if in.LastSuccess == nil {
			continue
		}
		one := now.Sub(*in.LastSuccess) // the status of an older daemon has no age
		if in.LastSuccessAgeS != nil {
			one = time.Duration(*in.LastSuccessAgeS) * time.Second
		}
		if !ok || one < ago {
			ago, ok = one, true
		}
	}
	return ago, ok
}

// Age prints a duration in one unit: "3 s", "18 min", "5 h" or "41 d". A negative duration is "0 s".
func Age(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d d", int(d.Hours()/24))
	}
}

// ShortTime prints a time in the zone of now. A time of today has no date.
func ShortTime(t, now time.Time) string {
	t = t.In(now.Location())
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04")
}
