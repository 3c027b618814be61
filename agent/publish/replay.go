package publish

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/agent/worker"
	"noi-agent/sinks"
	"noi-agent/status/api"
	"noi-agent/store"
)

// Why there is no replay. They come from Agent.Replay before anything is sent.
var (
	ErrNoIntegration = errors.New("no such integration")
	ErrPaused        = errors.New("the integration is paused")
	ErrReplaying     = errors.New("a replay of this integration runs already")
	ErrNotKept       = errors.New("accepted samples are not kept: set buffer.retain_after_ack, and those taken from " +
		"then on are")
)

// errReplayCut ends a replay whose forwarder ends.
var errReplayCut = errors.New("the replay is cut short: the agent ends, or the integration was changed")

// reportEvery is the time between two progress reports of a replay.
const reportEvery = time.Second

// Words for the state of a replay.
const (
	replayWaiting  = "waiting"  // new samples go first
	replaySending  = "sending"  //
	replayRetrying = "retrying" // the last attempt failed; the replay continues
	replayDone     = "done"     // the last line
)

// replay is one request to send samples again that the cloud of an integration has accepted or rejected.
type replay struct {
	number string // differs from that of any other replay of this store; "" of dead letters: they are no replay
	r      store.Range
	scan   *store.Scan // nil: the dead letters in the queue are all
	more   bool        // the scan is not at its end

	queue      []*again      // deliveries that must still be sent; only the forwarder uses it
	pauseUntil time.Duration // monotonic: nothing is sent before this time, because of the rate
	done       chan struct{} // closed when the replay is over

	mu       sync.Mutex
	progress api.Replay
	err      error // why it is over; nil when everything is sent
}

// again is one delivery of a replay.
type again struct {
	store.Replayed
	letter    uint64 // id of the dead letter; 0: it is none
	dated     bool   // its time is that of its first try, as in the row of the trigger log
	estimated bool   // if it is dated: its time is an estimate
}

// outgoing returns the delivery with its time.
func (d *again) outgoing() outgoing {
	sent := d.Delivery // a copy: it may be sent again
	if d.dated {
		return outgoing{Delivery: &sent, estimated: d.estimated, key: keyOf(&sent)}
	}
	return timed(&sent, keyOf(&sent))
}

// sampledAt is the time in the message.
func (d *again) sampledAt() time.Time { return d.outgoing().Sample.SampledAt }

// replays is the one replay that a forwarder may have.
type replays struct {
	asked chan struct{} // receives when current was set; room for one

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
	default: // the forwarder has not seen the last one yet
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

// Replay sends again the samples of a range that the integration has had and that the outbox still holds
// (Agent.Replay). number differs from that of any other replay of this store.
func (f *Forwarder) Replay(ctx context.Context, number string, r store.Range, report func(line any) error) error {
	return f.send(ctx, &replay{
		number: number, r: r, scan: f.store.Scan(r), more: true,
		done: make(chan struct{}), progress: api.Replay{State: replayWaiting},
	}, report)
}

// SendLetters sends dead letters again. It reports and ends as Replay does.
func (f *Forwarder) SendLetters(ctx context.Context, letters []store.DeadLetter, report func(line any) error) error {
	p := &replay{done: make(chan struct{}), progress: api.Replay{State: replayWaiting}}
	for i := range letters {
		l := &letters[i]
		p.queue = append(p.queue, rowAgain(l))
		p.queue[i].letter = l.ID
	}
	return f.send(ctx, p, report)
}

// SendRow sends the sample of one row of the trigger log again, marked as a replay. It reports and ends as Replay does.
func (f *Forwarder) SendRow(ctx context.Context, number string, row *store.DeadLetter,
	report func(line any) error) error {
	return f.send(ctx, &replay{
		number: number, queue: []*again{rowAgain(row)}, done: make(chan struct{}),
		progress: api.Replay{State: replayWaiting},
	}, report)
}

// rowAgain is the delivery of a row of the trigger log.
func rowAgain(l *store.DeadLetter) *again {
	return &again{dated: true, estimated: l.Estimated, Replayed: store.Replayed{Delivery: store.Delivery{
		Seq: l.Seq, Index: l.Index, Store: l.Store, Run: l.Run, Source: l.Source, Sample: l.Sample,
	}}}
}

// send gives a replay to the forwarder's goroutine, and returns when the replay is over.
func (f *Forwarder) send(ctx context.Context, p *replay, report func(line any) error) error {
	if err := f.replays.begin(p); err != nil {
		return fmt.Errorf("%w: wait for its end, or end the command that asked for it", err)
	}
	defer f.replays.end(p)
	f.log.Info("replay begins", "from", p.r.From, "to", p.r.To, "dead_letters", p.number == "")
	err := p.watch(ctx, f, report)
	end, log := p.now(f), f.log
	if err != nil {
		log = log.With("err", err)
	}
	log.Info("replay ends", "sent", end.Sent, "rejected", end.Rejected)
	return err
}

// watch reports the progress until the replay is over.
func (p *replay) watch(ctx context.Context, f *Forwarder, report func(line any) error) error {
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
		case <-f.worker.Done():
			return errReplayCut
		case <-ctx.Done():
			return fmt.Errorf("the replay was stopped: %w", ctx.Err())
		}
	}
}

