package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"noi-agent/modbus"
	"noi-agent/objects"
)

// readTries is how often a read is sent whose reply came damaged. Silence is not asked again at once: the
// other slaves come first.
const readTries = 3

// sweep reads what is due of one slave, asks who answered when that is due, and hands the samples on.
func (p *poller) sweep(ctx context.Context, s *slave) {
	switch {
	case s.judged.barred():
		p.askBarred(ctx, s)
		return
	case s.work == nil && s.dead() && !p.revives(ctx, s):
		return
	}
	if len(s.held) == 0 && !p.step(ctx, s) {
		return
	}
	if len(s.held) == 0 {
		return
	}
	if s.identityDue(p.clock.elapsed()) && (!p.open || !p.identify(ctx, s)) {
		if ctx.Err() != nil || !p.open { // nobody will ever know whose they are
			p.dropHeld(s, gapNameless)
		}
		return
	}
	if len(s.held) == 0 { // the slave is another one, and they were dropped
		return
	}
	p.hand(s, s.held)
	s.held = nil
}

// dropHeld gives up readings of which nobody can say who gave them.
func (p *poller) dropHeld(s *slave, why string) {
	s.missed += uint64(len(s.held))
	for _, r := range s.held {
		if s.plan != nil && s.plan.polls(r.object) {
			s.plan.find(r.object).blame(why)
		}
	}
	s.held = nil
}

// revives asks a dead slave for one object. When it answers, what was missed is due at once.
func (p *poller) revives(ctx context.Context, s *slave) bool {
	now := p.clock.elapsed()
	s.missed += s.plan.passOver(now, objects.GapBus)
	if _, err := p.exchange(ctx, s, s.probe(), false); err != nil && s.dead() {
		if ctx.Err() == nil && p.open {
			s.postpone(p.clock.elapsed())
		}
		return false
	}
	s.plan.everything(p.clock.elapsed())
	s.revived = true
	return p.open
}

const (
	// muteAfter is how many longer reads must go unanswered although a short one is answered, before they are split like refused
	// ones: some slaves say nothing to a read that holds a register they do not have.
	muteAfter = 2
	// muteLimit ends that. One register among a hundred is found in seven silent reads; a slave that has died gives no others.
	muteLimit = 16
)

// mutes reports whether silence is to be taken for a refusal. It can be only after the slave has come back to life.
func (s *slave) mutes() bool {
	if !s.revived {
		return false
	}
	s.mute++
	s.parting = s.mute > muteAfter && s.mute < muteAfter+muteLimit
	if s.parting {
		s.misses = 0 // it is no sign of death then
	}
	return s.parting
}

// sweepBudget is for how long a slave may hold the line in one sweep while others wait. A sweep of all objects at 9600 baud takes a
// fifth of it; one that takes longer lets the others go first between its reads.
const sweepBudget = time.Second

// work is a sweep under way. It is done one read at a time, so that a slave that takes long over each does not hold up the rest.
type work struct {
	batch    *batch
	todo     []modbus.Read
	readings []reading
	turn     time.Duration // its place in the queue, monotonic: when it came due, or the end of its last read once the budget is used up
	spent    time.Duration
}

// step does the next read of the slave's sweep, of a new one when none is under way. True: the sweep is over, and what was read
// is held. After silence or a fault of the port the rest is let be: that is asked again soon.
func (p *poller) step(ctx context.Context, s *slave) (over bool) {
	w := s.work
	if w == nil {
		turn, _ := s.nextDue()
		w = &work{batch: s.batch(s.plan.due(p.clock.elapsed())), turn: turn}
		p.measureLateness(s, w.batch)
		s.planner.Measured(p.line.UnitCounters(byte(s.cfg.ID)).Turnaround.P50)
		w.todo = s.reads(w.batch)
		s.work = w
	}
	var failure error
	if len(w.todo) > 0 {
		begun := p.clock.elapsed()
		got, more, err := p.readMembers(ctx, s, w.todo[0], w.batch)
		w.readings = append(w.readings, got...)
		w.todo = append(more, w.todo[1:]...)
		if f := fateOf(err); err != nil && (f == fateSilent || f == fatePort || f == fateDamaged) {
			failure = err
		}
		if w.spent += p.clock.elapsed() - begun; w.spent > sweepBudget {
			w.turn = p.clock.elapsed()
		}
	}
	if failure == nil && len(w.todo) > 0 {
		return false
	}
	s.held, s.work = w.readings, nil
	p.finish(ctx, s, w.batch, failure)
	return true
}

