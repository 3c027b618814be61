package api

import (
	"strings"
	"time"
)

// Severity says how much a problem matters.
type Severity string

// The severities. A fault stops data. A warning may stop data later. A notice is worth knowing.
const (
	Fault   Severity = "fault"
	Warning Severity = "warning"
	Notice  Severity = "notice"
)

// Effect is the effect of a problem on the data.
type Effect string

// The effects.
const (
	None    Effect = "none"
	Delayed Effect = "delayed" // samples wait in the outbox
	Lost    Effect = "lost"    // samples are missing
)

// Kind is a kind of problem. Kinds returns the only list of kinds: status, page, metrics, logs, command line and
// documents all use it.
//
// Title, Remedy and Href may have places, which are filled for each problem: {name} is the name of the subject for
// people, {id} the subject, and {cloud} and {type} are the cloud of an integration ("AWS", "aws"). The code that
// reports a problem fills other places with Problem.With.
type Kind struct {
	Code     string
	Severity Severity
	Title    string
	Effect   Effect
	Remedy   string

	// Codes of the kinds that explain this one. While such a problem is shown for the same subject, or for the line of
	// the subject, this problem is folded under it.
	DependsOn []string
	// VisibleAfter is the time that the problem must last before it is shown, by the monotonic clock. It hides a single
	// missing reply. 0: the problem is shown at once.
	VisibleAfter time.Duration
	Href         string // address of the page that shows more
}

// Problem is a present problem.
type Problem struct {
	Code     string    `json:"code"`
	Severity Severity  `json:"severity"`
	Subject  string    `json:"subject"` // "rs485", "rs485/1", an integration's id, "agent"
	Name     string    `json:"name"`    // name of the subject for people
	Since    time.Time `json:"since"`   // wall time
	AgeS     int64     `json:"age_s"`   // seconds since then; monotonic if the problem began in this run of the agent
	Title    string    `json:"title"`
	Detail   string    `json:"detail"` // details of this problem, with the error
	Effect   Effect    `json:"effect"`
	Remedy   string    `json:"remedy"`
	Href     string    `json:"href"`   // address of the page that shows more
	Folded   []Folded  `json:"folded"` // the problems that this one explains

	Lasts time.Duration `json:"-"` // how long the problem has lasted, monotonic; 0: only Since is known
}

// Folded is a problem that another one explains.
type Folded struct {
	Code    string    `json:"code"`
	Subject string    `json:"subject"`
	Title   string    `json:"title"`
	Since   time.Time `json:"since"` // wall time; may be before the problem that explains this one
	AgeS    int64     `json:"age_s"` // seconds since then, monotonic if it began in this run of the agent
	Effect  Effect    `json:"effect"`
}

// Of returns a problem of this kind.
func (k Kind) Of(subject string, since time.Time, detail string) Problem {
	return Problem{
		Code: k.Code, Severity: k.Severity, Subject: subject, Since: since.UTC().Truncate(time.Second),
		Title: k.Title, Detail: detail, Effect: k.Effect, Remedy: k.Remedy, Href: k.Href, Folded: []Folded{},
	}
}

// Lasting returns the problem with the time that it has lasted, by the monotonic clock.
func (p Problem) Lasting(d time.Duration) Problem {
	p.Lasts = d
	return p
}

// With returns the problem with filled places: With("name", "battery-shed") fills {name}. A place inside a value is not
// filled.
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
