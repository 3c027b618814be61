package poll

import (
	"context"
	"errors"
	"fmt"
)

// aliveTries is how many objects a silent slave is asked for that is known to live.
const aliveTries = 4

// revives probes a slave that did not answer last time. When a dead one answers, what was missed is due at once, and
// what was learnt is in doubt: another slave may be in its place.
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

// probe asks a slave that did not answer last time for one object. A dead one is asked what it is every second time:
// another controller may be in its place that says nothing to the reads of the one before. When it answers that, it
// lives, and is asked for some objects: it may lack the first one. One that is not there costs its neighbours one
// timeout a probe.
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

// answersWho asks a dead slave what it is, and reports whether it is another one than before. No error: it lives.
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
