package poll

import "maps"

// Inherit has a poller continue the counters of the poller that the line had before a reload, and each controller's
// last good reply. The poller before has ended. The troubles of its view go along, since old counts would look like new
// troubles. So do the moments that were due when it ended: the new poller reads them.
func (p *Poller) Inherit(before *Poller) {
	p.line.CountOn(before.line)
	p.started = before.started
	p.view.rivals, p.view.collisions = before.view.rivals, before.view.collisions
	p.view.lost, p.view.losses = before.view.lost, before.view.losses
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
