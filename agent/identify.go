package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"noi-agent/modbus"
)

// Identification of a slave (DESIGN §5): asked at start, after any missed reply and every ten minutes.
const (
	identifyEvery = 10 * time.Minute
	identifyTries = 3 // in vain, before another way is tried
	// identifyRest is what a slave is given after it did not answer: some lose their frame over a function that they do not
	// know, and find it again only when the line is silent.
	identifyRest = time.Second
)

// identity is who a slave says it is, and the way to find out.
type identity struct {
	told    modbus.Identity // zero as long as it has not told
	settled bool            // told, or its silence, holds since the last missed reply
	again   time.Duration   // when it is due, monotonic
	way     int             // index of the way that is tried; len(ways) when none is left
	tries   int             // in vain on this way
	silent  bool            // the last try was not answered: it counts once the slave answers something else
	passing bool            // a way was given up for what passes, noise or a busy slave
}

// doubt has the slave asked again, unless it is left in peace.
func (id *identity) doubt() { id.settled = id.settled && id.exhausted() }

// reconsider forgets that the slave could not be asked: another one may answer.
func (id *identity) reconsider() {
	id.settled, id.silent = false, false
	if id.exhausted() {
		id.way, id.tries = 0, 0
	}
}

// exhausted reports whether the slave is left in peace.
func (id *identity) exhausted() bool { return id.way >= len(identityWays()) }

// due reports whether it must be asked before its samples may go.
func (id *identity) due(elapsed time.Duration) bool {
	return !id.settled || elapsed >= id.again && !id.exhausted()
}

// settle takes what the slave told; the zero Identity says that no way is left. A way that was given up for what passes is
// tried again the next time.
func (id *identity) settle(told modbus.Identity, elapsed time.Duration) {
	id.told, id.settled, id.again, id.tries = told, true, elapsed+identifyEvery, 0
	if id.passing {
		id.way, id.passing = 0, false
	}
}

// failed counts a try in vain.
func (id *identity) failed() {
	if id.tries++; id.tries >= identifyTries {
		id.way, id.tries = id.way+1, 0
	}
}

// identityWay asks a slave who it is.
type identityWay func(ctx context.Context, p *poller, s *slave) (modbus.Identity, error)

// identityWays are tried in this order.
func identityWays() []identityWay { return []identityWay{byDeviceID, byServerID, byRegisters} }

// byDeviceID is function 0x2B/0x0E, which the controllers that this agent was made for answer.
func byDeviceID(ctx context.Context, p *poller, s *slave) (modbus.Identity, error) {
	return p.line.Identify(ctx, byte(s.cfg.ID))
}

// byRegisters reads the objects that the family names for it, if it does.
func byRegisters(ctx context.Context, p *poller, s *slave) (id modbus.Identity, err error) {
	if s.family == nil || s.family.CodeObject == "" && s.family.FirmwareObject == "" {
		return id, errUntold
	}
	if id.ProductCode, id.At, err = p.readText(ctx, s, s.family.CodeObject); err != nil {
		return id, err
	}
	id.Revision, id.At, err = p.readText(ctx, s, s.family.FirmwareObject)
	return id, err
}

// readText reads an object as people read it; nothing for an object without a name, or without a value.
func (p *poller) readText(ctx context.Context, s *slave, object string) (string, time.Time, error) {
	o, ok := s.family.Object(object)
	if !ok {
		return "", time.Time{}, nil
	}
	span := spanOf(o)
	reply, err := p.line.Read(ctx, byte(s.cfg.ID), span.Function, span.Addr, span.Count)
	if err != nil {
		return "", reply.At, err
	}
	value, err := o.DecodeSpan(reply.Registers)
	if err != nil {
		return "", reply.At, nil
	}
	return value.String(), reply.At, nil
}

// byServerID is function 0x11, whose answer is the maker's own affair: it counts only when it holds a product code
// that a family knows.
func byServerID(ctx context.Context, p *poller, s *slave) (modbus.Identity, error) {
	text, at, err := p.line.ServerID(ctx, byte(s.cfg.ID))
	if err != nil {
		return modbus.Identity{}, err
	}
	if code, _, ok := p.catalog.InText(text); ok {
		return modbus.Identity{ProductCode: code, At: at}, nil
	}
	return modbus.Identity{}, errUntold
}

var errUntold = errors.New("it answers, but does not say who it is: name the model in the configuration")

// tellsItself reports whether the slave is to be asked who it is. With both words configured it is not.
func (s *slave) tellsItself() bool { return s.cfg.ProductCode == "" || s.cfg.Firmware == "" }

