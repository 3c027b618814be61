package poll

import (
	"noi-agent/configs"
	"noi-agent/objects"
)

// Polls returns an object that a slave is polled for, as long as its family is known.
func (p *Poller) Polls(unit int, object string) (configs.Polled, bool) {
	for i, sv := range p.board.snapshot().slaves {
		family, ok := p.catalog.Family(sv.family)
		if sv.cfgID != unit || !ok {
			continue
		}
		for _, polled := range p.slaves[i].cfg.Polled(family) {
			if polled.Object.Name == object {
				return polled, true
			}
		}
	}
	return configs.Polled{}, false
}

// WhyMissing returns why a slave gives no samples now, in the words of a gap; "": it gives samples.
func (p *Poller) WhyMissing(unit int) string {
	view := p.board.snapshot()
	if view.state == lineFailed {
		return objects.GapLine
	}
	for _, sv := range view.slaves {
		switch {
		case sv.cfgID != unit:
		case sv.state == slaveSilent, sv.state == slaveGarbled, sv.state == slaveRefusing:
			return whyMissed(sv.fault)
		case sv.state == slaveOther, sv.state == slaveNothing, sv.state == slaveUnknown:
			return objects.GapIdentity
		}
	}
	return ""
}
