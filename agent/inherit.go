package agent

import "maps"

// inherit has a poller go on with the counters of the poller that the line had before a reload, and with each controller's last good
// reply. The one before has ended. What its view shows of troubles goes along, or old counts would look like new troubles.
func (p *poller) inherit(before *poller) {
	p.line.CountOn(before.line)
	p.started = before.started
	p.view.rivals, p.view.collisions = before.view.rivals, before.view.collisions
	p.view.lost, p.view.losses = before.view.lost, before.view.losses
	for _, s := range p.slaves {
		for _, old := range before.slaves {
			if old.cfg.ID == s.cfg.ID {
				s.lastGood, s.goodAt = old.lastGood, old.goodAt
				if old.plan == nil { // it was not identified yet
					s.begun = old.begun
				}
				s.noSample, s.reasons, s.missed = old.noSample, maps.Clone(old.reasons), old.missed
			}
		}
	}
	p.show()
}

// inherit has a forwarder go on with the last success, and the deleted samples, of the forwarder that the integration had before a reload.
func (f *forwarder) inherit(before *forwarder) {
	view := before.snapshot()
	f.view.lastSuccess, f.view.drops = view.lastSuccess, view.drops
	f.droppedBefore = before.droppedBefore
}
