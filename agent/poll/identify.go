package poll

import (
	"context"
	"errors"
	"fmt"
	"time"

	"noi-agent/modbus"
	"noi-agent/objects"
	"noi-agent/status/api"
)

// identifyRest is the pause after a slave did not answer: after an unknown function some slaves find the begin of a
// frame again only when the line is silent.
const identifyRest = time.Second

// identityWay is one way to ask a slave for its identification.
type identityWay func(ctx context.Context, p *Poller, s *slave) (modbus.Identity, error)

// identityWays are tried in this order.
func identityWays() []identityWay { return []identityWay{byDeviceID, byServerID, byRegisters} }

// byDeviceID is function 0x2B/0x0E. Most controllers of the built-in families answer it.
func byDeviceID(ctx context.Context, p *Poller, s *slave) (modbus.Identity, error) {
	return p.line.Identify(ctx, byte(s.cfg.ID))
}

// byRegisters reads the objects that the family names in `identity`, if there are any.
func byRegisters(ctx context.Context, p *Poller, s *slave) (id modbus.Identity, err error) {
	if !s.named || s.family.CodeObject == "" && s.family.FirmwareObject == "" {
		return id, errUntold
	}
	if id.ProductCode, id.At, err = p.readText(ctx, s, s.family.CodeObject); err != nil {
		return id, err
	}
	id.Revision, id.At, err = p.readText(ctx, s, s.family.FirmwareObject)
	return id, err
}

// readText returns the value of an object in the form for people; "" for an object without a name or without a value.
func (p *Poller) readText(ctx context.Context, s *slave, object string) (string, time.Time, error) {
	o, ok := s.family.Object(object)
	if !ok {
		return "", time.Time{}, nil
	}
	span := SpanOf(o)
	reply, err := p.line.Read(ctx, byte(s.cfg.ID), span.Function, span.Addr, span.Count)
	if err != nil {
		return "", reply.At, err
	}
	value, err := o.DecodeSpan(reply.Registers)
	if err != nil {
		return "", reply.At, nil
	}
	return modbus.CleanText([]byte(value.String())), reply.At, nil
}

// byServerID is function 0x11. Each maker defines the answer, so it counts only if it has a product code of a known
// family.
func byServerID(ctx context.Context, p *Poller, s *slave) (modbus.Identity, error) {
	text, at, err := p.line.ServerID(ctx, byte(s.cfg.ID))
	if err != nil {
		return modbus.Identity{}, err
	}
	if code, _, ok := p.catalog.InText(text); ok {
		return modbus.Identity{ProductCode: code, At: at}, nil
	}
	return modbus.Identity{}, errUntold
}

var errUntold = errors.New("the controller answers, but does not identify itself: set its model in the configuration")

// identifiesItself reports whether the slave is asked for its identification. If the configuration has product code and
// firmware, it is not asked.
func (s *slave) identifiesItself() bool { return s.cfg.ProductCode == "" || s.cfg.Firmware == "" }

// identityDue reports whether the slave must be identified before its samples may be sent.
func (s *slave) identityDue(elapsed time.Duration) bool {
	return s.identifiesItself() && s.identity.due(elapsed)
}

