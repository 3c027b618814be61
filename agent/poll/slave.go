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
	// deadAfter is how many exchanges in a row must go unanswered before a slave is only probed.
	deadAfter = 3
	// A slave that is only probed is asked for one object after probeFirst, then after twice as long each time, up to
	// probeLimit. One timeout a probe is all that it costs its neighbours.
	probeFirst = 5 * time.Second
	probeLimit = 5 * time.Minute
	probeLossy = 30 * time.Second // the same on a line that loses many replies: one lost probe says little
)

// slave is one controller on a line, as its poller knows it. The poller's goroutine owns it.
type slave struct {
	cfg   *configs.Slave
	named bool // the configuration says which family it is
	// by which it is sampled, or was; nil until a `model: auto` has reported its product code
	family     *objects.Family
	plan       *schedule     // nil as long as family is
	begun      time.Duration // when its line began, monotonic: its samples are due from then on
	left       *schedule     // of the poller before a reload; nil: there was none, or its moments are taken over
	pauseUntil time.Duration // not to be asked before, monotonic: it is given time
	served     uint64        // the round in which it had the line last

	planner *modbus.Planner
	learnt  string        // by the planner, as YAML for the configuration
	doubted time.Duration // when that was put in doubt last, monotonic
	replies *replies

	identity     identification
	judged       judgement // whether it is what the configuration says
	judgedAt     time.Time // wall time since which
	work         *work     // the sweep under way; nil: none
	unidentified []reading // read, and waiting for the identity

	misses   int           // exchanges in a row without an answer
	probeAt  time.Duration // when a dead slave, or one of unknown model, is asked next, monotonic
	probing  time.Duration // the last wait for that
	answered bool          // the slave answered the last request it got
	lastGood time.Duration // monotonic time of the last good reply; 0: never
	goodAt   time.Time     // the same as wall time
	lastErr  error         // why the last read failed; nil after a good one

	repeat   worker.Repeats
	noSample uint64            // replies that held no value (NaN, absent sensor)
	reasons  map[string]uint64 // the same by reason
	noValue  map[string]string // objects whose last reply held no value, and the reason
	missed   uint64            // objects whose read failed
	lateness time.Duration     // the most that an object was read after it was due, while the slave was well
}

// newSlave prepares a slave, whose line begins now, monotonic. The family of a named model is known at once.
func newSlave(cfg *configs.Slave, catalog *objects.Catalog, now time.Duration) *slave {
	s := &slave{cfg: cfg, begun: now, replies: newReplies(), reasons: map[string]uint64{}, noValue: map[string]string{}}
	s.family, s.named = cfg.Family(catalog)
	s.judged.family = s.family
	if !s.named {
		s.judged.finding = findingUnknown
	}
	return s
}

// adopt takes a family: its limits, and a schedule with everything due now. What was due before the first one is
// missing.
func (p *Poller) adopt(s *slave, f *objects.Family) {
	wall := p.clock.Now() // before Elapsed: no moment comes early
	now, before := p.clock.Elapsed(), s.plan
	begun := now
	if before == nil {
		begun = s.begun
	}
	s.family = f
	s.work = nil // it was of another register map
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

// limit gives the line the limits of a slave, as far as they are known by now.
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

// postpone sets the next probe, later each time.
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
	if s.dead() { // another one may be in its place
		s.identity.reconsider()
	}
	s.answered, s.lastErr, s.lastGood, s.goodAt = true, nil, elapsed, at
	s.misses, s.probing = 0, 0
}

// later returns how many moments of an item came after its reply that waits to be handed on; 0 if none waits.
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

// source returns what the messages say of where a sample comes from.
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

// firmware is `cc_firmware` of the message; empty when neither the configuration nor the slave gives it.
func (s *slave) firmware() string { return firstNonEmpty(s.cfg.Firmware, s.identity.known.Revision) }

// nameless reports whether an integration that lists product codes cannot know whether it means this slave.
func (s *slave) nameless() bool {
	return s.cfg.ProductCode == "" && s.identity.known.ProductCode == ""
}

// names are the words by which an integration's `slaves` filter may mean this slave.
func (s *slave) names() []string {
	names := []string{s.cfg.Name, s.cfg.ProductCode, s.identity.known.ProductCode, s.cfg.Model}
	return slices.DeleteFunc(names, func(n string) bool { return n == "" })
}

// nextDue returns when the slave wants the line, monotonic.
func (s *slave) nextDue() (at time.Duration, ok bool) {
	ok = true
	switch {
	case s.judged.barred(), s.dead():
		at = s.probeAt
	case s.work != nil:
		at = s.work.turn
	case len(s.unidentified) > 0: // as soon as it has had its rest
	default:
		at, ok = s.plan.next()
	}
	return max(at, s.pauseUntil), ok
}

// newDueSet is what is due of a slave, with what each object takes of the register map.
type dueSet struct {
	items []int // of the schedule
	spans []modbus.Span
	read  []bool  // which of them were answered
	errs  []error // why the others were not; nil: they were not asked
}

func (s *slave) newDueSet(items []int) *dueSet {
	b := &dueSet{items: items, spans: make([]modbus.Span, len(items)), read: make([]bool, len(items)),
		errs: make([]error, len(items))}
	for i, n := range items {
		b.spans[i] = SpanOf(&s.plan.items[n].polled.Object)
	}
	return b
}

// reads plans the reads of a batch: merged where that is cheaper, doubtful objects alone and last. Members are
// indexes into the batch.
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

// probe returns a read of one object, another one each time.
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

// reasonOf names why a sound reply gave no sample.
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

// fate is what has become of an exchange, as far as it decides what to do next.
type fate int

const (
	fatePort    fate = iota // the line is closed, or the agent ends
	fateSilent              // no answer, or a gateway says so for the slave
	fateDamaged             // something came that is no answer: again at once
	fateBusy                // exceptions 05 and 06: again after a pause
	fateRefused             // exceptions 01 to 03: never again as it was
	fateTrouble             // any other exception: again later
)

// isReply reports whether a failed read is a reply of the slave: an exception that no gateway sent.
func isReply(err error) bool {
	f := fateOf(err)
	return f == fateBusy || f == fateRefused || f == fateTrouble
}

// refuses reports whether a slave will not answer this very read: any exception but 06, busy.
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
		case 0x0A, 0x0B: // a gateway speaks, not the slave
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
