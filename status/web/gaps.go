package web

import (
	"net/http"
	"time"

	"noi-agent/status/api"
)

// Gaps are the times for which samples are missing.
type Gaps interface {
	// AcknowledgeGaps marks the gaps that ended at until or before as seen; all gaps if until is zero.
	AcknowledgeGaps(until time.Time) (api.Acknowledged, error)
}

// gapPages handles the button that acknowledges gaps.
type gapPages struct{ *Site }

// pages lists them.
func (s gapPages) pages() []Page {
	if s.o.Gaps == nil {
		return nil
	}
	return []Page{{Method: "POST", Path: "/system/gaps/acknowledge", Handler: s.acknowledge, Locked: s.locked}}
}

// acknowledge marks the gaps that ended before the page was made, because the page has shown no others.
func (s gapPages) acknowledge(w http.ResponseWriter, r *http.Request) {
	until, err := time.Parse(time.RFC3339, r.PostFormValue("until"))
	if err != nil {
		s.say(w, http.StatusBadRequest, "This form cannot be read", "Open System again.")
		return
	}
	if _, err := s.o.Gaps.AcknowledgeGaps(until); err != nil {
		s.fail(w, err)
		return
	}
	http.Redirect(w, r, "/system#gaps", http.StatusSeeOther)
}

// locked asks for the login that the button needs. After the login it does the same as the button.
func (s gapPages) locked(w http.ResponseWriter, r *http.Request, why *api.Error) {
	v := &confirmView{frame: s.frame("Log in", "/system"), Heading: "Log in to change things",
		Button: "Log in and acknowledge", Locked: why, Back: "/system",
		Hidden: map[string]string{"until": r.PostFormValue("until")}}
	v.Refresh = false
	s.render(w, why.Status, v)
}
