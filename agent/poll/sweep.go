package poll

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"noi-agent/modbus"
	"noi-agent/objects"
)

// readTries is how often a read is sent if its reply arrives damaged. After silence the read is not repeated at once:
// the other slaves come first.
const readTries = 3

// sweep reads the due objects of one slave, identifies the slave when this is due, and hands the samples on.
func (p *Poller) sweep(ctx context.Context, s *slave) {
	replies := s.replies.count
	switch {
	case s.judged.barred():
		p.askBarred(ctx, s)
		return
	case s.work == nil && (s.dead() || s.misses > 0 && len(s.unidentified) == 0) && !p.revives(ctx, s):
		return
	}
	if len(s.unidentified) == 0 && !p.step(ctx, s, replies) {
		return
	}
	if len(s.unidentified) == 0 && !s.answered { // a slave that refuses everything may be another device
		return
	}
	if s.identityDue(p.clock.Elapsed()) && (!p.open || !p.identify(ctx, s)) {
		if ctx.Err() != nil || !p.open { // it will never be known which controller gave the readings
			s.dropUnidentified(gapNameless)
		}
		return
	}
	if len(s.unidentified) == 0 { // the slave is another device, and the readings were dropped
		return
	}
	p.hand(s, s.unidentified)
	s.unidentified = nil
}

const (
	// sweepBudget is the longest time for which a slave may use the line in one sweep while others wait. A sweep of all
	// objects at 9600 baud takes a fifth of this time. In a longer sweep the other slaves come first between its reads.
	sweepBudget = time.Second
	// silencePatience is how many reads in a row may stay without a reply while the slave is known to answer: the slave
	// may lack some of their registers. One missing register among a hundred makes two such reads in a row, because the
	// parts of a failed read are sent one after the other.
	silencePatience = 16
	// damagedPatience is how many reads in a row may have a damaged reply, or the answer busy, if no other reply came.
	damagedPatience = 3
	// busyPatience is how often a read must fail because the slave is busy, before its parts are sent.
	busyPatience = 3
	// retestAfter is how often the learnt limits of the slave are put in doubt.
	retestAfter = time.Hour
)

// work is a sweep that is not finished. It is done one read at a time, so that a slow slave does not delay the others.
type work struct {
	batch    *dueSet
	todo     []modbus.Read
	readings []reading
	begun    time.Duration // monotonic
	replies  uint64        // replies of the slave when the sweep began: if there are more now, it answers
	barren   int           // reads in a row without a valid reply
	// turn is its place in the queue: the monotonic time at which it was due, or after the budget is used the end of
	// its last read
	turn  time.Duration
	spent time.Duration
}

// begin plans a sweep of all due objects.
func (p *Poller) begin(s *slave, replies uint64) *work {
	now := p.clock.Elapsed()
	turn, _ := s.nextDue()
	w := &work{batch: s.newDueSet(s.plan.due(now)), begun: now, turn: turn, replies: replies}
	w.readings = make([]reading, 0, len(w.batch.items))
	s.measureLateness(w.batch, now)
	if now-s.doubted >= retestAfter {
		s.doubted = now
		s.planner.Retest()
	}
	s.planner.Measured(p.line.UnitCounters(byte(s.cfg.ID)).Turnaround.P50)
	w.todo = s.reads(w.batch)
	return w
}

// step does the next read of the slave's sweep; it begins a sweep if there is none. True: the sweep is over, and its
// readings are kept. If the slave seems to be silent, step leaves out the remaining reads, which are due again soon.
func (p *Poller) step(ctx context.Context, s *slave, replies uint64) (over bool) {
	if s.work == nil {
		s.work = p.begin(s, replies)
	}
	w := s.work
	var failure error
	if len(w.todo) > 0 {
		begun := p.clock.Elapsed()
		failure = p.readNext(ctx, s, w)
		if w.spent += p.clock.Elapsed() - begun; w.spent > sweepBudget || w.barren > 0 {
			w.turn = p.clock.Elapsed()
		}
	}
	if failure == nil && len(w.todo) > 0 {
		return false
	}
	s.unidentified, s.work = w.readings, nil
	p.finish(ctx, s, w, failure)
	return true
}

