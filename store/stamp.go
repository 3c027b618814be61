package store

import "time"

// Stamp belongs to a time of the gateway's clock. It holds how far this time can be trusted, and the data for its
// correction.
type Stamp struct {
	Unsure   bool          // it was not known whether the clock was right
	Uptime   time.Duration // from the boot to the stamped moment; below zero: not known
	SameBoot bool          // the machine was not booted since then
	Booted   time.Time     // the time of that boot, by a clock that was right; zero: not known
	Floor    time.Time     // the last time known to be right when that run began: the stamped moment is not earlier
}

// lifetime is how long after the last good time an unsure clock is believed: no gateway is off for that long, and
// clocks without a battery often start in 2036, 2080 or 2099.
const lifetime = 20 * 365 * 24 * time.Hour

// Time returns the corrected time of a moment that had the time taken by the clock at that moment. It is the only rule
// for the time of a sample: in its message, an export, a replay, the status, and for begin and end of a gap. It depends
// only on stored data, so a sample has the same time everywhere. estimated: the time will never be known better than
// this, unless SameBoot.
//
//   - A clock that was known to be right is believed.
//   - Otherwise, if the time of the boot is known, the result is this time plus the time since the boot.
//   - Otherwise the clock is believed if its time is possible: from Floor to 20 years after it.
//   - Otherwise the result is Floor plus the time since the boot. It is never too late, and too early at most by the
//     time for which the machine was off.
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
