package web

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"noi-agent/status/api"
	"noi-agent/status/wording"
)

//go:embed page.html
var pageSource string

//go:embed style.css
var styleSource string

// page makes the page. It is parsed once and may be used by all requests at once.
type page struct{ template *template.Template }

func newPage(zone *time.Location) *page {
	local := localTimes{zone}
	t := template.New("page").Funcs(template.FuncMap{
		"local":    local.local,
		"stretch":  local.stretch,
		"span":     span,
		"text":     text,
		"tone":     tone,
		"count":    count,
		"bytes":    size,
		"decimal":  func(n any) string { return wording.Decimal(number(n)) },
		"parsed":   local.parsed,
		"counters": counters,
		"newest":   newest,
		"share":    share,
		"perDay":   perDay,
		"duration": wording.Duration,
		"start":    wording.Start,
		"gap":      wording.Gap,
	})
	return &page{template.Must(t.Parse(pageSource))} // our own file: a fault in it fails every test
}

// servePage answers with the page.
func (s *Site) servePage(w http.ResponseWriter, r *http.Request) {
	before, err := parseBefore(r.URL.RawQuery)
	if err != nil {
		send(w, http.StatusBadRequest, typeText, []byte(err.Error()+"\n"))
		return
	}
	var b bytes.Buffer
	if err := s.page.template.Execute(&b, s.view(api.TriggerQuery{Limit: pageRows, Before: before})); err != nil {
		send(w, http.StatusInternalServerError, typeText, []byte("make the page: "+err.Error()+"\n"))
		return
	}
	send(w, http.StatusOK, typeHTML, b.Bytes())
}

// serveStyle answers with the stylesheet.
func (s *Site) serveStyle(w http.ResponseWriter, _ *http.Request) {
	send(w, http.StatusOK, typeCSS, []byte(styleSource))
}

// parseBefore reads the query of the page, which has one parameter. 0: from the newest row on.
func parseBefore(raw string) (uint64, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return 0, errors.New("the query cannot be read: write name=value, joined by &")
	}
	for name, given := range values {
		if name != "before" {
			return 0, fmt.Errorf("unknown parameter %q: allowed: before", name)
		}
		if len(given) > 1 {
			return 0, fmt.Errorf("parameter %q is given %d times: give it once", name, len(given))
		}
	}
	if values.Get("before") == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(values.Get("before"), 10, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("parameter \"before\": want a row id from 1 up, not %q", values.Get("before"))
	}
	return n, nil
}

// view is what the page shows.
type view struct {
	Status   api.Status
	Latest   []slaveValues
	Triggers api.Triggers
	Older    bool     // these rows are not the newest
	Unread   []string // what could not be read, in words
}

// DeadSince is since when an integration has dead letters, zero when it has none: the problem of that name has the
// time.
func (v *view) DeadSince(integration string) time.Time {
	for _, p := range v.Status.Problems {
		if p.Code == api.CloudRejected.Code && p.Subject == integration {
			return p.Since
		}
	}
	return time.Time{}
}

// NameOf is the subject of a problem as people call it: integrations have names beside their ids.
func (v *view) NameOf(subject string) string {
	for i := range v.Status.Integrations {
		if in := &v.Status.Integrations[i]; in.ID == subject && in.Name != "" {
			return in.Name + " (" + subject + ")"
		}
	}
	return subject
}

// Gaps are the integrations that have gaps.
func (v *view) Gaps() []api.Integration {
	var with []api.Integration
	for _, in := range v.Status.Integrations {
		if len(in.Gaps) > 0 {
			with = append(with, in)
		}
	}
	return with
}

// newest are the gaps that the page shows.
func newest(gaps []api.Gap) []api.Gap { return gaps[:min(wording.NewestGaps, len(gaps))] }

// slaveValues are the latest values of one slave.
type slaveValues struct {
	Line, Slave string
	UnitID      int
	Values      []api.Latest
}

func (s *Site) view(q api.TriggerQuery) *view {
	v := &view{Status: s.source.Status(), Latest: bySlave(s.source.Objects().Objects), Older: q.Before > 0}
	rows, err := s.source.Triggers(q)
	if err != nil {
		v.Unread = append(v.Unread, "trigger log: "+err.Error())
	}
	v.Triggers = rows
	return v
}

