package agent

import (
	"log/slog"
	"time"

	"noi-agent/status/api"
)

// problemsEvery is the time between two comparisons of the log with the problems in the status.
const problemsEvery = 5 * time.Second

// problemLog writes the begin and the end of each problem into the log, under the code that the status shows.
type problemLog struct{ shown map[problemKey]string } // titles of the problems whose begin is in the log

type problemKey struct{ code, subject string }

// note logs the problems that have begun or ended since the last call. problems are the present ones.
func (l *problemLog) note(log *slog.Logger, problems []api.Problem) {
	now := map[problemKey]string{}
	for i := range problems {
		p := &problems[i]
		key := problemKey{p.Code, p.Subject}
		if now[key] = p.Title; l.shown[key] == "" {
			log.Warn(p.Title, "code", p.Code, "subject", p.Subject, "severity", p.Severity, "effect", p.Effect,
				"detail", p.Detail)
		}
	}
	for key, title := range l.shown {
		if now[key] == "" {
			log.Info("no longer: "+title, "code", key.code, "subject", key.subject)
		}
	}
	l.shown = now
}
