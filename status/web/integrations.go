package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"noi-agent/status/api"
)

// Integrations are the destinations, as status.Integrations describes them.
type Integrations interface {
	List() api.Integrations
	Get(id string) (api.IntegrationEntry, error)
	Preview(id string, config []byte) (api.IntegrationEntry, error)
	Needs(id string) (string, error)
	Create(ctx context.Context, config []byte) (api.IntegrationEntry, error)
	Replace(ctx context.Context, id, etag string, config []byte) (api.IntegrationEntry, error)
	Delete(ctx context.Context, id, etag string) error
	SetEnabled(ctx context.Context, id string, enabled bool) (api.IntegrationEntry, error)
	Wake(id string) error
	Test(ctx context.Context, id string, config []byte, tell func(api.TestStep)) (api.IntegrationTest, error)
}

// latestRows is the number of triggers below the integrations of a cloud.
const latestRows = 10

// integrationsView is the data of the page with the integrations of one cloud.
type integrationsView struct {
	frame
	Cloud string // aws | gcp
	Rows  []row
	Of    []api.IntegrationEntry // the integrations of this cloud
	Done  string                 // sentence about the finished action; "": there was none
	First *saying                // about the first message after a change; nil: nothing was changed
}

// integrations returns the handler of the page with the integrations of one cloud.
func (s *Site) integrations(cloudType string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.accepts(w, r, "done", "id", "since") {
			return
		}
		v := &integrationsView{
			frame: s.frame(cloud(cloudType)+" integrations", "/integrations/aws"), Cloud: cloudType,
		}
		for _, e := range s.entries(&v.Status) {
			if e.Config.Type == cloudType {
				v.Of = append(v.Of, e)
			}
		}
		v.Done = doneWords(r.URL.Query().Get("done"), nameOf(&v.Status, r.URL.Query().Get("id")))
		v.First = s.firstMessage(v, r.URL.Query())
		v.Rows, v.Unread = s.latestOf(&v.Status, v.Of)
		s.render(w, http.StatusOK, v)
	}
}

// entries returns all integrations. If integrations cannot be changed, the entries are made from the status, and have
// only its fields.
func (s *Site) entries(status *api.Status) []api.IntegrationEntry {
	if s.o.Integrations != nil {
		return s.o.Integrations.List().Integrations
	}
	var list []api.IntegrationEntry
	for i := range status.Integrations {
		in := &status.Integrations[i]
		c := api.IntegrationConfig{ID: in.ID, Name: in.Name, Type: in.Type, TopicARN: in.Topic, Topic: in.Topic}
		list = append(list, api.IntegrationEntry{Config: c, State: in})
	}
	return list
}

// doneWords returns a sentence about a finished action; "" for an unknown one.
func doneWords(done, name string) string {
	return map[string]string{
		"active": name + " is active.", "paused": name +
			" is paused. " +
			"Waiting messages are kept within the limits, and sent when you resume it.",
		"resumed": name +
			" is active again.", "removed": "The integration was removed. Messages that waited are kept for 24 h, " +
			"then deleted and counted.", "woken": name + " tries again now.",
		"saved": name + " is saved. It is still paused.",
	}[done]
}

// latestOf returns the newest latestRows triggers of some integrations together, the newest first.
func (s *Site) latestOf(status *api.Status, of []api.IntegrationEntry) (rows []row, unread []string) {
	for i := range of {
		some, _, err := s.rows(status, api.TriggerQuery{Integration: of[i].Config.ID, Limit: latestRows})
		if err != nil {
			return rows, []string{"The trigger log cannot be read: " + err.Error() + "."}
		}
		rows = append(rows, some...)
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(b.ID, a.ID) })
	return rows[:min(latestRows, len(rows))], nil
}

// confirmView is the data of a page that asks before an action.
type confirmView struct {
	frame
	Heading string
	Text    string
	Button  string
	Danger  bool
	Hidden  map[string]string // hidden fields of the form
	Back    string            // address of the page to go back to
	Locked  *api.Error        // why a login is needed; nil: it is not
}

// integrationPages lists the addresses of the forms and buttons that change integrations.
func (s *Site) integrationPages() []Page {
	if s.o.Integrations == nil {
		return nil
	}
	var list []Page
	for _, c := range []string{"aws", "gcp"} {
		list = append(list, Page{Method: "GET", Path: "/integrations/" + c + "/new", Handler: s.newForm(c)},
			Page{Method: "POST", Path: "/integrations/" + c + "/new", Handler: s.submitNew(c), Locked: s.lockedNew(c)})
	}
	const one = "/integrations/{id}"
	list = append(list,
		Page{Method: "GET", Path: one + "/edit", Handler: s.editForm},
		Page{Method: "POST", Path: one + "/edit", Handler: s.submitEdit, Locked: s.lockedEdit},
		Page{Method: "GET", Path: one + "/remove", Handler: s.askRemove},
		Page{Method: "POST", Path: one + "/remove", Handler: s.remove, Locked: s.lockedAction("remove")},
		Page{Method: "GET", Path: one + "/setup", Handler: s.setup},
		Page{Method: "POST", Path: one + "/test", Handler: s.test, Locked: s.lockedAction("test")})
	for _, a := range []action{
		{"pause", "paused", func(ctx context.Context, id string) error {
			_, err := s.o.Integrations.SetEnabled(ctx, id, false)
			return err
		}},
		{"resume", "resumed", func(ctx context.Context, id string) error {
			_, err := s.o.Integrations.SetEnabled(ctx, id, true)
			return err
		}},
		{"wake", "woken", func(_ context.Context, id string) error { return s.o.Integrations.Wake(id) }},
	} {
		list = append(list, Page{
			Method: "POST", Path: one + "/" + a.name, Handler: s.act(a), Locked: s.lockedAction(a.name),
		})
	}
	return list
}

