package status

import (
	"context"
	"net/http"

	"noi-agent/status/api"
)

// serveDoctor answers with the findings about this gateway that the daemon has the permissions to find.
func (s *Server) serveDoctor(w http.ResponseWriter, r *http.Request) {
	sendJSON(w, r, s.o.Doctor(r.Context()))
}

// inTurn lets one diagnosis run at a time: each reads many small files.
func inTurn(look func(context.Context) api.Diagnosis) func(context.Context) api.Diagnosis {
	turn := make(chan struct{}, 1)
	return func(ctx context.Context) api.Diagnosis {
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
			return look(ctx)
		case <-ctx.Done():
			return api.Diagnosis{Findings: []api.Finding{}, Skipped: []string{}, Verdict: "Nothing was looked at."}
		}
	}
}
