package poll

import (
	"errors"
	"slices"
	"time"

	"noi-agent/agent/worker"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
)

const (
	// deadAfter is the number of unanswered exchanges in a row after which a slave is only probed.
	deadAfter = 3
	// A dead slave is probed after probeFirst, then after twice as long each time, up to probeLimit. A probe costs the
	// other slaves one timeout.
	probeFirst = 5 * time.Second
	probeLimit = 5 * time.Minute
	probeLossy = 30 * time.Second // the same on a line that loses many replies: one lost probe says little
)

// slave is one controller on a line, as its poller knows it. The poller's goroutine owns it.
type slave struct {
	cfg   *configs.Slave
	named bool // the configuration says which family it is
	// family is the family as which the slave is sampled, or was; nil: a slave with `model: auto` that has not reported
	// its product code
	family     *objects.Family
	plan       *schedule     // nil while family is nil
	begun      time.Duration // monotonic time at which its line began; its samples are due from then on
	left       *schedule     // schedule of the poller before a reload; nil: none, or its moments are taken over
	pauseUntil time.Duration // monotonic time before which it gets no request
	served     uint64        // the last round in which it had the line

	planner *modbus.Planner
	learnt  string        // limits that the planner has learnt, as YAML for the configuration
	doubted time.Duration // monotonic time at which these limits were last put in doubt
	replies *replies

	identity     identification
	judged       judgement // whether it is what the configuration says
	judgedAt     time.Time // wall time since which
	work         *work     // the present sweep; nil: none
	unidentified []reading // readings that wait for the identity

	misses   int           // exchanges in a row without an answer
	probeAt  time.Duration // monotonic time of the next probe of a dead slave, or of one of unknown model
	probing  time.Duration // the last wait for that
	answered bool          // the slave answered the last request it got
	lastGood time.Duration // monotonic time of the last good reply; 0: never
	goodAt   time.Time     // the same as wall time
	lastErr  error         // why the last read failed; nil after a good one

	repeat   worker.Repeats
	noSample uint64            // replies that held no value (NaN, absent sensor)
	reasons  map[string]uint64 // number of these replies by reason
	noValue  map[string]string // objects whose last reply held no value, and the reason
	missed   uint64            // objects whose read failed
	lateness time.Duration     // the longest delay of a reading, while the slave answered
}

// newSlave returns a slave whose line begins at the monotonic time now. The family of a named model is known at once.
func newSlave(cfg *configs.Slave, catalog *objects.Catalog, now time.Duration) *slave {
	s := &slave{cfg: cfg, begun: now, replies: newReplies(), reasons: map[string]uint64{}, noValue: map[string]string{}}
	s.family, s.named = cfg.Family(catalog)
	s.judged.family = s.family
	if !s.named {
		s.judged.finding = findingUnknown
	}
	return s
}

// adopt sets the family of a slave: its limits, and a schedule with everything due now. Samples that were due before
// the first family are missing.
func (p *Poller) adopt(s *slave, f *objects.Family) {
	wall := p.clock.Now() // read before Elapsed, so that no moment is early
	now, before := p.clock.Elapsed(), s.plan
	begun := now
	if before == nil {
		begun = s.begun
	}
	s.family = f
	s.work = nil // its sweep was of another register map
	s.replies, s.noValue = newReplies(), map[string]string{}
	s.plan = newSchedule(s.cfg.Polled(f), now, wall)
	s.missed += s.plan.beginAt(begun, wall.Sub(p.clock.Wall.BootedAt())-(now-begun), now, gapUnidentified)
	s.plan.inherit(before, now, gapUnidentified)
	s.plan.takeUp(s.left, s.begun)
	s.left = nil
	most := f.MaxRegisters
	if s.cfg.MaxRegisters > 0 {
		most = uint16(s.cfg.MaxRegisters)
	}
	s.planner = modbus.NewPlanner(p.settings, most, Ranges(s.cfg.Avoid))
}

// Ranges gives the registers to avoid in the planner's words.
func Ranges(registers configs.Registers) []modbus.Range {
	out := make([]modbus.Range, len(registers))
	for i, r := range registers {
		out[i] = modbus.Range(r)
	}
	return out
}

// limit gives the line the known limits of a slave.
func (p *Poller) limit(s *slave) {
	most := uint16(s.cfg.MaxRegisters)
	if s.planner != nil {
		most = s.planner.MaxRegisters()
	}
	p.line.SetLimits(byte(s.cfg.ID), most, Ranges(s.cfg.Avoid))
}

