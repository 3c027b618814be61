package publish

import (
	"slices"
	"time"

	"noi-agent/sinks"
)

// noteSkew notes whether the answer of a cloud that accepts messages shows that the gateway's clock differs from the
// cloud's.
func (f *Forwarder) noteSkew(results []sinks.Result, at time.Time) {
	skewed := slices.ContainsFunc(results, func(r sinks.Result) bool { return r.Skewed })
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !skewed:
		f.view.skewedSince = time.Time{}
	case f.view.skewedSince.IsZero():
		f.view.skewedSince = at
	}
}