// action is a button that does one thing and returns to the same page.
type action struct {
	name, done string
	do         func(ctx context.Context, id string) error
}

func (s *Site) act(a action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		entry, err := s.o.Integrations.Get(r.PathValue("id"))
		if err == nil {
			err = a.do(r.Context(), r.PathValue("id"))
		}
		if err != nil {
			s.fail(w, err)
			return
		}
		s.back(w, r, entry.Config.Type, a.done, entry.Config.ID)
	}
}

// back redirects to the page of the cloud. The page reports the action, and the result of the first message after it.
func (s *Site) back(w http.ResponseWriter, r *http.Request, cloudType, done, id string) {
	q := url.Values{"done": {done}, "id": {id}, "since": {s.o.Now().UTC().Format(time.RFC3339)}}
	http.Redirect(w, r, "/integrations/"+cloudType+"?"+q.Encode(), http.StatusSeeOther)
}

// firstMessage returns a sentence about the first message after an integration was made active. The page is kept up to
// date, so the sentence changes when the cloud has answered.
func (s *Site) firstMessage(v *integrationsView, q url.Values) *saying {
	since, err := instant(q.Get("since"), s.o.Zone)
	done := q.Get("done")
	if err != nil || since.IsZero() || done != "active" && done != "resumed" && done != "woken" {
		return nil
	}
	rows, _, err := s.rows(&v.Status, api.TriggerQuery{Integration: q.Get("id"), From: since, Limit: pageRows})
	if err != nil {
		return nil // latestOf shows the error on the page
	}
	said := &saying{calm, "The first message goes out with the next sample."}
	for i := range rows { // the newest first
		switch row := &rows[i]; {
		case row.Success:
			said = &saying{good, "First message accepted, message id " + row.IntegrationData.MessageID + "."}
		case row.IntegrationData.Error != "" && said.Tone != good:
			said = &saying{bad, row.IntegrationData.Error}
		}
	}
	return said
}

// fail answers with an error as a page.
func (s *Site) fail(w http.ResponseWriter, err error) {
	var e *api.Error
	if !errors.As(err, &e) {
		e = api.NewError(http.StatusInternalServerError, err.Error(), "")
	}
	s.say(w, e.Status, e.Title, ended(e.Detail))
}

// lockedAction asks for the login that a button needs. After the login it does the same as the button.
func (s *Site) lockedAction(name string) func(http.ResponseWriter, *http.Request, *api.Error) {
	return func(w http.ResponseWriter, r *http.Request, why *api.Error) {
		v := &confirmView{
			frame: s.frame("Log in", "/integrations/aws"), Heading: "Log in to change things", Button: "Log in and " +
				name,
			Locked: why, Back: "/integrations/aws", Hidden: map[string]string{},
		}
		v.Refresh = false
		if entry, err := s.o.Integrations.Get(r.PathValue("id")); err == nil {
			v.Back = "/integrations/" + entry.Config.Type
		}
		if etag := r.PostFormValue("etag"); etag != "" {
			v.Hidden["etag"] = etag
		}
		s.render(w, why.Status, v)
	}
}

// askRemove asks before an integration is removed.
func (s *Site) askRemove(w http.ResponseWriter, r *http.Request) {
	entry, err := s.o.Integrations.Get(r.PathValue("id"))
	switch {
	case err != nil:
		s.fail(w, err)
	case entry.Locked:
		s.sayLocked(w, &entry)
	default:
		s.render(w, http.StatusOK, s.removal(&entry, ""))
	}
}

// removal returns the page that asks before an integration is removed. news is a sentence in front of the question.
func (s *Site) removal(entry *api.IntegrationEntry, news string) *confirmView {
	name := cmp.Or(entry.Config.Name, entry.Config.ID)
	v := &confirmView{
		frame: s.frame("Remove "+name, "/integrations/aws"), Heading: "Remove " + name +
			"?", Button: "Remove", Danger: true,
		Text: "Nothing waits to be sent.", Back: "/integrations/" + entry.Config.Type,
		Hidden: map[string]string{"etag": entry.ETag},
	}
	v.Refresh = false
	if entry.State != nil && entry.State.Backlog > 0 {
		v.Text = plural(entry.State.Backlog, "message") + " not yet published: kept for 24 h, then deleted and counted."
	}
	v.Text = strings.TrimSpace(news + " " + v.Text)
	return v
}

// sayLocked answers a change of an integration that only the configuration file can change.
func (s *Site) sayLocked(w http.ResponseWriter, entry *api.IntegrationEntry) {
	s.say(w, http.StatusConflict, "It is set in the configuration file",
		"Change it in "+place(entry)+"; it is read again on `systemctl reload noi-agent`.")
}

func (s *Site) remove(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	entry, err := s.o.Integrations.Get(id)
	if err == nil {
		err = s.o.Integrations.Delete(r.Context(), id, cmp.Or(r.PostFormValue("etag"), entry.ETag))
	}
	var e *api.Error
	if errors.As(err, &e) && e.Status == http.StatusPreconditionFailed {
		s.render(w, http.StatusConflict, s.removal(&entry, "It was changed while you looked. Nothing was removed yet."))
		return
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	s.back(w, r, entry.Config.Type, "removed", id)
}
