package web

import (
	"net/http"
	"noi-agent/status/api"
	"strconv"
)

// triggerView is what the page of one trigger shows.
type triggerView struct {
	frame
	Row    row
	Remedy string // what to do; "": nothing
	Newer  uint64 // 0: not known
	Older  uint64 // 0: there is none
}

// trigger answers with the page of one trigger.
func (s *Site) trigger(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r) {
		return
	}
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	v := &triggerView{frame: s.frame("Trigger "+r.PathValue("id"), "/triggers")}
	if err != nil || id == 0 {
		s.say(w, http.StatusNotFound, "There is no such trigger", r.PathValue("id")+" is no number of a trigger.")
		return
	}
	rows, _, err := s.rows(&v.Status, api.TriggerQuery{Before: id + 1, Limit: 2})
	switch {
	case err != nil:
		s.say(w, http.StatusServiceUnavailable, "The trigger log cannot be read", err.Error())
	case len(rows) == 0 || rows[0].ID != id:
		s.say(w, http.StatusNotFound, "There is no such trigger",
			"It is no longer kept: the log keeps the newest "+count(v.Status.Store.Settings.KeepTriggers)+
				" of each integration.")
	default:
		v.Row = rows[0]
		if len(rows) > 1 {
			v.Older = rows[1].ID
		}
		v.Remedy = remedyFor(v)
		s.render(w, http.StatusOK, "trigger", v)
	}
}

// remedyFor is what to do about a failed trigger: what the problem of its integration says.
func remedyFor(v *triggerView) string {
	if v.Row.Success {
		return ""
	}
	for i := range v.Status.Problems {
		if p := &v.Status.Problems[i]; p.Subject == v.Row.IntegrationID {
			return p.Remedy
		}
	}
	return ""
}