// dead reports whether the slave is only probed.
func (s *slave) dead() bool { return s.misses >= deadAfter }

// miss notes an exchange that failed. What answers next may be another controller.
func (s *slave) miss(err error, elapsed time.Duration) {
	s.lastErr = err
	switch fateOf(err) {
	case fateRefused, fateBusy, fateTrouble:
		s.answered, s.misses = true, 0 // an exception is an answer
		return
	case fateSilent:
		s.misses++
		if s.dead() {
			s.postpone(elapsed)
		}
	}
	s.answered = false
	s.identity.doubt()
}

// postpone sets the time of the next probe, after a longer wait each time.
func (s *slave) postpone(elapsed time.Duration) {
	limit := probeLimit
	if s.replies.lossy() {
		limit = probeLossy
	}
	s.probing = min(max(2*s.probing, probeFirst), limit)
	s.probeAt = elapsed + s.probing
}

// good notes a reply.
func (s *slave) good(elapsed time.Duration, at time.Time) {
	if s.dead() { // another slave may be in its place
		s.identity.reconsider()
	}
	s.answered, s.lastErr, s.lastGood, s.goodAt = true, nil, elapsed, at
	s.misses, s.probing = 0, 0
}

// passOver counts the due moments while the objects are not read. open: the line is open.
func (s *slave) passOver(now time.Duration, open bool) {
	switch {
	case s.plan == nil:
	case s.judged.barred():
		s.missed += s.plan.passOver(now, s.gapReason())
	case !open:
		s.missed += s.plan.passOver(now, objects.GapLine)
	case s.dead():
		s.missed += s.plan.passOver(now, whyMissed(s.lastErr))
	}
}

// dropUnidentified drops readings if it is not known which controller gave them.
func (s *slave) dropUnidentified(why string) {
	s.missed += uint64(len(s.unidentified))
	for _, r := range s.unidentified {
		if s.plan != nil && s.plan.polls(r.object) {
			s.plan.find(r.object).blame(why, 1)
		}
	}
	s.unidentified = nil
}

// measureLateness keeps the longest time for which an object had to wait for the line.
func (s *slave) measureLateness(b *dueSet, now time.Duration) {
	for _, n := range b.items {
		if it := &s.plan.items[n]; it.next <= now && s.answered {
			s.lateness = max(s.lateness, now-it.next)
		}
	}
}

// later returns how many owed moments of an item came after its reply that waits to be handed on; 0: no reply waits.
func (s *slave) later(it *item) uint64 {
	waiting := s.unidentified
	if s.work != nil {
		waiting = s.work.readings
	}
	for i := range waiting {
		if waiting[i].object == it.polled.Object.Name {
			return it.later(waiting[i].moments)
		}
	}
	return 0
}

// emptySweep returns a Sweep of the slave, without samples and gaps.
func (s *slave) emptySweep(line, version string) *Sweep {
	return &Sweep{Source: s.source(line, version), Names: s.names(), Family: s.family, Nameless: s.nameless()}
}

// source returns the origin of a sample, as in the messages.
func (s *slave) source(line, version string) objects.Source {
	return objects.Source{
		Line: line, UnitID: uint8(s.cfg.ID), Slave: s.name(), Firmware: s.firmware(),
		FWVersion: s.family.Slug + " " + version,
	}
}

// name is `slave` of the message: configured name, product code, model.
func (s *slave) name() string {
	return firstNonEmpty(s.cfg.Name, s.cfg.ProductCode, s.identity.known.ProductCode, s.cfg.Model)
}

// firmware is `cc_firmware` of the message; empty if neither the configuration nor the slave has it.
func (s *slave) firmware() string { return firstNonEmpty(s.cfg.Firmware, s.identity.known.Revision) }

// nameless reports whether the product code is not known, so that a filter by product codes cannot be applied.
func (s *slave) nameless() bool {
	return s.cfg.ProductCode == "" && s.identity.known.ProductCode == ""
}

// names returns the words for this slave in the `slaves` filter of an integration.
func (s *slave) names() []string {
	names := []string{s.cfg.Name, s.cfg.ProductCode, s.identity.known.ProductCode, s.cfg.Model}
	return slices.DeleteFunc(names, func(n string) bool { return n == "" })
}

