package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"noi-agent/status/api"
)

// pageRows is the most rows of the trigger log on a page.
const pageRows = 32

// row is a row of the trigger log, prepared for people.
type row struct {
	api.Trigger
	Integration string // name of the integration
	Cloud       string // AWS, GCP; "": the integration is not configured any more
	Object      string // the object of the sample; "": a row about a gap, or an unknown message
	Value       string
	Unit        string
	Slave       string
	SampledAt   string // RFC 3339
	PublishedAt string // RFC 3339
	SampleID    string
	Raw         string // the message as it was sent
	Said        string // the cloud's answer as JSON
	State       saying
}

// envelope has the fields of a message that the pages show.
type envelope struct {
	PublishedAt string          `json:"published_at"`
	SampledAt   string          `json:"sampled_at"`
	Object      string          `json:"object"`
	Slave       string          `json:"slave"`
	Data        json.RawMessage `json:"data"`
	SampleID    string          `json:"sample_id"`
}

// rowOf prepares a trigger for people.
func rowOf(status *api.Status, t api.Trigger, now time.Time) row {
	r := row{Trigger: t, Integration: nameOf(status, t.IntegrationID), Raw: string(t.PublishedData),
		State: triggerState(&t, now)}
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

// triggerState returns the state of a trigger in words: "retrying, 4 tries, next in 32 s".
func triggerState(t *api.Trigger, now time.Time) saying {
	if t.Gap != nil {
		return saying{bad, "samples missing"}
	}
	if t.Success {
		if t.Replayed {
			return saying{good, "delivered again"}
		}
		return saying{good, api.StateDelivered}
	}
	words := cmp.Or(t.State, "not delivered")
	if t.Attempts > 1 {
		words += ", " + plural(t.Attempts, "try")
	}
	if t.NextAttemptInS != nil {
		words += ", next in " + age(int64(*t.NextAttemptInS))
	}
	tone := bad
	if t.State == api.StateRetrying {
		tone = warn
	}
	return saying{tone, words}
}

// Late returns the time from the sample to the answer of the cloud, such as "2.1 s later"; "" if it is not known.
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

// triggersView is the data of the page of the trigger log.
type triggersView struct {
	frame
	Rows   []row
	Next   string // address of older rows; "": there are none
	First  bool   // the rows are the newest ones
	Filter triggerFilter
	Wrong  string         // sentence about a filter that cannot be used; "": it can
	zone   *time.Location // of the gateway
}

// triggers shows a page of the trigger log.
func (s *Site) triggers(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r, filterNames()...) {
		return
	}
	v := &triggersView{
		frame: s.frame("Triggers", "/triggers"), Filter: filterOf(r.URL.Query()), zone: s.o.Zone,
	}
	for i := range v.Status.Integrations {
		if in := &v.Status.Integrations[i]; in.Name == v.Filter.Integration && in.Name != "" {
			v.Filter.Integration = in.ID
		}
	}
	q, err := v.Filter.query(s.o.Zone)
	if err != nil {
		s.refuseFilter(w, v, http.StatusBadRequest, err)
		return
	}
	rows, next, err := s.rows(&v.Status, q)
	if wrong := new(api.Error); errors.As(err, &wrong) {
		s.refuseFilter(w, v, wrong.Status, wrong)
		return
	}
	if err != nil {
		v.Unread = append(v.Unread, "The trigger log cannot be read: "+err.Error()+".")
	}
	v.Rows, v.First = rows, q.Before == 0
	v.Refresh = v.First
	if next != nil {
		older := v.Filter
		older.Before = strconv.FormatUint(*next, 10)
		v.Next = older.path("/triggers")
	}
	s.render(w, http.StatusOK, v)
}

// refuseFilter shows the filter again, with what was typed and the error.
func (s *Site) refuseFilter(w http.ResponseWriter, v *triggersView, status int, err error) {
	v.Title, v.Refresh, v.First, v.Wrong = "Error: "+v.Title, false, true, ended(err.Error())
	s.render(w, status, v)
}

// rows reads rows of the trigger log. The pointer is as api.Triggers.Next.
func (s *Site) rows(status *api.Status, q api.TriggerQuery) ([]row, *uint64, error) {
	found, err := s.o.Source.Triggers(q)
	if err != nil {
		return nil, nil, err
	}
	list := make([]row, len(found.Triggers))
	for i, t := range found.Triggers {
		list[i] = rowOf(status, t, s.o.Now())
	}
	return list, found.Next, nil
}
