package web

import (
	"errors"
	"net/http"
	"strconv"

	"noi-agent/status/api"
)

// triggerView is the data of the page of one trigger.
type triggerView struct {
	frame
	Row    row
	Detail api.TriggerDetail
	Newer  uint64 // id of the next newer row; 0: there is none yet
	Older  uint64 // id of the next older row; 0: there is none
	Done   string // sentence about the finished action; "": there was none
}

// triggerPages has the handlers for one trigger.
type triggerPages struct{ *Site }

// pages lists them.
func (s triggerPages) pages() []Page {
	const one = "/triggers/{id}"
	return []Page{
		{Method: "GET", Path: one, Handler: s.trigger},
		{Method: "GET", Path: one + "/publish", Handler: s.askPublish},
		{Method: "POST", Path: one + "/publish", Handler: s.publish, Locked: s.lockedPublish},
	}
}

// triggerOf reads the trigger that the path names. If it cannot be read, ok is false and triggerOf has answered.
func (s triggerPages) triggerOf(w http.ResponseWriter, r *http.Request) (d api.TriggerDetail, ok bool) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil || id == 0 {
		s.say(w, http.StatusNotFound, "There is no such trigger", r.PathValue("id")+" is not the id of a trigger.")
		return d, false
	}
	d, err = s.o.Source.Trigger(id)
	var e *api.Error
	switch {
	case err == nil:
		return d, true
	case errors.As(err, &e) && e.Status == http.StatusNotFound:
		settings := s.o.Source.Status().Store.Settings
		s.say(w, http.StatusNotFound, "There is no such trigger", "It is no longer kept: the log keeps the newest "+
			count(settings.KeepTriggers)+" of each integration.")
	default:
		s.say(w, http.StatusServiceUnavailable, "The trigger log cannot be read", err.Error())
	}
	return d, false
}

// trigger shows the page of one trigger.
func (s triggerPages) trigger(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r, "done") {
		return
	}
	d, ok := s.triggerOf(w, r)
	if !ok {
		return
	}
	v := &triggerView{frame: s.frame("Trigger "+r.PathValue("id"), "/triggers"), Detail: d}
	v.Row = rowOf(&v.Status, d.Trigger, v.Now)
	if r.URL.Query().Get("done") == "published" {
		v.Done = "It was published again, and the cloud has accepted it. The newest row of the log reports this."
	}
	around, _, err := s.rows(&v.Status, api.TriggerQuery{Before: d.ID + 2, Limit: 3})
	if err != nil {
		v.Unread = append(v.Unread, "The trigger log cannot be read: "+err.Error()+".")
	}
	for i := range around {
		switch id := around[i].ID; {
		case id > d.ID:
			v.Newer = id
		case id < d.ID && v.Older == 0:
			v.Older = id
		}
	}
	s.render(w, http.StatusOK, v)
}

// Held reports whether the message is not delivered yet, so that the agent can try again at once.
func (v *triggerView) Held() bool {
	return v.Detail.State == api.StateRetrying || v.Detail.State == api.StateRefused
}

// publishView returns the page that asks before a trigger is published again.
func (s triggerPages) publishView(d *api.TriggerDetail) *confirmView {
	id := strconv.FormatUint(d.ID, 10)
	v := &confirmView{
		frame: s.frame("Publish "+id+" again", "/triggers"), Heading: "Publish trigger " + id + " again?",
		Text: "The receiver gets this message a second time. It has the same sample id and the attribute replayed, " +
			"so that a receiver can see this.",
		Button: "Publish again", Back: "/triggers/" + id, Hidden: map[string]string{},
	}
	if d.State == api.StateSetAside {
		v.Text = "The cloud has rejected this message before. It is sent once more."
	}
	v.Refresh = false
	return v
}

func (s triggerPages) askPublish(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r) {
		return
	}
	if d, ok := s.triggerOf(w, r); ok {
		s.render(w, http.StatusOK, s.publishView(&d))
	}
}

func (s triggerPages) lockedPublish(w http.ResponseWriter, r *http.Request, why *api.Error) {
	if d, ok := s.triggerOf(w, r); ok {
		v := s.publishView(&d)
		v.Locked = why
		s.render(w, why.Status, v)
	}
}

// publish publishes the sample of a trigger again, and answers when the cloud has answered.
func (s triggerPages) publish(w http.ResponseWriter, r *http.Request) {
	d, ok := s.triggerOf(w, r)
	if !ok {
		return
	}
	takesLong(w)
	result, err := s.o.Source.PublishTrigger(r.Context(), d.ID)
	switch {
	case err != nil:
		s.fail(w, err)
	case result.Rejected > 0:
		s.say(w, http.StatusConflict, "The cloud has rejected it again", result.Error)
	default:
		http.Redirect(w, r, "/triggers/"+strconv.FormatUint(d.ID, 10)+"?done=published", http.StatusSeeOther)
	}
}
