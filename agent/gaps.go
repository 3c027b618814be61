package agent

import (
	"time"

	"noi-agent/status/api"
)

// AcknowledgeGaps marks gaps as seen by an operator: those that ended at until or before, or all when that is zero. The
// status shows them no more; the trigger log lists them with the mark. The problem of a store that this start has
// replaced ends with all of this run. Errors are the store's.
func (a *Agent) AcknowledgeGaps(until time.Time) (api.Acknowledged, error) {
	n, err := a.store.AcknowledgeGaps(until)
	if err != nil {
		return api.Acknowledged{}, err
	}
	if until.IsZero() || until.After(a.started) {
		a.noted.Store(true)
	}
	a.log.Info("gaps acknowledged", "count", n)
	return api.Acknowledged{Acknowledged: n}, nil
}