// counters are numbers by their names in the JSON. What is no number, such as exceptions by code, is left to the JSON.
func counters(c api.Counters) (map[string]float64, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for name, value := range all {
		if n, ok := value.(float64); ok {
			out[name] = n
		}
	}
	return out, nil
}

// bySlave groups neighbours; the agent lists the values of a slave together.
func bySlave(values []api.Latest) []slaveValues {
	var groups []slaveValues
	for _, o := range values {
		n := len(groups)
		if n == 0 || groups[n-1].Line != o.Line || groups[n-1].Slave != o.Slave || groups[n-1].UnitID != o.UnitID {
			groups = append(groups, slaveValues{Line: o.Line, Slave: o.Slave, UnitID: o.UnitID})
			n++
		}
		groups[n-1].Values = append(groups[n-1].Values, o)
	}
	return groups
}

// localTimes prints what depends on the zone.
type localTimes struct{ zone *time.Location }

// local prints a time in local time with its zone, nothing for the zero time.
func (w localTimes) local(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(w.zone).Format("2006-01-02 15:04:05 MST")
}

// parsed prints an RFC 3339 time as local does. What is no time comes back as it is.
func (w localTimes) parsed(rfc3339 string) string {
	t, err := time.Parse(time.RFC3339, rfc3339)
	if err != nil {
		return rfc3339
	}
	return w.local(t)
}

// stretch prints the time from one moment to another, as local does; the date is not said twice. nil: not known.
func (w localTimes) stretch(from, to *time.Time) string {
	switch {
	case from == nil && to == nil:
		return "not known"
	case from == nil:
		return "until " + w.local(*to)
	case to == nil:
		return "from " + w.local(*from)
	}
	a, b, begun, ended := w.local(*from), w.local(*to), from.In(w.zone), to.In(w.zone)
	const date, zone = "2006-01-02 ", " MST"
	if begun.Format(date+zone) != ended.Format(date+zone) {
		return a + " – " + b
	}
	return strings.TrimSuffix(a, begun.Format(zone)) + " – " + strings.TrimPrefix(b, ended.Format(date))
}

// span prints a number of seconds as "45 s", "3 min 5 s", "7 h 2 min" or "12 d 4 h".
func span(seconds int64) string {
	n := max(seconds, 0)
	switch {
	case n < 60:
		return fmt.Sprintf("%d s", n)
	case n < 3600:
		return fmt.Sprintf("%d min %d s", n/60, n%60)
	case n < 86400:
		return fmt.Sprintf("%d h %d min", n/3600, n%3600/60)
	default:
		return fmt.Sprintf("%d d %d h", n/86400, n%86400/3600)
	}
}

// text prints a value's JSON for people: a string bare, a list of strings joined, none as "none", the rest as it is.
func text(value any) (string, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, nil
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil {
		return strings.TrimSpace(string(raw)), nil
	}
	if len(list) == 0 {
		return "none", nil
	}
	return strings.Join(list, ", "), nil
}

// tone is the style of a state or severity: what works, what waits by itself, and what needs somebody.
func tone(state string) string {
	switch state {
	case "ok", "idle", "good", "created", "clean", "checked":
		return "good"
	case "failed", "silent", "refusing", "fault", "unknown_model", "wrong_model", "no_objects", "memory":
		return "bad"
	case "retrying", "waiting", "waiting_for_clock", "unsure", "opening", "warning", "renewed":
		return "warn"
	default:
		return "calm"
	}
}

// count prints a whole number with its thousands apart.
func count(n any) string {
	digits := strconv.FormatFloat(number(n), 'f', 0, 64)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:] // a narrow space that does not break
	}
	return digits
}

// number is a number of any type.
func number(n any) float64 {
	switch v := reflect.Indirect(reflect.ValueOf(n)); {
	case v.CanInt():
		return float64(v.Int())
	case v.CanUint():
		return float64(v.Uint())
	default:
		return v.Float()
	}
}

// size prints a number of bytes as "812 B", "64.0 KiB" or "3.5 MiB".
func size(bytes int64) string {
	switch n := float64(bytes); {
	case n < 1<<10:
		return fmt.Sprintf("%.0f B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", n/(1<<10))
	default:
		return fmt.Sprintf("%.1f MiB", n/(1<<20))
	}
}

// share prints a part of one as percent.
func share(part float64) string { return fmt.Sprintf("%.1f %%", part*100) }

func perDay(megabytes float64) string { return fmt.Sprintf("%.1f MB a day", megabytes) }
