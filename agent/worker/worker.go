package worker

import "context"

// Worker is one goroutine with a begin and an end. Make one with New, and call Start or Skip once.
type Worker struct {
	cancel context.CancelFunc // set by Start
	ended  chan struct{}      // closed when the work has ended
}

// New returns a worker that has not started.
func New() *Worker { return &Worker{cancel: func() {}, ended: make(chan struct{})} }

// Start runs f in a goroutine until ctx ends or Stop is called.
func (w *Worker) Start(ctx context.Context, f func(context.Context)) {
	ctx, w.cancel = context.WithCancel(ctx)
	go func() {
		defer close(w.ended)
		defer w.cancel()
		f(ctx)
	}()
}

// Skip ends a worker that never works.
func (w *Worker) Skip() { close(w.ended) }

// Stop ends the work and waits for its end. It may be called more than once, but not before Start or Skip.
func (w *Worker) Stop() {
	w.cancel()
	<-w.ended
}

// Done is closed when the work has ended.
func (w *Worker) Done() <-chan struct{} { return w.ended }

// Over reports whether a channel is closed.
func Over(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