// now returns the progress. While the replay waits for new samples, it shows the error that keeps those back.
func (p *replay) now(f *Forwarder) api.Replay {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.progress
	if out.State == replayWaiting {
		out.Error = f.view.now().lastError
	}
	return out
}

// replayWindow does the next piece of the replay that a person asked for: a step of its scan, or a window of messages.
// It returns how long to wait afterwards, and false when there is nothing to do, or when the agent ends.
func (f *Forwarder) replayWindow(ctx context.Context) (pause time.Duration, worked bool) {
	p := f.replays.wanted()
	if p == nil || worker.Over(f.draining) {
		return 0, false
	}
	if rest := p.pauseUntil - f.clock.Elapsed(); rest > 0 {
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
	case len(p.queue) < window && p.more: // the next step finds more; new samples first
		return 0, true
	case len(p.queue) == 0:
		f.replays.end(p)
		p.finish(nil)
		return 0, true
	}
	pause, err := f.sendAgain(p, min(window, len(p.queue)))
	if err != nil {
		f.replays.end(p)
		p.finish(err)
	}
	return pause, true
}

// find reads one step of the outbox.
func (p *replay) find(f *Forwarder) error {
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
			if p.r.Has(SampledAt(&settled[j])) {
				p.queue = append(p.queue, &again{Replayed: store.Replayed{Delivery: settled[j]}})
			}
		}
	}
	return nil
}

// sendAgain publishes the first n of the queue once. Deliveries that must be tried again stay in the queue.
func (f *Forwarder) sendAgain(p *replay, n int) (pause time.Duration, err error) {
	published, begun := f.clock.Now(), f.clock.Elapsed()
	items := make([]outgoing, n)
	for i, d := range p.queue[:n] {
		items[i] = d.outgoing()
	}
	var parcels parcels
	f.fill(&parcels, published, items)
	for i, m := range parcels.messages {
		parcels.messages[i] = p.mark(m)
	}
	results, completed := f.publish(parcels.messages)
	var left []*again
	tried := 0
	for i, r := range results {
		for range parcels.counts[i] {
			d, outcome := p.queue[tried], outcomeOf(r.Outcome)
			tried++
			err := f.logAgain(d, store.Result{
				Outcome: outcome, PublishedAt: published, CompletedAt: completed, MessageID: r.MessageID,
				Error: r.Error(), SampledAt: items[tried-1].Sample.SampledAt, Estimated: items[tried-1].estimated,
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
	p.note(pause > 0, f.view.now().lastError)
	now := f.clock.Elapsed()
	p.pauseUntil = now + f.spread(tried, now-begun)
	return pause, nil
}

func (f *Forwarder) logAgain(d *again, r store.Result) error {
	if d.letter != 0 {
		return f.store.SettleDead(f.cfg.ID, d.letter, r)
	}
	return f.store.LogReplay(f.cfg.ID, &d.Replayed, r)
}

// mark marks a message as replayed. The message gets the attribute even if the integration's `attributes` do not list
// it. A FIFO topic drops a message whose deduplication id it has seen within five minutes. So this id gets the number
// of the replay, which is the same in each try of this replay, and different from that of any other replay.
func (p *replay) mark(m sinks.Message) sinks.Message {
	if p.number == "" {
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
		p.progress.SampledAt = clock.WallTime(d.sampledAt())
	case store.Failed:
		p.progress.Rejected++
	}
}

// note keeps the result of the last attempt.
func (p *replay) note(failed bool, lastError string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.progress.State, p.progress.Error = replaySending, ""
	if failed {
		p.progress.State, p.progress.Error = replayRetrying, lastError
	}
	p.progress.Damaged = p.damaged()
}

// damaged is the number of records that could not be read.
func (p *replay) damaged() uint64 {
	if p.scan == nil {
		return 0
	}
	return p.scan.Damaged()
}

// finish ends the replay; err is nil when everything is sent.
func (p *replay) finish(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
	p.progress.State, p.progress.Error, p.progress.Damaged = replayDone, "", p.damaged()
	close(p.done)
}
