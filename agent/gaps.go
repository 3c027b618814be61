package agent

import (
	"time"

	"noi-agent/status/api"
)

// AcknowledgeGaps marks gaps as seen by an operator: those that ended at until or before; all if until is zero. The
// status no longer shows them. The trigger log lists them with the mark. If all gaps are marked, the problem
// `store_recovered` of this run ends too. Errors are the store's.
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
