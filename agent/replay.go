package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/sinks"
	"noi-agent/status/api"
	"noi-agent/store"
)

// Why there is no replay. They come from Agent.Replay before anything is sent.
var (
	ErrNoIntegration = errors.New("no such integration")
	ErrPaused        = errors.New("the integration is paused")
	ErrReplaying     = errors.New("a replay of this integration runs already")
	ErrNotKept       = errors.New("accepted samples are not kept: set buffer.retain_after_ack, and those taken from then on are")
)

// errReplayCut ends a replay whose forwarder ends.
var errReplayCut = errors.New("the replay is cut short: the agent ends, or the integration was changed")

// reportEvery is how often whoever asked for a replay hears of it.
const reportEvery = time.Second

// Words for the state of a replay.
const (
	replayWaiting  = "waiting"  // new samples go first
	replaySending  = "sending"  //
	replayRetrying = "retrying" // the last attempt failed; it goes on
	replayDone     = "done"     // the last line
)

// replay is one request to send again what an integration has had, or has rejected.
type replay struct {
	number string // differs from that of any other replay of this store
	r      store.Range
	scan   *store.Scan // nil: the dead letters in the queue are all
	more   bool        // the scan is not at its end

	queue []*again      // found, and still to be sent; the forwarder's own
	rest  time.Duration // monotonic: nothing more before then, for the rate
	done  chan struct{} // closed when it is over

	mu       sync.Mutex
	progress api.Replay
	err      error // why it is over; nil when everything is sent
}

// again is one delivery of a replay.
type again struct {
	store.Replayed
	letter    uint64 // the dead letter that it is; 0: it is none
	estimated bool   // of a dead letter: nobody knows when exactly it was taken
}

// outgoing gives it its time: a dead letter has the one of its first try.
func (d *again) outgoing() outgoing {
	if d.letter != 0 {
		return outgoing{Delivery: d.Delivery, estimated: d.estimated}
	}
	return timed(&d.Delivery)
}

// replays is the one replay that a forwarder may have.
type replays struct {
	asked chan struct{} // something was put into current; room for one

	mu      sync.Mutex
	current *replay // nil: none
}

func newReplays() *replays { return &replays{asked: make(chan struct{}, 1)} }

func (o *replays) wanted() *replay {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.current
}

func (o *replays) begin(p *replay) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.current != nil {
		return ErrReplaying
	}
	o.current = p
	select {
	case o.asked <- struct{}{}:
	default: // the forwarder has not taken up the last one yet
	}
	return nil
}

func (o *replays) end(p *replay) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.current == p {
		o.current = nil
	}
}

// Replay sends again what an integration has had of a range and the outbox still holds, the oldest first, marked as replayed. New
// samples go before it, and failures are retried as always. It returns when everything is sent, and reports at its
// beginning, every second, and last of all with state "done". It ends before with ctx's error (the window under way is
// still sent), with that of report, with the store's, and when the agent ends or a reload changes the integration. Errors before
// the first report are ErrNoIntegration, ErrPaused, ErrReplaying and ErrNotKept.
func (a *Agent) Replay(ctx context.Context, integration string, r store.Range, report func(line any) error) error {
	f, err := a.working(integration)
	if err == nil && a.current().config.Buffer.RetainAfterAck <= 0 {
		err = ErrNotKept
	}
	if err != nil {
		return err
	}
	return a.send(ctx, f, &replay{
		number: fmt.Sprintf("%d-%d", a.store.Run(), a.replays.Add(1)), r: r, scan: a.store.Scan(r), more: true,
		done: make(chan struct{}), progress: api.Replay{State: replayWaiting},
	}, report)
}

// send has the forwarder do it, and returns when it is over.
func (a *Agent) send(ctx context.Context, f *forwarder, p *replay, report func(line any) error) error {
	if err := f.replays.begin(p); err != nil {
		return fmt.Errorf("%w: wait for its end, or end the command that asked for it", err)
	}
	defer f.replays.end(p)
	f.log.Info("replay begins", "from", p.r.From, "to", p.r.To, "dead_letters", p.scan == nil)
	err := p.watch(ctx, f, report)
	end := p.now(f)
	f.log.Info("replay ends", "sent", end.Sent, "rejected", end.Rejected, "error", err)
	return err
}

// working returns the forwarder that can do it.
func (a *Agent) working(integration string) (*forwarder, error) {
	crew := a.current()
	for _, f := range crew.forwarders {
		switch {
		case f.cfg.ID != integration:
			continue
		case !f.cfg.Enabled:
			return nil, fmt.Errorf("%w: enable it first", ErrPaused)
		default:
			return f, nil
		}
	}
	return nil, fmt.Errorf("%w: %q; `noi-agent status` lists them", ErrNoIntegration, integration)
}

// watch reports until it is over.
func (p *replay) watch(ctx context.Context, f *forwarder, report func(line any) error) error {
	ticker := time.NewTicker(reportEvery)
	defer ticker.Stop()
	for {
		if err := report(p.now(f)); err != nil {
			return fmt.Errorf("report the replay: %w", err)
		}
		select {
		case <-ticker.C:
		case <-p.done:
			if p.err != nil {
				return p.err
			}
			return report(p.now(f))
		case <-f.post.ended:
			return errReplayCut
		case <-ctx.Done():
			return fmt.Errorf("the replay was stopped: %w", ctx.Err())
		}
	}
}

