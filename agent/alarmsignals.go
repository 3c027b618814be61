package agent

import (
	"noi-agent/objects"
	"slices"
	"sync"
)

// alarmSignals are rung for integrations whose faults or alarms have changed, for forwarders that collect. They outlive
// a reload.
type alarmSignals struct {
	mu sync.Mutex
	by map[string]chan struct{}
}

// of returns the bell of an integration. It is rung once, however often.
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

// ring rings for the integrations that an urgent sweep goes to with a fault or an alarm that has changed. The outbox
// has the sweep already.
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
