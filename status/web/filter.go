package web

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"noi-agent/status/api"
)

// triggerFilter is the filter in the address of the trigger log, as it was given. "" lets all rows through.
type triggerFilter struct {
	Integration string // id
	Object      string // a name, or a pattern such as T_*
	Success     string // "true" or "false"
	State       string // one of api.TriggerStates
	From, To    string // RFC 3339, or the time of the gateway as a form sends it: 2022-06-28T03:20:37
	Gaps        string // "true"
	Before      string // id of a row
}

// fields lists the parameters of the address in their order, each with its place.
func (f *triggerFilter) fields() []struct {
	name  string
	value *string
} {
	return []struct {
		name  string
		value *string
	}{
		{"integration", &f.Integration}, {"object", &f.Object}, {"success", &f.Success}, {"state", &f.State},
		{"from", &f.From}, {"to", &f.To}, {"gaps", &f.Gaps}, {"before", &f.Before},
	}
}

// filterNames are the parameters that the address of the trigger log may have.
func filterNames() []string {
	var names []string
	for _, field := range new(triggerFilter).fields() {
		names = append(names, field.name)
	}
	return names
}

// filterOf reads the query of a request. Blanks around a value mean nothing: phones add them.
func filterOf(q url.Values) (f triggerFilter) {
	for _, field := range f.fields() {
		*field.value = strings.TrimSpace(q.Get(field.name))
	}
	return f
}

// query returns the query for the trigger log, or an error that says what is wrong.
func (f *triggerFilter) query(zone *time.Location) (q api.TriggerQuery, err error) {
	q = api.TriggerQuery{
		Integration: f.Integration, Object: f.Object, State: f.State, Gaps: f.Gaps == "true", Limit: pageRows,
	}
	if f.State != "" && !slices.Contains(api.TriggerStates(), f.State) {
		return q, fmt.Errorf("state: want one of %s, not %q", strings.Join(api.TriggerStates(), ", "), f.State)
	}
	switch f.Success {
	case "":
	case "true", "false":
		success := f.Success == "true"
		q.Success = &success
	default:
		return q, fmt.Errorf("success: want true or false, not %q", f.Success)
	}
	if f.Before != "" {
		if q.Before, err = strconv.ParseUint(f.Before, 10, 64); err != nil || q.Before == 0 {
			return q, fmt.Errorf("before: want a row id from 1 up, not %q", f.Before)
		}
	}
	if q.From, err = instant(f.From, zone); err != nil {
		return q, fmt.Errorf("from: %w", err)
	}
	if q.To, err = instant(f.To, zone); err != nil {
		return q, fmt.Errorf("to: %w", err)
	}
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		return q, fmt.Errorf("to: want a time after %s", f.From)
	}
	return q, nil
}

// instant reads a time with its offset, or without one as the field of a form sends it, in the zone of the gateway. ""
// is the zero time.
func instant(text string, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("want a time as 2022-06-28T03:20:37, not %q", text)
}

// path is an address with this filter.
func (f triggerFilter) path(of string) string {
	q := url.Values{}
	for _, field := range f.fields() {
		if *field.value != "" {
			q.Set(field.name, *field.value)
		}
	}
	if len(q) == 0 {
		return of
	}
	return of + "?" + q.Encode()
}

// Newest is the address of the newest rows.
func (f triggerFilter) Newest() string {
	f.Before = ""
	return f.path("/triggers")
}

// Download is the address of all rows of the filter, as csv or jsonl. The API takes times with their offset only.
func (v *triggersView) Download(ext string) string {
	f := v.Filter
	f.Before = ""
	for _, at := range []*string{&f.From, &f.To} {
		if t, err := instant(*at, v.zone); err == nil && !t.IsZero() {
			*at = t.Format(time.RFC3339)
		}
	}
	return f.path("/api/v1/triggers." + ext)
}

// Typed is a time of the filter as the field of a form takes it, in the zone of the gateway.
func (v *triggersView) Typed(at string) string {
	if t, err := instant(at, v.zone); err == nil && !t.IsZero() {
		return t.In(v.zone).Format("2006-01-02T15:04:05")
	}
	return ""
}

// UTC is a time of the filter for the script, which shows it in the reader's zone.
func (v *triggersView) UTC(at string) string {
	if t, err := instant(at, v.zone); err == nil && !t.IsZero() {
		return t.Format(time.RFC3339)
	}
	return ""
}

// Offset is the offset of the gateway's zone, as "+02:00".
func (v *triggersView) Offset() string { return v.Now.In(v.zone).Format("-07:00") }

// States are the states that a trigger can have.
func (v *triggersView) States() []string { return api.TriggerStates() }

// chip is a part of the active filter.
type chip struct {
	Words string
	At    time.Time // shown behind the words; zero: nothing
	Path  string    // the page without it
}

// Chips are the parts of the active filter.
func (v *triggersView) Chips() []chip {
	var list []chip
	words := map[string]string{
		"integration": nameOf(&v.Status, v.Filter.Integration), "object": v.Filter.Object, "state": v.Filter.State,
		"success": map[string]string{"true": "delivered", "false": "failed"}[v.Filter.Success],
		"from":    "from", "to": "until", "gaps": "gaps only",
	}
	without := v.Filter
	for i, field := range without.fields() {
		if *field.value == "" || field.name == "before" {
			continue
		}
		c := chip{Words: cmp.Or(words[field.name], *field.value)}
		if field.name == "from" || field.name == "to" {
			c.At, _ = instant(*field.value, v.zone) // it was read before
		}
		rest := v.Filter
		*rest.fields()[i].value, rest.Before = "", ""
		c.Path = rest.path("/triggers")
		list = append(list, c)
	}
	return list
}