// readNext does one read of a sweep. If the read fails, its parts may be added to the remaining reads. An error ends
// the sweep.
func (p *Poller) readNext(ctx context.Context, s *slave, w *work) error {
	rd := w.todo[0]
	w.todo = w.todo[1:]
	reply, err := p.exchange(ctx, s, rd.Span, true)
	if err == nil {
		w.barren = 0
		s.planner.Answered(rd.Span)
		for _, m := range rd.Members {
			w.batch.read[m] = true
		}
		p.decode(s, w, rd, reply)
		return nil
	}
	for _, m := range rd.Members {
		w.batch.errs[m] = err
	}
	if ctx.Err() != nil || !p.open {
		return err
	}
	return p.readFailed(s, w, rd, err)
}

// readFailed decides after a failed read whether its parts are sent, and whether the sweep continues (nil). A read that
// was not sent, because the line was not in step with the slave, proves nothing about its registers.
func (p *Poller) readFailed(s *slave, w *work, rd modbus.Read, err error) error {
	lives := s.replies.count > w.replies
	asked := !errors.Is(err, modbus.ErrUnasked)
	contrast := asked && s.replies.failed(rd.Span, err) || s.lacksOnly(rd.Span, p.clock.Elapsed())
	switch {
	case refuses(err): // this costs little, and the parts are probably answered
		w.barren = 0
		s.miss(err, p.clock.Elapsed())
		w.todo = append(s.parts(w.batch, rd), w.todo...)
		return nil
	case fateOf(err) == fateSilent:
		if !contrast && !lives {
			s.miss(err, p.clock.Elapsed())
			return err
		}
		if asked {
			w.todo = append(w.todo, s.parts(w.batch, rd)...) // last: other reads are answered sooner
		}
	default: // damaged, or busy; a busy slave gets no more requests for some time
		if isReply(err) || !contrast && !lives {
			s.miss(err, p.clock.Elapsed())
		}
		if asked && !isReply(err) || s.replies.doubts[rd.Span].fails >= busyPatience {
			w.todo = append(w.todo, s.parts(w.batch, rd)...)
		}
	}
	limit := silencePatience
	if w.barren++; !contrast && !lives {
		limit = damagedPatience
	}
	if w.barren < limit {
		return nil
	}
	if limit == silencePatience && fateOf(err) == fateSilent { // it has stopped answering
		s.miss(err, p.clock.Elapsed())
	}
	return err
}

// believedFor is the time after a reply for which silence after a never answered read does not mean that the slave is
// away. A slave that is away is probed as often.
const believedFor = probeLimit

// lacksOnly reports whether a failed read does not mean that the slave is away: there is proof that this read is never
// answered, and the slave has answered another read recently.
func (s *slave) lacksOnly(span modbus.Span, elapsed time.Duration) bool {
	return s.replies.proven(span) && s.lastGood > 0 && elapsed-s.lastGood < believedFor
}

// parts divides a failed read. The planner learns from this only after there is proof.
func (s *slave) parts(b *dueSet, rd modbus.Read) []modbus.Read {
	if s.replies.proven(rd.Span) {
		return s.planner.Refused(rd, b.spans)
	}
	return s.planner.Split(rd, b.spans)
}

// finish sets the next due times after a sweep, and notes what was learnt. It reads the clock once, so that objects
// that were due together stay due together.
func (p *Poller) finish(ctx context.Context, s *slave, w *work, failure error) {
	b, now := w.batch, p.clock.Elapsed()
	for i, n := range b.items {
		it, err := &s.plan.items[n], b.errs[i]
		it.read = b.read[i]
		if it.read {
			s.plan.done(n, w.begun, now, 0)
			it.failures = 0
			continue
		}
		if err == nil { // the sweep ended before this read
			err = failure
		}
		refused := s.replies.refused(b.spans[i]) != nil
		if isReply(err) {
			it.lacks = refused && !it.given && fateOf(err) == fateRefused && s.lastGood > 0
		}
		if fateOf(err) == fateDamaged && !refused { // soon again, until it is proven permanent
			it.failures = 0
		}
		s.missed++
		// Otherwise the line ends, or the moment has its reason already.
		if ctx.Err() == nil && (it.why == "" || it.next <= now) {
			it.blame(whyMissed(err), 1)
		}
		s.plan.done(n, w.begun, now, waitAfter(err, refused && !it.given))
	}
	if failure == nil {
		p.runTest(ctx, s)
	}
	if learnt := s.planner.Learnt(); learnt != s.learnt {
		s.learnt = learnt
		p.log.Info("learnt what the slave refuses; the configuration may say so", "unit", s.cfg.ID, "yaml", learnt)
	}
}