// identify asks the slave for its identity until the answer is final. After a refusal it tries again at once. After any
// other failure it returns false, and tries again after a rest; the samples wait. If the line fails, the samples are
// dropped, because it is not known which controller gave them.
func (p *Poller) identify(ctx context.Context, s *slave) (settled bool) {
	over := false
	if s.identity.silent {
		if !p.lives(ctx, s) {
			return false
		}
		over = s.identity.failed(false, identifyTries)
	}
	for !over {
		p.board.busy(p.clock.Elapsed())
		id, err := identityWays()[s.identity.way](ctx, p, s)
		if err == nil {
			p.identifiedAs(s, id)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		p.log.Debug("identification failed", "unit", s.cfg.ID, "reason", err)
		switch fate := fateOf(err); {
		case errors.Is(err, errUntold):
			over = s.identity.untold()
		case fate == fatePort:
			p.portFailed(err)
			return false
		case fate == fateSilent:
			s.identity.silent = true
			s.pauseUntil = p.clock.Elapsed() + identifyRest
			return false
		default:
			over = s.identity.failed(fate == fateRefused, identifyTries)
			if !over && (fate == fateDamaged || fate == fateBusy) {
				s.pauseUntil = p.clock.Elapsed() + identifyRest
				return false
			}
		}
	}
	p.notIdentified(s)
	return true
}

// lives reads one object of a slave that did not answer an identification. If the slave answers this read, it does not
// know the identification, and the try counts. Otherwise the slave is away. Another one may be there afterwards, so the
// waiting readings are dropped.
func (p *Poller) lives(ctx context.Context, s *slave) bool {
	s.identity.silent = false
	_, err := p.exchange(ctx, s, s.probe(), false)
	switch {
	case ctx.Err() != nil || !p.open:
		return false
	case err != nil && fateOf(err) == fateSilent:
		s.dropUnidentified(whyMissed(err))
		s.plan.everything(p.clock.Elapsed())
		s.pauseUntil = p.clock.Elapsed() + retrySoon
		return false
	}
	return true
}

// askBarred asks a slave that is not sampled for its identity, at growing intervals. It counts the samples that are
// missing meanwhile.
func (p *Poller) askBarred(ctx context.Context, s *slave) {
	s.postpone(p.clock.Elapsed())
	wait, from := s.probing, s.identity.way
	s.passOver(p.clock.Elapsed(), p.open)
	over := p.askRound(ctx, s)
	if over && from > 0 { // the ways before have failed by silence, which may be over
		s.identity.newRound()
		over = p.askRound(ctx, s)
	}
	if over {
		p.notIdentified(s)
	}
	if s.judged.barred() && s.answered {
		s.probing = wait
	}
}

// askRound tries the ways of identification from the present one on, up to the first one without an answer. The next
// way is tried the next time, because silence does not show which function the slave lacks. askRound reports whether
// all ways are done.
func (p *Poller) askRound(ctx context.Context, s *slave) (over bool) {
	for !over {
		id, err := identityWays()[s.identity.way](ctx, p, s)
		fate := fateOf(err)
		switch {
		case err == nil:
			s.good(p.clock.Elapsed(), id.At)
			s.repeat.Recovered(p.log, p.clock.Elapsed(), fmt.Sprintf("unit %d answers again", s.cfg.ID))
			p.identifiedAs(s, id)
			return false
		case ctx.Err() != nil:
			return false
		case errors.Is(err, errUntold):
			over = s.identity.untold()
		case fate == fatePort:
			p.portFailed(err)
			return false
		default:
			s.miss(err, p.clock.Elapsed())
			s.repeat.Failed(p.log, p.clock.Elapsed(), "identification failed", err)
			over = s.identity.failed(fate == fateRefused, 1)
			if !over && !s.answered {
				return false
			}
		}
	}
	return true
}

// notIdentified ends a round in which the slave did not identify itself. A slave with a named model is sampled as
// before. A slave with `model: auto` is sampled too if it has answered every read since it was identified. Otherwise
// another controller may have taken its place.
func (p *Poller) notIdentified(s *slave) {
	before, another := s.identity.known, s.identity.another()
	if another {
		p.reportMissing(s, s.family)
	}
	s.identity.inVain(p.clock.Elapsed())
	switch {
	case another:
		p.log.Warn("another controller answers, and does not report what it is", "unit", s.cfg.ID,
			"product_code_before", before.ProductCode)
		p.forgetDevice(s)
		p.rule(s, judge(s.cfg, p.catalog, ""))
	case s.named, s.judged.barred() && !s.answered:
	case s.identity.missed || before.ProductCode == "":
		p.rule(s, judge(s.cfg, p.catalog, ""))
	}
}

// identifiedAs takes an identity, and decides by it whether and as what the slave is sampled.
func (p *Poller) identifiedAs(s *slave, id modbus.Identity) {
	before, j := s.identity.known, judge(s.cfg, p.catalog, id.ProductCode)
	exchanged := before.ProductCode != "" && before.ProductCode != id.ProductCode
	if exchanged || s.plan != nil && j.family != nil && j.family != s.family {
		p.reportMissing(s, j.family) // under the name of the controller before
	}
	s.identity.answered(id, p.clock.Elapsed())
	if before.ProductCode != id.ProductCode || before.Revision != id.Revision {
		p.log.Info("slave identified", "unit", s.cfg.ID, "product_code", id.ProductCode, "firmware", id.Revision)
		if before.ProductCode != "" {
			p.forgetDevice(s)
		}
	}
	p.rule(s, j)
}

// forgetDevice forgets everything that was learnt of the controller before.
func (p *Poller) forgetDevice(s *slave) {
	if s.planner != nil {
		s.planner.Forget()
	}
	s.replies.forget()
	p.board.forgetAlarms(p.place(s))
}

// rule applies a judgement. If the family changes, readings that were not handed on are of another register map, and
// are dropped.
func (p *Poller) rule(s *slave, j judgement) {
	before, now := s.judged, p.clock.Elapsed()
	s.judged = j
	if j.why != before.why || j.finding != before.finding {
		s.judgedAt = p.clock.Now()
		p.logJudgement(s, j)
	}
	switch {
	case j.barred():
		p.bar(s, before, j)
	case j.family != s.family || s.plan == nil:
		s.dropUnidentified(gapNameless)
		p.adopt(s, j.family)
		p.board.forgetAlarms(p.place(s))
	case before.barred():
		s.plan.everything(now)
	}
}

func (p *Poller) logJudgement(s *slave, j judgement) {
	switch {
	case j.finding == findingOther:
		p.log.Error("the controller is not sampled", "unit", s.cfg.ID, "reason", j.why, "remedy", api.MismatchRemedy)
	case j.barred():
		p.log.Error("the controller is not sampled", "unit", s.cfg.ID, "reason",
			firstNonEmpty(j.why, errUntold.Error()))
	case j.why != "":
		p.log.Warn("the product code of the controller is not known", "unit", s.cfg.ID, "reason", j.why)
	default:
		p.log.Info("the controller is sampled", "unit", s.cfg.ID, "family", j.family.Slug)
	}
}

// bar ends the sampling of a slave. Samples that are missing from now on have another reason.
func (p *Poller) bar(s *slave, before, j judgement) {
	if before.barred() {
		if s.plan != nil && j.why != before.why {
			s.plan.turn(s.gapReason())
		}
		return
	}
	s.work = nil
	s.dropUnidentified(s.gapReason())
	if s.plan != nil {
		p.reportMissing(s, s.family)
		s.plan.turn(s.gapReason())
		s.passOver(p.clock.Elapsed(), p.open)
	}
	s.probing = 0
	s.postpone(p.clock.Elapsed())
}

// gapReason returns the reason of a gap for a slave that is not sampled.
func (s *slave) gapReason() string {
	return objects.GapIdentity + ": " + firstNonEmpty(s.judged.why, errUntold.Error())
}

// gapNameless is the reason for dropped readings if it is not known which controller gave them.
const gapNameless = objects.GapIdentity + ": it was not known which controller had answered"

// gapUnidentified is the reason for samples that were due before the objects of a slave with `model: auto` were known.
const gapUnidentified = objects.GapIdentity + ": the controller was not identified yet"

// reportMissing reports the missing samples of a slave so far, before its name or its family changes. The last due
// moment of an object that continues may still get a late sample. next is the family from then on; nil: it is not
// sampled, and all objects go on.
func (p *Poller) reportMissing(s *slave, next *objects.Family) {
	goesOn := func(string) bool { return true }
	if next != nil && next != s.family {
		polled := newSchedule(s.cfg.Polled(next), 0, p.clock.Now())
		goesOn = polled.polls
	}
	now := p.clock.Elapsed()
	p.handMissing(s, func(it *item, at time.Time, uptime time.Duration) (objects.Gap, item, bool) {
		if goesOn(it.polled.Object.Name) {
			gap, after, ok := it.soFar(now, at, uptime, s.later(it))
			gap.Ongoing = false
			return gap, after, ok
		}
		return it.atEnd(p.clock.Elapsed(), at, uptime)
	})
}
