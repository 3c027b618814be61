package agent

import (
	"fmt"
	"slices"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/agent/poll"
	"noi-agent/agent/publish"
	"noi-agent/objects"
	"noi-agent/status/api"
)

// Status returns the state of the whole agent, for people and programs. It uses neither the line nor the disk.
func (a *Agent) Status() api.Status {
	stats := a.store.Stats()
	s := api.Status{
		DeviceID: a.deviceID, Version: a.options.Version,
		StartedAt: a.clock.Wall.Shown(a.started, a.booted).UTC().Truncate(time.Second),
		UptimeS:   int64(a.clock.Elapsed().Seconds()),
		Lines:     []api.Line{}, Integrations: []api.Integration{}, Problems: []api.Problem{},
		Store: a.storeStatus(stats),
	}
	now := a.current()
	for _, p := range now.pollers {
		status, problems := p.Status()
		s.Lines = append(s.Lines, status)
		s.Problems = append(s.Problems, problems...)
	}
	for _, l := range now.config.Lines {
		if !l.Enabled {
			s.Lines = append(s.Lines, api.Line{Name: l.Name, Port: l.Port, State: poll.LineDisabled,
				Slaves: []api.Slave{}})
		}
	}
	for _, f := range now.forwarders {
		status, problems := f.Status(stats)
		s.Integrations = append(s.Integrations, status)
		s.Problems = append(s.Problems, problems...)
	}
	s.Problems = append(s.Problems, now.unnamed(s.Problems)...)
	clock, problems := a.clockStatus(s.Integrations)
	s.Clock, s.Problems = clock, append(s.Problems, problems...)
	s.Problems = append(s.Problems, a.storeProblems()...)
	s.Problems = append(s.Problems, a.configFile.problems()...)
	s.Problems = append(s.Problems, a.filling(&s, stats)...)
	s.Problems = present(s.Problems, &s, a.clock.Now())
	return s
}

// clockStatus returns the state of the clock, with the number of samples that wait for it, and its problem if there is
// one.
func (a *Agent) clockStatus(integrations []api.Integration) (api.Clock, []api.Problem) {
	s := a.clock.Wall.Status()
	for _, in := range integrations {
		if in.State == publish.IntegrationClock {
			s.Held += in.Backlog
		}
	}
	if s.State == clock.Good {
		return s, nil
	}
	detail := fmt.Sprintf("the clock says %s: %s; %d samples wait to be sent, each at most %s",
		a.clock.Now().UTC().Format(time.RFC3339), s.Reason, s.Held, objects.Period(a.clock.Wall.MaxWait()))
	if s.LastGood != nil {
		detail += "; the last good time is " + s.LastGood.Format(time.RFC3339)
	}
	return s, []api.Problem{api.ClockUnset.Of("agent", a.clock.Wall.UnsureSince(), detail)}
}

// Family returns a family of the present catalogue by its slug.
func (a *Agent) Family(slug string) (*objects.Family, bool) { return a.current().catalog.Family(slug) }

// Objects returns the latest values in the order of the configuration and the register map.
func (a *Agent) Objects() api.Objects {
	rows := []api.Latest{}
	for _, p := range a.current().pollers {
		rows = append(rows, p.Latest()...)
	}
	return api.Objects{Objects: rows}
}

// LineFaults lists the last failed exchanges of all lines, the newest first.
func (a *Agent) LineFaults() api.LineFaults {
	list := []api.LineFault{}
	for _, p := range a.current().pollers {
		list = append(list, p.Faults()...)
	}
	slices.SortStableFunc(list, func(a, b api.LineFault) int { return b.At.Compare(a.At) })
	return api.LineFaults{Faults: list}
}
