package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"noi-agent/status/api"
)

// SetAsideFilter selects set-aside messages. An empty field matches all messages. Retry and Drop need an Integration.
type SetAsideFilter struct {
	Integration string // id
	Object      string // a name, or a pattern such as T_*
	From, To    string // RFC 3339, of completed_at
}

// SetAside are the messages that a cloud has rejected. Errors are *api.Error. If the number of messages is not the
// expected one, the status is 409 and nothing is done.
type SetAside interface {
	// List returns the messages that match, the oldest first.
	List(f SetAsideFilter) ([]api.Trigger, error)
	// Retry sends the messages that match again, and returns when the cloud has answered.
	Retry(ctx context.Context, f SetAsideFilter, expect int) (api.Replay, error)
	// Drop deletes the messages that match, and returns their number.
	Drop(f SetAsideFilter, expect int) (int, error)
}

// setAsideView is the data of the page of set-aside messages.
type setAsideView struct {
	triggersView        // its filter has only integration, object, from and to
	Count        int    // number of messages that match
	Done         string // sentence about the finished action; "": there was none
}

// setAsidePages has the handlers for set-aside messages.
type setAsidePages struct{ *Site }

// pages lists them.
func (s setAsidePages) pages() []Page {
	if s.o.SetAside == nil {
		return nil
	}
	const path = "/system/set-aside"
	return []Page{
		{Method: "GET", Path: path, Handler: s.setAside},
		{Method: "POST", Path: path + "/retry", Handler: s.retry, Locked: s.lockedSetAside("Retry")},
		{Method: "GET", Path: path + "/drop", Handler: s.askDrop},
		{Method: "POST", Path: path + "/drop", Handler: s.drop, Locked: s.lockedSetAside("Drop")},
	}
}

// setAsideFilter reads the filter from a query or a form. typed is the filter as a person typed it.
func (s setAsidePages) setAsideFilter(q url.Values) (f SetAsideFilter, typed triggerFilter, err error) {
	typed = filterOf(q)
	typed = triggerFilter{Integration: typed.Integration, Object: typed.Object, From: typed.From, To: typed.To}
	asked, err := typed.query(s.o.Zone)
	f = SetAsideFilter{Integration: typed.Integration, Object: typed.Object}
	if !asked.From.IsZero() {
		f.From = asked.From.Format(time.RFC3339)
	}
	if !asked.To.IsZero() {
		f.To = asked.To.Format(time.RFC3339)
	}
	return f, typed, err
}

// setAside shows the messages that are set aside. If one integration is selected, they can be sent again or deleted.
func (s setAsidePages) setAside(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r, "integration", "object", "from", "to", "done", "n", "again") {
		return
	}
	f, typed, err := s.setAsideFilter(r.URL.Query())
	if err != nil {
		s.say(w, http.StatusBadRequest, "This address cannot be read", err.Error())
		return
	}
	v := &setAsideView{}
	v.frame, v.Filter, v.zone = s.frame("Set aside", "/system"), typed, s.o.Zone
	v.Done = setAsideWords(r.URL.Query())
	list, err := s.o.SetAside.List(f)
	if err != nil {
		v.Unread = append(v.Unread, "The set-aside messages cannot be read: "+err.Error()+".")
	}
	v.Count = len(list)
	for i := len(list) - 1; i >= 0 && len(v.Rows) < pageRows; i-- { // the newest first
		v.Rows = append(v.Rows, rowOf(&v.Status, list[i], v.Now))
	}
	s.render(w, http.StatusOK, v)
}

// setAsideWords returns a sentence about a finished action: "310 messages accepted, 2 set aside again."
func setAsideWords(q url.Values) string {
	n, _ := strconv.Atoi(q.Get("n"))
	again, _ := strconv.Atoi(q.Get("again"))
	switch q.Get("done") {
	case "retried":
		words := plural(n, "message") + " accepted"
		if again > 0 {
			words += ", " + count(again) + " set aside again"
		}
		return words + "."
	case "dropped":
		return plural(n, "message") + " dropped and counted."
	}
	return ""
}