// now is how far it is. While it waits for new samples, their error is what holds it up.
func (p *replay) now(f *forwarder) api.Replay {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.progress
	if out.State == replayWaiting {
		out.Error = f.snapshot().lastError
	}
	return out
}

// replayWindow does the next piece of the replay that somebody asked for: a step of its scan, or a window of messages. It
// returns how long to wait afterwards, and false when there is nothing to do, or when the agent ends.
func (f *forwarder) replayWindow(ctx context.Context) (pause time.Duration, worked bool) {
	p := f.replays.wanted()
	if p == nil || over(f.draining) {
		return 0, false
	}
	if rest := p.rest - f.clock.Elapsed(); rest > 0 {
		f.wait(ctx, wait{most: rest, changed: f.store.Changed(f.cfg.ID)})
		return 0, true
	}
	window := f.atRate(f.window())
	if len(p.queue) < window && p.more {
		if err := p.find(f); err != nil {
			f.replays.end(p)
			p.finish(err)
			return 0, true
		}
	}
	switch {
	case len(p.queue) < window && p.more: // the next piece finds more; new samples first
		return 0, true
	case len(p.queue) == 0:
		f.replays.end(p)
		p.finish(nil)
		return 0, true
	}
	pause, err := f.sendAgain(ctx, p, min(window, len(p.queue)))
	if err != nil {
		f.replays.end(p)
		p.finish(err)
	}
	return pause, true
}

// find reads one step of the outbox.
func (p *replay) find(f *forwarder) error {
	found, more, err := p.scan.Step()
	if err != nil {
		return fmt.Errorf("read the outbox: %w", err)
	}
	p.more = more
	for i := range found {
		settled, err := f.store.Settled(f.cfg.ID, &found[i])
		if err != nil {
			return fmt.Errorf("read the outbox: %w", err)
		}
		for j := range settled {
			if p.r.Has(sampledAt(&settled[j])) {
				p.queue = append(p.queue, &again{Replayed: store.Replayed{Delivery: settled[j]}})
			}
		}
	}
	return nil
}

// sendAgain publishes the first n of the queue once. What is to be retried stays in the queue.
func (f *forwarder) sendAgain(ctx context.Context, p *replay, n int) (pause time.Duration, err error) {
	published, begun := f.clock.Now(), f.clock.Elapsed()
	items := make([]outgoing, n)
	for i, d := range p.queue[:n] {
		items[i] = d.outgoing()
	}
	parcels := f.parcels(published, items)
	messages := make([]sinks.Message, len(parcels))
	for i := range parcels {
		messages[i] = p.mark(parcels[i].message)
	}
	results, completed := f.publish(ctx, messages)
	var left []*again
	tried := 0
	for i, r := range results {
		for range parcels[i].items {
			d, outcome := p.queue[tried], outcomeOf(r.Outcome)
			tried++
			err := f.logAgain(d, store.Result{
				Outcome: outcome, PublishedAt: published, CompletedAt: completed, MessageID: r.MessageID, Error: r.Error(), SampledAt: sampledAt(&d.Delivery),
			})
			if err != nil {
				return 0, err
			}
			if outcome == store.Retrying {
				left = append(left, d)
			}
			p.count(d, outcome)
		}
	}
	p.queue = p.queue[tried-len(left):]
	copy(p.queue, left)
	pause = f.judge(results, completed)
	p.tell(pause > 0, f.snapshot().lastError)
	now := f.clock.Elapsed()
	p.rest = now + f.spread(tried, now-begun)
	return pause, nil
}

func (f *forwarder) logAgain(d *again, r store.Result) error {
	if d.letter != 0 {
		return f.store.SettleDead(f.cfg.ID, d.letter, r)
	}
	return f.store.LogReplay(f.cfg.ID, &d.Replayed, r)
}

// mark makes a message one of a replay. The attribute is there whatever the integration's `attributes` say. A FIFO topic
// forgets for five minutes what it has had under the same deduplication id, so that gets the replay's number: it is the
// same at each try of this replay, and no other's.
func (p *replay) mark(m sinks.Message) sinks.Message {
	if p.scan == nil {
		return m // the cloud has never had a dead letter
	}
	m.Attributes = append(m.Attributes, sinks.Attribute{Name: "replayed", Value: "true"})
	m.SampleID += "-r" + p.number
	return m
}

func (p *replay) count(d *again, o store.Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch o {
	case store.Accepted:
		p.progress.Sent++
		p.progress.SampledAt = clock.WallTime(sampledAt(&d.Delivery))
	case store.Failed:
		p.progress.Rejected++
	}
}

// tell notes how the last attempt ended.
func (p *replay) tell(failed bool, lastError string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.progress.State, p.progress.Error = replaySending, ""
	if failed {
		p.progress.State, p.progress.Error = replayRetrying, lastError
	}
	p.progress.Damaged = p.damaged()
}

// damaged is how many records did not read.
func (p *replay) damaged() uint64 {
	if p.scan == nil {
		return 0
	}
	return p.scan.Damaged()
}

// finish ends it; err is nil when everything is sent.
func (p *replay) finish(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
	p.progress.State, p.progress.Error, p.progress.Damaged = replayDone, "", p.damaged()
	close(p.done)
}
