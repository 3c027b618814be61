package poll

import "maps"

// Inherit takes over from the poller that the line had before a reload: the counters, each controller's last good
// reply, the troubles of its view (otherwise old counts would look like new troubles), and the moments that were due
// when it ended, which the new poller reads. The poller before must have ended.
func (p *Poller) Inherit(before *Poller) {
	p.line.CountOn(before.line)
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
