package poll

import (
	"context"
	"errors"
	"fmt"
)

// aliveTries is the number of objects that are read of a silent slave if an identification has shown that it answers.
const aliveTries = 4

// revives probes a slave that did not answer last time. When a dead slave answers, the missed objects are due at once,
// and the learnt limits are in doubt, because another slave may be in its place.
func (p *Poller) revives(ctx context.Context, s *slave) bool {
	dead := s.dead()
	s.missed += s.plan.passOver(p.clock.Elapsed(), whyMissed(s.lastErr))
	err := p.probe(ctx, s)
	switch {
	case ctx.Err() != nil || !p.open || s.judged.barred():
		return false
	case err != nil && !isReply(err):
		if s.dead() && fateOf(err) != fateSilent { // silence has set the next probe
			s.postpone(p.clock.Elapsed())
		}
		s.pauseUntil = p.clock.Elapsed() + retrySoon
		return false
	}
	if dead {
		s.plan.everything(p.clock.Elapsed())
		s.planner.Retest()
	}
	return true
}

// probe reads one object of a slave that did not answer last time. Every second probe of a dead slave is an
// identification, because another controller in its place may not answer the reads of the old one. If the slave answers
// the identification, probe reads several objects, because the slave may lack the first one. A missing slave costs the
// other slaves one timeout per probe.
func (p *Poller) probe(ctx context.Context, s *slave) error {
	tries := 1
	if s.dead() && s.identity.probes() && s.identifiesItself() {
		another, err := p.answersWho(ctx, s)
		if err != nil || another {
			return err
		}
		tries = aliveTries
	}
	for {
		_, err := p.exchange(ctx, s, s.probe(), false)
		if tries--; err == nil || fateOf(err) != fateSilent || ctx.Err() != nil || tries == 0 {
			return err
		}
	}
}

// answersWho asks a dead slave for its identification, and reports whether another device is there. No error: the slave
// answers.
func (p *Poller) answersWho(ctx context.Context, s *slave) (another bool, err error) {
	id, err := identityWays()[s.identity.by](ctx, p, s)
	switch {
	case ctx.Err() != nil:
		return false, err
	case err == nil && id.ProductCode != s.identity.known.ProductCode:
		s.good(p.clock.Elapsed(), id.At)
		s.repeat.Recovered(p.log, p.clock.Elapsed(), fmt.Sprintf("unit %d answers again", s.cfg.ID))
		p.identifiedAs(s, id)
		return true, nil
	case err == nil || isReply(err) || errors.Is(err, errUntold):
		return false, nil
	case fateOf(err) == fatePort:
		p.portFailed(err)
	default:
		s.miss(err, p.clock.Elapsed())
	}
	return false, err
}