// identityDue reports whether the slave must say who it is before its samples may go.
func (s *slave) identityDue(elapsed time.Duration) bool {
	return s.tellsItself() && s.identity.due(elapsed)
}

// identify asks the slave who it is until that is settled. An answer that is a refusal is tried again at once, anything else after
// a rest, for which it returns false: the samples wait. When the line fails they are dropped, since nobody knows whose they are.
func (p *poller) identify(ctx context.Context, s *slave) (settled bool) {
	if s.identity.silent && !p.lives(ctx, s) {
		return false
	}
	for !s.identity.exhausted() {
		p.busy(p.clock.elapsed())
		id, err := identityWays()[s.identity.way](ctx, p, s)
		if err == nil {
			p.identifiedAs(s, id)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		p.log.Debug("identification failed", "unit", s.cfg.ID, "reason", err)
		switch {
		case errors.Is(err, errUntold):
			s.identity.way++
		case fateOf(err) == fatePort:
			p.portFailed(err)
			return false
		case fateOf(err) == fateSilent:
			s.identity.silent = true
			s.rest = p.clock.elapsed() + identifyRest
			return false
		case fateOf(err) == fateDamaged, fateOf(err) == fateBusy:
			s.identity.passing = true
			s.identity.failed()
			s.rest = p.clock.elapsed() + identifyRest
			return false
		default:
			s.identity.failed()
		}
	}
	s.identity.settle(modbus.Identity{}, p.clock.elapsed())
	if s.cfg.Auto() {
		p.loseFamily(s, errUntold)
	}
	return true
}

// lives asks a slave that said nothing to an identification for one object. When it answers that, it does not know the
// identification, and the try counts. Otherwise it is away: whoever comes back may be another one, so what it gave is dropped.
func (p *poller) lives(ctx context.Context, s *slave) bool {
	s.identity.silent = false
	_, err := p.exchange(ctx, s, s.probe(), false)
	switch {
	case ctx.Err() != nil || !p.open:
		return false
	case err != nil && fateOf(err) == fateSilent:
		p.dropHeld(s)
		s.plan.everything(p.clock.elapsed())
		s.rest = p.clock.elapsed() + retrySoon
		return false
	case err != nil && fateOf(err) == fateDamaged:
		s.identity.passing = true
	}
	s.identity.failed()
	return true
}

// loseFamily stops polling a `model: auto` slave until it names a product code that a family fits.
func (p *poller) loseFamily(s *slave, err error) {
	s.family, s.plan, s.planner, s.work, s.lastErr = nil, nil, nil, nil, err
	s.identity = identity{told: s.identity.told}
	s.postpone(p.clock.elapsed())
}

// identifiedAs takes an identity and, with `model: auto`, the family that goes with it.
func (p *poller) identifiedAs(s *slave, id modbus.Identity) {
	before := s.identity.told
	s.identity.settle(id, p.clock.elapsed())
	if changed := before.ProductCode != id.ProductCode || before.Revision != id.Revision; changed {
		p.log.Info("slave identified", "unit", s.cfg.ID, "product_code", id.ProductCode, "firmware", id.Revision)
		if before.ProductCode != "" && s.planner != nil { // what the other one refused means nothing
			s.planner.Forget()
			s.replies.forget()
		}
	}
	if !s.cfg.Auto() {
		return
	}
	family, ok := p.catalog.ByProductCode(id.ProductCode)
	switch {
	case !ok:
		p.loseFamily(s, fmt.Errorf("no family fits product code %q: name the model in the configuration", id.ProductCode))
	case family != s.family:
		s.adopt(family, p.settings, p.clock.elapsed(), p.clock.now())
	}
}

// findFamily asks a `model: auto` slave who it is; without an answer nothing can be polled.
func (p *poller) findFamily(ctx context.Context, s *slave) {
	s.postpone(p.clock.elapsed())
	way := byDeviceID
	if s.identity.tries%2 == 1 { // silence does not tell which function it lacks
		way = byServerID
	}
	id, err := way(ctx, p, s)
	if err != nil && fateOf(err) == fateRefused {
		id, err = byServerID(ctx, p, s)
	}
	switch {
	case err == nil:
		s.good(p.clock.elapsed(), id.At)
		s.repeat.recovered(p.log, p.clock.elapsed(), fmt.Sprintf("unit %d answers again", s.cfg.ID))
		p.identifiedAs(s, id)
	case ctx.Err() != nil:
	case errors.Is(err, errUntold):
		s.answered, s.misses, s.lastErr = true, 0, err
	case fateOf(err) == fatePort:
		p.portFailed(err)
	default:
		s.identity.tries++
		s.miss(err, p.clock.elapsed())
		s.repeat.failed(p.log, p.clock.elapsed(), "identification failed", err)
	}
}
