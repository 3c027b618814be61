package wording

import (
	"fmt"
	"time"

	"noi-agent/status/api"
)

// State says in one sentence how the agent is. Page, command line and systemd show it.
type State struct {
	Tone   string // good | warning | fault | calm
	Text   string // "2 things need attention. No data is being lost."
	Last   string // "Last message 3 s ago."; "": nothing is to be sent
	Faults int
}

// Mark is the sign of a state beside its words.
func (s State) Mark() string {
	return map[string]string{"good": "✓", "warning": "!", "fault": "✗", "calm": "–"}[s.Tone]
}

// Sentence is all of it in one line.
func (s State) Sentence() string {
	if s.Last != "" {
		return s.Mark() + " " + s.Text + " " + s.Last
	}
	return s.Mark() + " " + s.Text
}

// StateOf reads the sentence from a status: the worst effect on the data counts. Times are in the zone of now.
func StateOf(s *api.Status, now time.Time) State {
	var faults, warnings int
	var lost *time.Time
	effect := " No data is being lost."
	for i := range s.Problems {
		switch p := &s.Problems[i]; p.Severity {
		case api.Fault:
			faults++
			if p.Effect == api.Lost && (lost == nil || p.Since.Before(*lost)) {
				lost = &p.Since
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

// working is the state of a gateway without problems.
func working(s *api.Status, now time.Time) State {
	_, sent := SinceSuccess(s, now)
	const starting = 5 * 60 // seconds: an object that was not read by then has another reason
	if read, all := read(s); !sent && read < all && s.UptimeS < starting {
		return State{Tone: "calm", Text: fmt.Sprintf("Starting: %d of %d objects read.", read, all)}
	}
	return State{Tone: "good", Text: "Everything works.", Last: lastMessage(s, now)}
}

// lastMessage says how long ago a cloud last took a message.
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

// read is how many of the objects that are polled have been read since the start.
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

// SinceSuccess is how long ago a cloud last took a message; false: none has. It goes by the ages: a clock that was set
// in between changes no age.
func SinceSuccess(s *api.Status, now time.Time) (ago time.Duration, ok bool) {
	for i := range s.Integrations {
		in := &s.Integrations[i]
		if in.LastSuccess == nil {
			continue
		}
		one := now.Sub(*in.LastSuccess) // of a daemon that is older than this command
		if in.LastSuccessAgeS != nil {
			one = time.Duration(*in.LastSuccessAgeS) * time.Second
		}
		if !ok || one < ago {
			ago, ok = one, true
		}
	}
	return ago, ok
}

// Age is a time as people say it: "3 s", "18 min", "5 h", "41 d".
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

// ShortTime shows a time in the zone of now, without the date when that is today's.
func ShortTime(t, now time.Time) string {
	t = t.In(now.Location())
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04")
}