// nextDue returns the monotonic time at which the slave needs the line.
func (s *slave) nextDue() (at time.Duration, ok bool) {
	ok = true
	switch {
	case s.judged.barred(), s.dead():
		at = s.probeAt
	case s.work != nil:
		at = s.work.turn
	case len(s.unidentified) > 0: // after its pause
	default:
		at, ok = s.plan.next()
	}
	return max(at, s.pauseUntil), ok
}

// dueSet is the due objects of a slave, with the registers of each.
type dueSet struct {
	items []int // of the schedule
	spans []modbus.Span
	read  []bool  // which of the items were answered
	errs  []error // why the others were not answered; nil: they were not read
}

func (s *slave) newDueSet(items []int) *dueSet {
	b := &dueSet{items: items, spans: make([]modbus.Span, len(items)), read: make([]bool, len(items)),
		errs: make([]error, len(items))}
	for i, n := range items {
		b.spans[i] = SpanOf(&s.plan.items[n].polled.Object)
	}
	return b
}

// reads plans the reads of a due set: merged if this is cheaper; doubtful objects alone and last. Members are indexes
// into the set.
func (s *slave) reads(b *dueSet) []modbus.Read {
	var spans []modbus.Span
	var members []int
	var alone []modbus.Read
	for i := range b.items {
		if s.replies.aside(b.spans[i]) {
			alone = append(alone, modbus.Read{Span: b.spans[i], Members: []int{i}})
			continue
		}
		spans, members = append(spans, b.spans[i]), append(members, i)
	}
	reads := s.planner.Plan(spans)
	for i := range reads {
		for j, m := range reads[i].Members {
			reads[i].Members[j] = members[m]
		}
	}
	return append(reads, alone...)
}

// probe returns a read of one object, each time of another one.
func (s *slave) probe() modbus.Span {
	spans := make([]modbus.Span, len(s.plan.items))
	for i := range s.plan.items {
		spans[i] = SpanOf(&s.plan.items[i].polled.Object)
	}
	return s.replies.probe(spans)
}

// refused returns the objects that the slave is known not to give, and why.
func (s *slave) refused() map[string]error {
	out := map[string]error{}
	if s.plan == nil {
		return out
	}
	for i := range s.plan.items {
		o := &s.plan.items[i].polled.Object
		if err := s.replies.refused(SpanOf(o)); err != nil {
			out[o.Name] = err
		}
	}
	return out
}

func SpanOf(o *objects.Object) modbus.Span {
	addr, count := o.Span()
	return modbus.Span{Function: o.Function(), Addr: addr, Count: count}
}

// reasonOf returns why a valid reply gave no sample.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, objects.ErrAbsent):
		return "absent"
	case errors.Is(err, objects.ErrOutOfRange):
		return "out_of_range"
	case errors.Is(err, objects.ErrFirmware):
		return "firmware"
	default:
		return "not_a_number"
	}
}

// fate is the result of a failed exchange, as far as it decides the next step.
type fate int

const (
	fatePort    fate = iota // the line is closed, or the agent ends
	fateSilent              // no answer, or a gateway says so for the slave
	fateDamaged             // bytes came that are no answer: again at once
	fateBusy                // exceptions 05 and 06: again after a pause
	fateRefused             // exceptions 01 to 03: never again as it was
	fateTrouble             // any other exception: later again
)

// isReply reports whether the error of a read is a reply of the slave itself: an exception that no gateway sent.
func isReply(err error) bool {
	f := fateOf(err)
	return f == fateBusy || f == fateRefused || f == fateTrouble
}

// refuses reports whether a slave refuses this read: any exception but 06 (busy).
func refuses(err error) bool {
	var e *modbus.Exception
	return isReply(err) && errors.As(err, &e) && e.Code != 0x06
}

// fateOf sorts the errors of modbus.Line.
func fateOf(err error) fate {
	var e *modbus.Exception
	switch {
	case errors.As(err, &e):
		switch e.Code {
		case 0x01, 0x02, 0x03:
			return fateRefused
		case 0x05, 0x06:
			return fateBusy
		case 0x0A, 0x0B: // from a gateway, not from the slave
			return fateSilent
		}
		return fateTrouble
	case errors.Is(err, modbus.ErrTimeout):
		return fateSilent
	case errors.Is(err, modbus.ErrFrame):
		return fateDamaged
	default:
		return fatePort
	}
}

func firstNonEmpty(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}