// waitAfter returns the first wait after a failed read until the object is read again; 0: until its next regular
// moment. unknown: the slave never gave the object. If it does not know the object now, it will not know it in ten
// seconds.
func waitAfter(err error, unknown bool) time.Duration {
	switch fateOf(err) {
	case fateRefused:
		if unknown {
			return 0
		}
	case fateSilent:
		if unknown {
			return 0
		}
		return retrySoon
	case fateBusy:
		return retrySoon
	}
	return retryAfter
}

// runTest sends one of the reads that check the learnt limits. Its failure does not mean that the slave is away.
// Silence needs proof here too, because some slaves do not answer reads of missing registers.
func (p *Poller) runTest(ctx context.Context, s *slave) {
	tests := s.planner.Tests()
	if len(tests) == 0 {
		return
	}
	span := tests[0].Span
	_, err := p.line.Read(ctx, byte(s.cfg.ID), span.Function, span.Addr, span.Count)
	switch {
	case err == nil:
		s.replies.answered(span)
		s.planner.Answered(span)
		return
	case ctx.Err() != nil:
		return
	case fateOf(err) == fatePort:
		p.portFailed(err)
		return
	}
	if !errors.Is(err, modbus.ErrUnasked) {
		s.replies.failed(span, err)
	}
	if refuses(err) || s.replies.proven(span) {
		s.planner.Refused(tests[0], nil)
	}
}

// exchange sends one read, and repeats it at once if the reply arrives damaged. A failure counts as a miss of the
// slave, unless the caller judges it.
func (p *Poller) exchange(ctx context.Context, s *slave, span modbus.Span, judged bool) (modbus.Reply, error) {
	known := s.replies.doubts[span].fails >= asideAfter // then not logged, and no reason for an identification
	var damaged error
	for try := 1; ; try++ {
		p.board.busy(p.clock.Elapsed())
		reply, err := p.line.Read(ctx, byte(s.cfg.ID), span.Function, span.Addr, span.Count)
		if err == nil {
			if try > 1 && s.replies.known[span] {
				s.replies.passed(damaged, try-1)
			}
			s.replies.answered(span)
			s.good(p.clock.Elapsed(), reply.At)
			s.repeat.Recovered(p.log, p.clock.Elapsed(), fmt.Sprintf("unit %d answers again", s.cfg.ID))
			return reply, nil
		}
		if ctx.Err() != nil {
			return reply, err
		}
		if fateOf(err) == fatePort {
			p.portFailed(err)
			return reply, err
		}
		if !known {
			s.repeat.Failed(p.log, p.clock.Elapsed(), "read failed", err)
			if !isReply(err) {
				s.identity.doubt()
			}
		}
		if fateOf(err) == fateDamaged && try < readTries {
			damaged = err
			continue
		}
		if !judged {
			s.miss(err, p.clock.Elapsed())
			if isReply(err) {
				s.replies.failed(span, err)
			}
		}
		return reply, err
	}
}

// decode turns a reply into readings of the sweep. Objects without a value are counted and left out.
func (p *Poller) decode(s *slave, w *work, rd modbus.Read, reply modbus.Reply) {
	b, booted, now := w.batch, p.clock.Wall.BootedAt(), p.clock.Elapsed()
	for _, m := range rd.Members {
		it := &s.plan.items[b.items[m]]
		o, moments := &it.polled.Object, it.moments+it.passed(now)
		from := b.spans[m].Addr - rd.Addr
		value, err := o.DecodeSpan(reply.Registers[from : from+b.spans[m].Count])
		if err != nil {
			reason := reasonOf(err)
			s.noSample++
			s.reasons[reason]++
			s.noValue[o.Name] = reason
			p.board.forget(p.place(s), o.Name)
			p.log.Debug("no sample", "unit", s.cfg.ID, "object", o.Name, "reason", err)
			w.readings = append(w.readings, reading{object: o.Name, none: true, at: reply.At, booted: booted,
				read: now, moments: moments})
			continue
		}
		delete(s.noValue, o.Name)
		w.readings = append(w.readings, reading{object: o.Name, unit: o.Unit, alarm: o.Alarm, active: o.Alarms(value),
			value: value, at: reply.At, booted: booted, read: now, moments: moments})
	}
}

