package web

import (
	"cmp"
	"net/http"
	"slices"

	"noi-agent/status/api"
)

// latestRows is how many triggers stand below the integrations of a cloud.
const latestRows = 10

// integrationsView is what the two tabs show.
type integrationsView struct {
	frame
	Cloud string // aws | gcp
	Rows  []row
	Of    []api.Integration // of this cloud
	Other int               // how many the other cloud has
}

// integrations answers with a tab.
func (s *Site) integrations(cloudType string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.accepts(w, r) {
			return
		}
		v := &integrationsView{frame: s.frame(cloud(cloudType)+" integrations", "/integrations/aws"), Cloud: cloudType}
		for _, in := range v.Status.Integrations {
			if in.Type == cloudType {
				v.Of = append(v.Of, in)
			} else {
				v.Other++
			}
		}
		v.Rows, v.Unread = s.latestOf(&v.Status, v.Of)
		s.render(w, http.StatusOK, "integrations", v)
	}
}

// latestOf are the newest triggers of some integrations.
func (s *Site) latestOf(status *api.Status, of []api.Integration) (rows []row, unread []string) {
	for i := range of {
		some, _, err := s.rows(status, api.TriggerQuery{Integration: of[i].ID, Limit: latestRows})
		if err != nil {
			return rows, []string{"trigger log: " + err.Error()}
		}
		rows = append(rows, some...)
	}
	return newest(rows), nil
}

// newest are the newest of some rows.
func newest(rows []row) []row {
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(b.ID, a.ID) })
	return rows[:min(latestRows, len(rows))]
}
