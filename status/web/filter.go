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

// triggerFilter has the parameters of the trigger log's address, as a person typed them. "" matches all rows.
type triggerFilter struct {
	Integration string // id
	Object      string // a name, or a pattern such as T_*
	Success     string // "true" or "false"
	State       string // one of api.TriggerStates
	From, To    string // RFC 3339, or local time of the gateway without an offset: 2022-06-28T03:20:37
	Gaps        string // "true": only rows about gaps
	Before      string // id of a row: only older rows
}

// fields lists the parameters in the order of the address, each with the field that has its value.
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

// filterOf reads the query of a request. It removes blanks around a value, because phones add them.
func filterOf(q url.Values) (f triggerFilter) {
	for _, field := range f.fields() {
		*field.value = strings.TrimSpace(q.Get(field.name))
	}
	return f
}

// query returns the query for the trigger log. zone is the zone of times without an offset. The error names the wrong
// parameter and its allowed values.
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

// instant reads a time. A time without an offset, as a form sends it, is in the zone of the gateway. "" becomes the
// zero time.
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

// path returns an address of the page `of` with this filter.
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

// Newest returns the address of the newest rows that match the filter.
func (f triggerFilter) Newest() string {
	f.Before = ""
	return f.path("/triggers")
}

// Download returns the address of a file with all rows that match the filter. ext is csv or jsonl. The times in the
// address have an offset, because the API does not know the form of time that browsers send.
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

// Typed returns a time of the filter in the form that an input field of a browser accepts: local time of the gateway,
// without an offset.
func (v *triggersView) Typed(at string) string {
	if t, err := instant(at, v.zone); err == nil && !t.IsZero() {
		return t.In(v.zone).Format("2006-01-02T15:04:05")
	}
	return ""
}

// UTC returns a time of the filter in UTC, for the script, which shows it in the reader's zone.
func (v *triggersView) UTC(at string) string {
	if t, err := instant(at, v.zone); err == nil && !t.IsZero() {
		return t.Format(time.RFC3339)
	}
	return ""
}

// Offset returns the present offset of the gateway's zone, such as "+02:00".
func (v *triggersView) Offset() string { return v.Now.In(v.zone).Format("-07:00") }

// States lists the states that a trigger can have.
func (v *triggersView) States() []string { return api.TriggerStates() }

// chip is a parameter of the filter, shown as a link that removes it.
type chip struct {
	Words string
	At    time.Time // shown after the words; zero: nothing
	Path  string    // address of the page without this parameter
}

// Chips lists the parameters of the filter that are set.
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
			c.At, _ = instant(*field.value, v.zone) // after an error the chip has no time
		}
		rest := v.Filter
		*rest.fields()[i].value, rest.Before = "", ""
		c.Path = rest.path("/triggers")
		list = append(list, c)
	}
	return list
}