// asked reads a form about set-aside messages. If the form is not valid, ok is false and asked has answered.
func (s setAsidePages) asked(w http.ResponseWriter, r *http.Request) (f SetAsideFilter, expect int, ok bool) {
	_ = r.ParseForm() // a broken form has no fields, and is refused below
	f, _, err := s.setAsideFilter(r.Form)
	expect, wrong := strconv.Atoi(r.Form.Get("expect"))
	if err != nil || wrong != nil || f.Integration == "" {
		s.say(w, http.StatusBadRequest, "This form cannot be read", "Open System, Set aside again.")
		return f, 0, false
	}
	return f, expect, true
}

// retry sends the messages of a form again.
func (s setAsidePages) retry(w http.ResponseWriter, r *http.Request) {
	f, expect, ok := s.asked(w, r)
	if !ok {
		return
	}
	takesLong(w)
	result, err := s.o.SetAside.Retry(r.Context(), f, expect)
	if err != nil {
		s.fail(w, err)
		return
	}
	http.Redirect(w, r, f.path("done=retried&n="+strconv.FormatUint(result.Sent, 10)+
		"&again="+strconv.FormatUint(result.Rejected, 10)), http.StatusSeeOther)
}

// path returns the address of the page of an integration, with parameters that report a finished action.
func (f *SetAsideFilter) path(done string) string {
	return "/system/set-aside?integration=" + url.QueryEscape(f.Integration) + "&" + done
}

// askSetAside returns the page that asks before a retry or a drop. Its form has the filter and the expected number.
func (s setAsidePages) askSetAside(verb string, f SetAsideFilter, expect int) *confirmView {
	n := plural(expect, "message")
	v := &confirmView{
		frame: s.frame(verb+" "+n, "/system"), Danger: verb == "Drop", Button: verb + " " + n,
		Back:   "/system/set-aside?integration=" + url.QueryEscape(f.Integration),
		Hidden: map[string]string{"integration": f.Integration, "expect": strconv.Itoa(expect)},
	}
	v.Refresh = false
	v.Heading = verb + " " + strings.Replace(n, "message", "set-aside message", 1) + " of " +
		nameOf(&v.Status, f.Integration) + "?"
	v.Text = "They are sent again, with the sample ids that they had."
	if v.Danger {
		v.Text = "The cloud never gets them. They are deleted here, and counted as dropped."
	}
	for name, value := range map[string]string{"object": f.Object, "from": f.From, "to": f.To} {
		if value != "" {
			v.Hidden[name] = value
		}
	}
	return v
}

func (s setAsidePages) askDrop(w http.ResponseWriter, r *http.Request) {
	if f, expect, ok := s.asked(w, r); ok {
		s.render(w, http.StatusOK, s.askSetAside("Drop", f, expect))
	}
}

// lockedSetAside asks for the login that a retry or a drop needs. After the login it does the same as the button.
func (s setAsidePages) lockedSetAside(verb string) func(http.ResponseWriter, *http.Request, *api.Error) {
	return func(w http.ResponseWriter, r *http.Request, why *api.Error) {
		if f, expect, ok := s.asked(w, r); ok {
			v := s.askSetAside(verb, f, expect)
			v.Locked = why
			s.render(w, why.Status, v)
		}
	}
}

// drop deletes the messages of a form.
func (s setAsidePages) drop(w http.ResponseWriter, r *http.Request) {
	f, expect, ok := s.asked(w, r)
	if !ok {
		return
	}
	n, err := s.o.SetAside.Drop(f, expect)
	if err != nil {
		s.fail(w, err)
		return
	}
	http.Redirect(w, r, f.path("done=dropped&n="+strconv.Itoa(n)), http.StatusSeeOther)
}
