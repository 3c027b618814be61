package poll

import "maps"

// Inherit takes over the state of the poller that the line had before a reload: the counters, the last good reply of
// each controller, and the troubles of its view. Without the troubles, old counts would look like new ones. It also
// takes over the moments that were due at the end of the poller before; the new poller reads them. Sweeps for which the
// queue had no room are handed on first. The poller before must have ended.
func (p *Poller) Inherit(before *Poller) {
	p.line.CountOn(before.line)
	p.out.held = before.out.held
	p.started = before.started
	p.board.inherit(&before.board)
	for _, s := range p.slaves {
		for _, old := range before.slaves {
			if old.cfg.ID == s.cfg.ID {
				s.lastGood, s.goodAt = old.lastGood, old.goodAt
				if s.left = old.plan; old.plan == nil { // it was not identified yet
					s.begun, s.left = old.begun, old.left
				}
				s.noSample, s.reasons, s.missed = old.noSample, maps.Clone(old.reasons), old.missed
			}
		}
	}
	p.show()
}
