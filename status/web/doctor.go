package web

import (
	"net/http"

	"noi-agent/status/api"
)

// doctorView is the data of the page with a diagnosis of the gateway.
type doctorView struct {
	frame
	api.Diagnosis
}

// doctor checks the gateway and shows the findings. The page does not renew itself, because a check costs CPU time.
func (s *Site) doctor(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r) {
		return
	}
	v := &doctorView{s.frame("Diagnostics", "/system"), s.o.Doctor(r.Context())}
	v.Refresh = false
	s.render(w, http.StatusOK, v)
}

// levelTone is the tone of a finding.
func levelTone(l api.Level) string {
	switch l {
	case api.LevelFault:
		return bad
	case api.LevelWarning:
		return warn
	default:
		return good
	}
}
