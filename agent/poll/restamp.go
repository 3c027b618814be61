package poll

import (
	"time"

	"noi-agent/agent/clock"
	"noi-agent/objects"
)

// oneClock gives all readings of a sweep their times by the present clock, in case the clock was set during the sweep.
// It returns the time of the boot by this clock, and whether the clock is unsure.
func (p *Poller) oneClock(readings []reading) (booted time.Time, unsure bool) {
	booted, v := p.clock.Wall.Look()
	for i := range readings {
		r := &readings[i]
		r.at = r.at.Round(0) // without its monotonic part: wall times count from here on
		if by := booted.Sub(r.booted); by.Abs() > clock.ApartLimit {
			r.at, r.booted = r.at.Add(by), booted
		}
	}
	return booted, !v.Good
}

// rephase moves the schedules to the UTC multiples of their log intervals when the clock becomes good. It does so once.
// A clock that is set later moves no schedule.
func (p *Poller) rephase() {
	select {
	case <-p.phased: // never, when nil
	default:
		return
	}
	p.phased = nil
	for _, s := range p.slaves {
		if s.plan != nil {
			s.passOver(p.clock.Elapsed(), p.open)
			wall := p.clock.Now()
			s.plan.rephase(p.clock.Elapsed(), wall)
		}
	}
}

// rephase moves each item's next regular moment to a UTC multiple. If a moment of the old phase comes before that, it
// stays once, so that at most one log interval passes without a sample. Moments that have passed by the old phase are
// owed.
func (s *schedule) rephase(elapsed time.Duration, wall time.Time) {
	for i := range s.items {
		it := &s.items[i]
		old := it.at()
		if passed := it.pass(elapsed); passed > 1 {
			it.blame(objects.GapOverrun, passed-1)
		}
		it.next = elapsed + untilMultiple(wall, it.polled.Interval)
		if old < it.next {
			it.retry = max(1, old) // 0 means none
		}
	}
}
