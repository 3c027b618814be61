package store

import "time"

// Stamp says how far a time that the gateway's clock gave can be trusted, and by what it is corrected.
type Stamp struct {
	Unsure   bool          // it was not known whether the clock was right
	Uptime   time.Duration // from the boot to that moment; below zero: not known
	SameBoot bool          // the machine was not booted since
	Booted   time.Time     // when that boot was, by a clock that was right, at whatever time; zero: not known
	Floor    time.Time     // the last time known to be right when that run began: the moment is not earlier
}

// lifetime is how long after the last time known to be right an unsure clock is believed: no gateway is off for that
// long, and dead clocks like to come up in 2036, 2080 or 2099.
const lifetime = 20 * 365 * 24 * time.Hour

// Time returns when something was, that was taken at some time by the clock of then. It is the one rule for the time of
// a sample: in its message, an export, a replay, the status, and for the ends of a gap. It depends on nothing but what
// is stored, so that a sample has the same time wherever it is shown. estimated: it will never be known better than
// this, unless SameBoot.
//
//   - A clock that was known to be right is believed.
//   - Else the moment of the boot counts, and the time since, when that moment is known.
//   - Else the clock is believed where that is possible: from Floor to 20 years after.
//   - Else it is so long after Floor as the machine had been up: never before what was over by then, and too early by
//     no more than the machine was off.
func (p Stamp) Time(taken time.Time) (at time.Time, estimated bool) {
	switch {
	case !p.Unsure:
		return taken, false
	case !p.Booted.IsZero() && p.Uptime >= 0:
		return p.Booted.Add(p.Uptime), false
	case !taken.Before(p.Floor) && (p.Floor.IsZero() || !taken.After(p.Floor.Add(lifetime))):
		return taken, true
	}
	return p.Floor.Add(max(0, p.Uptime)), true
}