// hand gives a sweep to the sampler. The queue has room for minutes of sweeps. If the store hangs for longer, the sweep
// is lost and counted. The line never waits.
func (p *Poller) hand(s *slave, readings []reading) {
	t := s.emptySweep(p.cfg.Name, p.version)
	t.BootedAt, t.Unsure = p.oneClock(readings)
	t.Samples, t.Every = make([]objects.Sample, 0, len(readings)), make([]time.Duration, 0, len(readings))
	for _, r := range readings {
		it := s.plan.find(r.object)
		if gap, ok := it.gap(r.at, r.at.Sub(t.BootedAt), it.later(r.moments)); ok {
			t.Gaps, t.Due = append(t.Gaps, gap), append(t.Due, it.polled.Interval)
		}
		if r.none {
			t.Blanks = append(t.Blanks, Blank{r.object, r.at, it.polled.Interval})
		} else {
			t.Samples = append(t.Samples, objects.Sample{Object: r.object, Value: r.value, SampledAt: r.at,
				Alarm: r.alarm})
			t.Every = append(t.Every, it.polled.Interval)
		}
	}
	p.board.remember(p.place(s), readings)
	if !p.out.take(t) && len(t.Samples)+len(t.Gaps) > 0 {
		for _, r := range readings {
			it := s.plan.find(r.object)
			it.owed = max(1, it.owed)
			it.blame(objects.GapQueue, 1)
		}
		p.board.lose(len(t.Samples))
		p.repeat.Failed(p.log, p.clock.Elapsed(), "samples lost", errors.New("the store does not keep up"))
		return
	}
	for _, r := range readings {
		it := s.plan.find(r.object)
		it.delivered(r.at.Sub(t.BootedAt), it.later(r.moments))
	}
}

// SoFarEvery is how often a gap that continues is reported. A kill or a power cut loses what is not reported yet.
const SoFarEvery = time.Hour

// reportSoFar reports the gaps that continue, of every slave, each SoFarEvery.
func (p *Poller) reportSoFar() {
	now := p.clock.Elapsed()
	if now-p.reportedAt < SoFarEvery {
		return
	}
	p.reportedAt = now
	for _, s := range p.slaves {
		p.handMissing(s, func(it *item, at time.Time, uptime time.Duration) (objects.Gap, item, bool) {
			return it.soFar(now, at, uptime, s.later(it))
		})
	}
}

// handGaps reports the missing samples of each object at the end of a poller.
func (p *Poller) handGaps(s *slave) {
	now := p.clock.Elapsed()
	p.handMissing(s, func(it *item, at time.Time, uptime time.Duration) (objects.Gap, item, bool) {
		return it.atEnd(now, at, uptime)
	})
}

// handMissing hands on the gaps of a slave's objects without a sample. missing returns a gap, and the item after the
// gap is handed on.
func (p *Poller) handMissing(s *slave, missing func(it *item, at time.Time, uptime time.Duration) (objects.Gap, item,
	bool)) {
	if s.plan == nil {
		return
	}
	s.passOver(p.clock.Elapsed(), p.open)
	t := s.emptySweep(p.cfg.Name, p.version)
	t.BootedAt, t.Unsure = p.oneClock(nil)
	after, at := slices.Clone(s.plan.items), p.clock.Now()
	for i := range s.plan.items {
		gap, next, ok := missing(&s.plan.items[i], at, at.Sub(t.BootedAt))
		if ok {
			t.Gaps, t.Due = append(t.Gaps, gap), append(t.Due, next.polled.Interval)
			after[i] = next
		}
	}
	if len(t.Gaps) > 0 && p.out.take(t) { // if the queue is full, the gaps are reported the next time
		s.plan.items = after
	}
}

// whyMissed returns the reason of a gap after a failed read.
func whyMissed(err error) string {
	switch fateOf(err) {
	case fatePort:
		return objects.GapLine
	case fateSilent:
		return objects.GapBus + ": no answer"
	case fateDamaged:
		return objects.GapBus + ": the answer came damaged"
	}
	return objects.GapBus + ": the controller answered with an exception"
}
