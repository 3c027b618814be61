package api

import (
	"strings"
	"time"
)

// Severity says how much a problem matters.
type Severity string

// The severities: a fault stops data, a warning may, a notice is worth knowing.
const (
	Fault   Severity = "fault"
	Warning Severity = "warning"
	Notice  Severity = "notice"
)

// Effect says what a problem does to the data.
type Effect string

// The effects.
const (
	None    Effect = "none"
	Delayed Effect = "delayed"
	Lost    Effect = "lost"
)

// Kind is one thing that can be wrong. The table of kinds is the one list of problems: status, page, metrics, logs,
// command line and documents all read it.
//
// Title, Remedy and Href may have places for what is not known before the case: {name} is the subject as people call
// it, {id} the subject, {cloud} and {type} that of an integration ("AWS", "aws"). A case fills other places itself,
// with Problem.With.
type Kind struct {
	Code     string
	Severity Severity
	Title    string
	Effect   Effect
	Remedy   string

	// Codes of the kinds that explain this one: while such a problem is shown for the same subject, or for what the
	// subject is a part of, this one is folded under it.
	DependsOn []string
	// VisibleAfter is for how long this must be the case before it is shown, by the monotonic clock: one missed reply
	// is no news. 0: at once.
	VisibleAfter time.Duration
	Href         string // address of the page that shows more
}

// Problem is one kind that is the case now.
type Problem struct {
	Code     string    `json:"code"`
	Severity Severity  `json:"severity"`
	Subject  string    `json:"subject"` // "rs485", "rs485/1", an integration's id, "agent"
	Name     string    `json:"name"`    // the subject as people call it
	Since    time.Time `json:"since"`   // wall time
	AgeS     int64     `json:"age_s"`   // seconds since then, monotonic where the agent has seen it begin
	Title    string    `json:"title"`
	Detail   string    `json:"detail"` // the case at hand, with the error
	Effect   Effect    `json:"effect"`
	Remedy   string    `json:"remedy"`
	Href     string    `json:"href"`   // address of the page that shows more
	Folded   []Folded  `json:"folded"` // what this one explains

	Lasts time.Duration `json:"-"` // for how long it is the case, monotonic; 0: only Since is known
}

// Folded is a problem that another one explains.
type Folded struct {
	Code    string `json:"code"`
	Subject string `json:"subject"`
	Title   string `json:"title"`
}

// Of makes a problem of the kind.
func (k Kind) Of(subject string, since time.Time, detail string) Problem {
	return Problem{
		Code: k.Code, Severity: k.Severity, Subject: subject, Since: since.UTC().Truncate(time.Second),
		Title: k.Title, Detail: detail, Effect: k.Effect, Remedy: k.Remedy, Href: k.Href, Folded: []Folded{},
	}
}

// Lasting notes for how long the problem is the case, by the monotonic clock.
func (p Problem) Lasting(d time.Duration) Problem {
	p.Lasts = d
	return p
}

// With fills places of the texts: With("name", "battery-shed") fills {name}. What it puts in is not looked through
// again.
func (p Problem) With(placesAndValues ...string) Problem {
	pairs := make([]string, len(placesAndValues))
	for i, word := range placesAndValues {
		if pairs[i] = word; i%2 == 0 {
			pairs[i] = "{" + word + "}"
		}
	}
	fill := strings.NewReplacer(pairs...)
	p.Title, p.Remedy, p.Href = fill.Replace(p.Title), fill.Replace(p.Remedy), fill.Replace(p.Href)
	return p
}
