package agent

import (
	"noi-agent/objects"
	"slices"
	"sync"
)

// alarmSignals are the signals to the forwarders with `publish_every`: a fault or an alarm of their integration has
// begun or ended, so they send at once. A reload does not lose a signal.
type alarmSignals struct {
	mu sync.Mutex
	by map[string]chan struct{}
}

// of returns the channel of an integration. It has room for one signal.
func (b *alarmSignals) of(integration string) chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.by == nil {
		b.by = map[string]chan struct{}{}
	}
	if b.by[integration] == nil {
		b.by[integration] = make(chan struct{}, 1)
	}
	return b.by[integration]
}

// ring signals the integrations that get a changed fault or alarm. changed has the indexes of the changed samples. The
// outbox already has the sweep.
func (b *alarmSignals) ring(sweep *objects.Sweep, changed []int) {
	has := func(i int) bool { return slices.Contains(changed, i) }
	for _, route := range sweep.Routes {
		if !slices.ContainsFunc(route.Picked, has) {
			continue
		}
		select {
		case b.of(route.Integration) <- struct{}{}:
		default:
		}
	}
}
