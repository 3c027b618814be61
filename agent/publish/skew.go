package publish

import (
	"slices"
	"time"

	"noi-agent/sinks"
)

// noteSkew notes whether a cloud that takes messages has shown that the gateway's clock is away from its own.
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
