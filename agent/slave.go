package agent

import (
	"errors"
	"slices"
	"time"

	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
)

// Identification of a slave (DESIGN §5): asked at start, after any missed reply and every ten minutes,
// at most three times in a row.
const (
	identifyEvery = 10 * time.Minute
	identifyTries = 3
)

// slave is one controller on a line, as its poller knows it. The poller's goroutine owns it.
type slave struct {
	cfg      *configs.Slave
	family   *objects.Family // nil until a `model: auto` has told its product code
	plan     *schedule       // nil as long as family is
	tryAgain time.Duration   // when to ask an unknown model again, monotonic

	limits  modbus.Limits
	refused map[string]bool // objects answered with an exception when asked alone: never merged again

	identity   modbus.Identity // zero as long as the slave has not told
	identified bool            // the identity, or its absence, was settled since the last missed reply
	askAgain   time.Duration   // when the identity is due, monotonic

	answered bool          // the slave answered the last request it got
	lastGood time.Duration // monotonic time of the last good reply; 0: never
	goodAt   time.Time     // the same as wall time
	lastErr  error         // why the last read failed; nil after a good one

	repeat   repeats
	noSample uint64 // replies that held no value (NaN, absent sensor)
	missed   uint64 // objects whose read failed
}

// newSlave prepares a slave. The family of a named model is known at once.
func newSlave(cfg *configs.Slave, catalog *objects.Catalog) *slave {
	s := &slave{cfg: cfg, refused: map[string]bool{}}
	if f, ok := cfg.Family(catalog); ok {
		s.family = f
	}
	return s
}

// adopt takes a family: its limits, and a schedule with everything due now.
func (s *slave) adopt(f *objects.Family, settings modbus.Settings, elapsed time.Duration, wall time.Time) {
	s.family = f
	s.refused = map[string]bool{}
	s.plan = newSchedule(s.cfg.Polled(f), elapsed, wall)
	s.limits = modbus.Limits{MaxRegisters: f.MaxRegisters, MaxGap: modbus.MaxGap(settings, 0)}
	if s.cfg.MaxRegisters > 0 {
		s.limits.MaxRegisters = uint16(s.cfg.MaxRegisters)
	}
}

// tellsItself reports whether the slave is to be asked who it is. With both words configured it is not.
func (s *slave) tellsItself() bool { return s.cfg.ProductCode == "" || s.cfg.Firmware == "" }

// identityDue reports whether the slave must say who it is before its samples may go.
func (s *slave) identityDue(elapsed time.Duration) bool {
	return s.tellsItself() && (!s.identified || elapsed >= s.askAgain)
}

// settleIdentity takes what the slave told; the zero Identity says that it told nothing three times.
func (s *slave) settleIdentity(id modbus.Identity, elapsed time.Duration) {
	s.identity, s.identified, s.askAgain = id, true, elapsed+identifyEvery
}

// miss notes a failed exchange. Whoever answers next may be another controller.
func (s *slave) miss(err error) {
	s.lastErr = err
	var exception *modbus.Exception
	if errors.As(err, &exception) {
		s.answered = true // an exception is an answer
		return
	}
	s.answered, s.identified = false, false
}

// good notes a reply.
func (s *slave) good(elapsed time.Duration, at time.Time) {
	s.answered, s.lastErr, s.lastGood, s.goodAt = true, nil, elapsed, at
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
	return firstNonEmpty(s.cfg.Name, s.cfg.ProductCode, s.identity.ProductCode, s.cfg.Model)
}

// firmware is `cc_firmware` of the message; empty when nobody tells.
func (s *slave) firmware() string { return firstNonEmpty(s.cfg.Firmware, s.identity.Revision) }

// names are the words by which an integration's `slaves` filter may mean this slave.
func (s *slave) names() []string {
	names := []string{s.cfg.Name, s.cfg.ProductCode, s.identity.ProductCode, s.cfg.Model}
	return slices.DeleteFunc(names, func(n string) bool { return n == "" })
}

// nextDue returns when the slave wants the line, monotonic.
func (s *slave) nextDue() (at time.Duration, ok bool) {
	if s.plan == nil {
		return s.tryAgain, true
	}
	return s.plan.next()
}

// reads plans the reads for the due items: merged where that is cheaper, refused objects alone. The members of
// a read are indexes into due.
func (s *slave) reads(due []int) []modbus.Read {
	merged := make([]int, 0, len(due))
	var alone []modbus.Read
	for i, n := range due {
		o := &s.plan.items[n].polled.Object
		if s.refused[o.Name] {
			alone = append(alone, modbus.Read{Span: spanOf(o), Members: []int{i}})
			continue
		}
		merged = append(merged, i)
	}
	return append(s.mergedReads(due, merged), alone...)
}

// mergedReads plans the members (indexes into due) and gives the plan's members back in the same terms.
func (s *slave) mergedReads(due, members []int) []modbus.Read {
	spans := make([]modbus.Span, len(members))
	for i, m := range members {
		spans[i] = spanOf(&s.plan.items[due[m]].polled.Object)
	}
	reads := modbus.Plan(spans, s.limits)
	for i := range reads {
		for j, m := range reads[i].Members {
			reads[i].Members[j] = members[m]
		}
	}
	return reads
}

func spanOf(o *objects.Object) modbus.Span {
	return modbus.Span{Function: o.Function(), Addr: o.Address, Count: o.Registers}
}

func firstNonEmpty(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}