// finish moves the schedule on after a sweep and settles what was learnt in it.
func (p *poller) finish(ctx context.Context, s *slave, b *batch, failure error) {
	again := retryAfter
	if failure != nil && fateOf(failure) == fateSilent || fateOf(s.lastErr) == fateBusy {
		again = retrySoon
	}
	for i, n := range b.items {
		// What it does not know it will not know in ten seconds.
		settled := b.read[i] || b.unknown[i] || s.refused[s.plan.items[n].polled.Object.Name]
		s.plan.done(n, p.clock.elapsed(), settled, again)
		switch {
		case !b.read[i]:
			s.missed++
			if ctx.Err() == nil { // else it is we who end
				s.plan.items[n].blame(whyMissed(s.lastErr))
			}
		case !has(s.held, s.plan.items[n].polled.Object.Name):
			s.plan.items[n].owed = 0 // there is no value: nothing is missing
		}
		if !b.read[i] && settled {
			s.plan.items[n].owed = 0 // there is no such object
		}
	}
	if s.parting {
		s.parting, s.revived, s.mute = false, false, 0
	}
	if failure == nil {
		p.runTest(ctx, s)
	}
	if learnt := s.planner.Learnt(); learnt != s.learnt {
		s.learnt = learnt
		p.log.Info("learnt what the slave refuses; the configuration may say so", "unit", s.cfg.ID, "yaml", learnt)
	}
}

// measureLateness keeps the most that an object had to wait for the line.
func (p *poller) measureLateness(s *slave, b *batch) {
	now := p.clock.elapsed()
	for _, n := range b.items {
		if it := &s.plan.items[n]; it.next <= now && s.answered {
			s.lateness = max(s.lateness, now-it.next)
		}
	}
}

// readMembers does one planned read. A merged one that the slave refuses comes back as smaller ones.
func (p *poller) readMembers(ctx context.Context, s *slave, rd modbus.Read, b *batch) (got []reading, more []modbus.Read, err error) {
	lone := len(rd.Members) == 1 && s.refused[s.object(b, rd.Members[0]).Name]
	reply, err := p.exchange(ctx, s, rd.Span, lone)
	if err == nil {
		if rd.Count > s.probe().Count && !s.parting {
			s.revived, s.mute = false, 0
		}
		s.planner.Answered(rd.Span)
		for _, m := range rd.Members {
			b.read[m] = true
			delete(s.refused, s.object(b, m).Name) // the refusal was of the moment
		}
		return p.decode(s, rd, b, reply), nil, nil
	}
	if lone && fateOf(err) == fateSilent {
		return nil, nil, nil // as the last time; it says nothing of the rest
	}
	if !refusesAddress(err) && (fateOf(err) != fateSilent || !s.mutes()) {
		for _, m := range rd.Members {
			b.unknown[m] = fateOf(err) == fateRefused // the function itself; smaller reads will not help
		}
		return nil, nil, err
	}
	if more = s.planner.Refused(rd, b.spans); len(more) == 0 {
		for _, m := range rd.Members {
			s.refused[s.object(b, m).Name] = true
		}
	}
	if s.parting {
		err = nil // go on with the parts
	}
	return nil, more, err
}

// runTest asks one of the reads that would settle what the planner has learnt. Its outcome says nothing of how the slave fares, and
// whatever it is but registers, silence too, the test is over: some slaves say nothing when they are asked for what they lack.
func (p *poller) runTest(ctx context.Context, s *slave) {
	tests := s.planner.Tests()
	if len(tests) == 0 {
		return
	}
	span := tests[0].Span
	_, err := p.line.Read(ctx, byte(s.cfg.ID), span.Function, span.Addr, span.Count)
	switch {
	case err == nil:
		s.planner.Answered(span)
	case ctx.Err() != nil:
	case fateOf(err) == fatePort:
		p.portFailed(err)
	case fateOf(err) != fateDamaged:
		s.planner.Refused(tests[0], nil)
	}
}

func (s *slave) object(b *batch, member int) *objects.Object {
	return &s.plan.items[b.items[member]].polled.Object
}

// exchange sends one read, again at once when the reply came damaged. Silence about a lone object, one that was refused before, is no
// sign of how the slave fares.
func (p *poller) exchange(ctx context.Context, s *slave, span modbus.Span, lone bool) (modbus.Reply, error) {
	for try := 1; ; try++ {
		p.busy(p.clock.elapsed())
		reply, err := p.line.Read(ctx, byte(s.cfg.ID), span.Function, span.Addr, span.Count)
		if err == nil {
			s.good(p.clock.elapsed(), reply.At)
			s.repeat.recovered(p.log, p.clock.elapsed(), fmt.Sprintf("unit %d answers again", s.cfg.ID))
			return reply, nil
		}
		if ctx.Err() != nil {
			return reply, err
		}
		if fateOf(err) == fatePort {
			p.portFailed(err)
			return reply, err
		}
		if lone && fateOf(err) == fateSilent {
			return reply, err
		}
		s.miss(err, p.clock.elapsed())
		s.repeat.failed(p.log, p.clock.elapsed(), "read failed", err)
		if fateOf(err) != fateDamaged || try == readTries {
			return reply, err
		}
	}
}

