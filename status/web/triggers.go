package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"noi-agent/status/api"
)

// pageRows is how many rows of the trigger log a page has.
const pageRows = 32

// row is a trigger as people read it.
type row struct {
	api.Trigger
	Integration string // name of the integration
	Cloud       string // AWS, GCP
	Object      string // what was sent; "": a row about a gap
	Value       string
	Unit        string
	Slave       string
	SampledAt   string // RFC 3339
	PublishedAt string
	SampleID    string
	Raw         string // the message as it was sent
	Said        string // the cloud's answer as JSON
	State       saying
}

// envelope is what a message says, for a row.
type envelope struct {
	PublishedAt string          `json:"published_at"`
	SampledAt   string          `json:"sampled_at"`
	Object      string          `json:"object"`
	Slave       string          `json:"slave"`
	Data        json.RawMessage `json:"data"`
	SampleID    string          `json:"sample_id"`
}

// rowOf reads a trigger.
func rowOf(status *api.Status, t api.Trigger) row {
	r := row{Trigger: t, Integration: nameOf(status, t.IntegrationID), Raw: string(t.PublishedData),
		State: triggerState(&t)}
	for i := range status.Integrations {
		if status.Integrations[i].ID == t.IntegrationID {
			r.Cloud = cloud(status.Integrations[i].Type)
		}
	}
	var e envelope
	if err := json.Unmarshal(t.PublishedData, &e); err == nil && e.Object != "" {
		r.Object, r.Slave, r.SampledAt, r.PublishedAt = e.Object, e.Slave, e.SampledAt, e.PublishedAt
		r.SampleID = e.SampleID
		r.Value, _ = text(e.Data)
	}
	if said, err := json.Marshal(t.IntegrationData); err == nil {
		r.Said = string(said)
	}
	return r
}

// triggerState says how a trigger ended.
func triggerState(t *api.Trigger) saying {
	switch {
	case t.Gap != nil:
		return saying{bad, "samples missing"}
	case t.Success && t.Replayed:
		return saying{good, "delivered again"}
	case t.Success:
		return saying{good, "delivered"}
	default:
		return saying{bad, "not delivered"}
	}
}

// Late is how long after the sample the cloud took it; "": not known.
func (r *row) Late() string {
	sampled, err := time.Parse(time.RFC3339, r.SampledAt)
	if err != nil {
		return ""
	}
	done, err := time.Parse(time.RFC3339, r.CompletedAt)
	if err != nil || done.Before(sampled) {
		return ""
	}
	if late := done.Sub(sampled); late < time.Minute {
		return strconv.FormatFloat(late.Seconds(), 'f', 1, 64) + " s later"
	}
	return age(int64(done.Sub(sampled).Seconds())) + " later"
}

// triggersView is what the page shows.
type triggersView struct {
	frame
	Rows   []row
	Next   string // address of older rows; "": these are the oldest
	First  bool   // these are the newest
	Filter triggerFilter
}

// triggerFilter is what the address asks for.
type triggerFilter struct {
	Integration string // id
	Success     string // "", "true" or "false"
	Gaps        string // "" or "true"
	Before      string
}

// chip is a part of the filter that is in force.
type chip struct {
	Words string
	Path  string // the page without it
}

// filterOf reads the query of a request.
func filterOf(q url.Values) triggerFilter {
	return triggerFilter{q.Get("integration"), q.Get("success"), q.Get("gaps"), q.Get("before")}
}

// query returns what to ask of the trigger log, or what is wrong.
func (f *triggerFilter) query() (api.TriggerQuery, string) {
	q := api.TriggerQuery{Integration: f.Integration, Gaps: f.Gaps == "true", Limit: pageRows}
	switch f.Success {
	case "":
	case "true", "false":
		success := f.Success == "true"
		q.Success = &success
	default:
		return q, "success: want true or false, not " + strconv.Quote(f.Success)
	}
	if f.Before != "" {
		n, err := strconv.ParseUint(f.Before, 10, 64)
		if err != nil || n == 0 {
			return q, "before: want a row id from 1 up, not " + strconv.Quote(f.Before)
		}
		q.Before = n
	}
	return q, ""
}

// path is the address of the page with this filter.
func (f *triggerFilter) path() string {
	q := url.Values{}
	for _, p := range [][2]string{
		{"integration", f.Integration}, {"success", f.Success}, {"gaps", f.Gaps}, {"before", f.Before},
	} {
		if p[1] != "" {
			q.Set(p[0], p[1])
		}
	}
	if len(q) == 0 {
		return "/triggers"
	}
	return "/triggers?" + q.Encode()
}

// Newest is the address of the newest rows.
func (f triggerFilter) Newest() string {
	f.Before = ""
	return f.path()
}

// Download is the address of all rows of the filter, as csv or jsonl.
func (f triggerFilter) Download(ext string) string {
	_, query, _ := strings.Cut(f.Newest(), "?")
	if query != "" {
		query = "?" + query
	}
	return "/api/v1/triggers." + ext + query
}

// Chips are the parts of the filter in force.
func (v *triggersView) Chips() []chip {
	var list []chip
	if f := v.Filter; f.Integration != "" {
		f.Integration, f.Before = "", ""
		list = append(list, chip{nameOf(&v.Status, v.Filter.Integration), f.path()})
	}
	if f := v.Filter; f.Success != "" {
		f.Success, f.Before = "", ""
		list = append(list, chip{map[string]string{"true": "delivered", "false": "failed"}[v.Filter.Success], f.path()})
	}
	if f := v.Filter; f.Gaps == "true" {
		f.Gaps, f.Before = "", ""
		list = append(list, chip{"gaps", f.path()})
	}
	return list
}

// triggers answers with a page of the trigger log.
func (s *Site) triggers(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r, "integration", "success", "gaps", "before") {
		return
	}
	v := &triggersView{frame: s.frame("Triggers", "/triggers"), Filter: filterOf(r.URL.Query())}
	q, wrong := v.Filter.query()
	if wrong != "" {
		s.say(w, http.StatusBadRequest, "This address cannot be read", wrong)
		return
	}
	rows, next, err := s.rows(&v.Status, q)
	if err != nil {
		v.Unread = append(v.Unread, "trigger log: "+err.Error())
	}
	v.Rows, v.First = rows, q.Before == 0
	v.Refresh = v.First
	if next != nil {
		older := v.Filter
		older.Before = strconv.FormatUint(*next, 10)
		v.Next = older.path()
	}
	s.render(w, http.StatusOK, "triggers", v)
}

// rows asks the trigger log.
func (s *Site) rows(status *api.Status, q api.TriggerQuery) ([]row, *uint64, error) {
	found, err := s.o.Source.Triggers(q)
	if err != nil {
		return nil, nil, err
	}
	list := make([]row, len(found.Triggers))
	for i, t := range found.Triggers {
		list[i] = rowOf(status, t)
	}
	return list, found.Next, nil
}
