package agent

import (
	"context"
	"sync"
	"time"
)

// wakeJitter spreads what one success wakes up.
const wakeJitter = time.Second

// wakeups tell the forwarders of a gateway that the network is back: the first who gets through wakes those that wait for
// it. They would find out for themselves within a minute.
type wakeups struct {
	mu   sync.Mutex
	next chan struct{} // closed by the next call
}

func newWakeups() *wakeups { return &wakeups{next: make(chan struct{})} }

// heard returns a channel that is closed by the next call. Taken before an attempt, it tells of a call during it too.
func (w *wakeups) heard() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.next
}

// call wakes whoever waits.
func (w *wakeups) call() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.next)
	w.next = make(chan struct{})
}

// linger keeps back what waits. The end of the agent cuts it short.
func (f *forwarder) linger(ctx context.Context, rest time.Duration, draining <-chan struct{}) bool {
	timer := time.NewTimer(rest)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-draining:
		return true
	case <-ctx.Done():
		return false
	}
}

// woken returns the channel that ends the wait after a failure early: nil, which never does, unless the network is waited for.
func (f *forwarder) woken() <-chan struct{} {
	if f.circuit.network {
		return f.heard
	}
	return nil
}