// decode turns a reply into readings. What holds no value is counted and left out.
func (p *poller) decode(s *slave, rd modbus.Read, b *batch, reply modbus.Reply) []reading {
	readings, booted := make([]reading, 0, len(rd.Members)), p.clock.wall.bootedAt()
	for _, m := range rd.Members {
		o := s.object(b, m)
		from := b.spans[m].Addr - rd.Addr
		value, err := o.DecodeSpan(reply.Registers[from : from+b.spans[m].Count])
		if err != nil {
			reason := reasonOf(err)
			s.noSample++
			s.reasons[reason]++
			s.noValue[o.Name] = reason
			p.forget(s, o.Name)
			p.log.Debug("no sample", "unit", s.cfg.ID, "object", o.Name, "reason", err)
			continue
		}
		delete(s.noValue, o.Name)
		readings = append(readings, reading{object: o.Name, unit: o.Unit, alarm: o.Alarm, active: o.Alarms(value), value: value, at: reply.At, booted: booted})
	}
	return readings
}

// has reports whether an object is among readings.
func has(readings []reading, object string) bool {
	return slices.ContainsFunc(readings, func(r reading) bool { return r.object == object })
}

// hand gives a sweep to the sampler. The queue holds minutes of sweeps; when the store is stuck for longer
// than that, the sweep is lost and counted. The line never waits.
func (p *poller) hand(s *slave, readings []reading) {
	t := p.takenFrom(s)
	t.samples = make([]objects.Sample, len(readings))
	t.bootedAt, t.unsure = p.oneClock(readings)
	before := make([]item, 0, len(readings))
	for i, r := range readings {
		t.samples[i] = objects.Sample{Object: r.object, Value: r.value, SampledAt: r.at, Alarm: r.alarm}
		it := s.plan.find(r.object)
		before = append(before, *it)
		t.every = append(t.every, it.polled.Interval)
		if gap, ok := it.delivered(r.at, r.at.Sub(t.bootedAt)); ok {
			t.gaps, t.due = append(t.gaps, gap), append(t.due, it.polled.Interval)
		}
	}
	p.remember(s, readings)
	select {
	case p.out <- t:
	default:
		for i, r := range readings {
			s.plan.find(r.object).undeliver(before[i], objects.GapQueue)
		}
		p.lose(len(readings))
		p.repeat.failed(p.log, p.clock.elapsed(), "samples lost", errors.New("the store does not keep up"))
	}
}

// takenFrom begins what is handed on of a slave.
func (p *poller) takenFrom(s *slave) taken {
	return taken{source: s.source(p.cfg.Name, p.version), names: s.names(), family: s.family, nameless: s.nameless()}
}

// soFarEvery is how often a gap that goes on is told: a kill, or a power cut, takes what nobody was told.
const soFarEvery = time.Hour

// tellSoFar tells of every slave now and then what is missing and goes on.
func (p *poller) tellSoFar() {
	now := p.clock.elapsed()
	if now-p.toldAt < soFarEvery {
		return
	}
	p.toldAt = now
	for _, s := range p.slaves {
		p.handMissing(s, func(it *item, at time.Time, uptime time.Duration) (objects.Gap, bool) {
			return it.soFar(now, at, uptime)
		})
	}
}

// handGaps tells at the end what is missing of each object up to now: nobody will come to say it later.
func (p *poller) handGaps(s *slave) {
	p.handMissing(s, func(it *item, at time.Time, uptime time.Duration) (objects.Gap, bool) {
		return it.atEnd(at, uptime)
	})
}

// handMissing hands on what is missing of a slave's objects without a sample.
func (p *poller) handMissing(s *slave, missing func(it *item, at time.Time, uptime time.Duration) (objects.Gap, bool)) {
	if s.plan == nil {
		return
	}
	p.passOver(s)
	t := p.takenFrom(s)
	t.bootedAt, t.unsure = p.oneClock(nil)
	before := slices.Clone(s.plan.items)
	for i := range s.plan.items {
		it := &s.plan.items[i]
		at := p.clock.now()
		if gap, ok := missing(it, at, at.Sub(t.bootedAt)); ok {
			t.gaps, t.due = append(t.gaps, gap), append(t.due, it.polled.Interval)
		}
	}
	if len(t.gaps) == 0 {
		return
	}
	select {
	case p.out <- t:
	default: // the store is stuck: what is missing is told later, if there is a later
		s.plan.items = before
	}
}

// whyMissed is the reason of a gap that a failed read begins.
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

// refusesAddress reports whether the slave does not know the registers, or not so many (exceptions 02 and 03).
func refusesAddress(err error) bool {
	var exception *modbus.Exception
	return errors.As(err, &exception) && (exception.Code == 2 || exception.Code == 3)
}
