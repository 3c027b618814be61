package agent

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/modbus"
	"noi-agent/status/api"
	"noi-agent/store"
)

func countersOf(c modbus.Counters) api.Counters {
	out := api.Counters{
		Requests: c.Requests, Replies: c.Replies, Probes: c.Probes, Timeouts: c.Timeouts, CRCErrors: c.CRCErrors,
		FrameErrors: c.FrameErrors, Resyncs: c.Resyncs, Exceptions: c.Exceptions, Echoes: c.Echoes, Collisions: c.Collisions,
		DiscardedBytes: c.DiscardedBytes, ForeignFrames: c.ForeignFrames, OtherMasters: c.Rivals, Reopens: c.Reopens,
		ForeignIDs: c.ForeignIDs, ForeignUnits: c.ForeignUnits, WrongLengths: c.WrongLengths, Late: c.Late, BadHeaders: c.BadHeaders,
		Ambiguous: c.Ambiguous, Redials: c.Redials,
		TurnaroundP50: milliseconds(c.Turnaround.P50), TurnaroundP99: milliseconds(c.Turnaround.P99),
		TurnaroundSum: c.Turnaround.Sum.Seconds(),
	}
	for code, n := range c.ExceptionCodes {
		if out.ExceptionCodes == nil {
			out.ExceptionCodes = map[string]uint64{}
		}
		out.ExceptionCodes[fmt.Sprintf("%02X", code)] = n
	}
	return out
}

// milliseconds rounds to a tenth, which is what a turnaround can be measured to.
func milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Millisecond/10)) / 10
}

// Status returns how everything stands, for people and programs. It touches neither the line nor the disk.
func (a *Agent) Status() api.Status {
	stats := a.store.Stats()
	s := api.Status{
		DeviceID: a.deviceID, Version: a.options.Version, StartedAt: a.clock.Wall.Shown(a.started, a.booted).UTC().Truncate(time.Second),
		UptimeS: int64(a.clock.Elapsed().Seconds()),
		Lines:   []api.Line{}, Integrations: []api.Integration{}, Problems: []api.Problem{},
		Store: a.storeStatus(stats),
	}
	crew := a.current()
	for _, p := range crew.pollers {
		view, counters := p.snapshot()
		s.Lines = append(s.Lines, a.lineStatus(p, view, counters))
		s.Problems = append(s.Problems, lineProblems(p.cfg.Name, p.network(), view, a.clock.Elapsed())...)
		s.Problems = append(s.Problems, a.alarmProblems(p.cfg.Name, &view)...)
	}
	for _, l := range crew.config.Lines {
		if !l.Enabled {
			s.Lines = append(s.Lines, api.Line{Name: l.Name, Port: l.Port, State: lineDisabled, Slaves: []api.Slave{}})
		}
	}
	for _, f := range crew.forwarders {
		status, problems := integrationStatus(f, stats, a.clock.Elapsed())
		s.Integrations = append(s.Integrations, status)
		s.Problems = append(s.Problems, problems...)
	}
	clock, problems := a.clockStatus(s.Integrations)
	s.Clock, s.Problems = clock, append(s.Problems, problems...)
	s.Problems = append(s.Problems, a.storeProblems()...)
	s.Problems = append(s.Problems, a.configFile.problems()...)
	return s
}

func (a *Agent) lineStatus(p *poller, v lineView, c modbus.Counters) api.Line {
	l := api.Line{
		Name: p.cfg.Name, Port: p.cfg.Port, State: v.state, Error: v.err, Lost: v.lost,
		Load: a.share(p, c), Counters: countersOf(c), Slaves: []api.Slave{},
	}
	for _, sv := range v.slaves {
		counters := p.line.UnitCounters(byte(sv.cfgID))
		status := api.Slave{
			UnitID: sv.cfgID, Slave: sv.name, ProductCode: sv.code, CCFirmware: sv.firmware, Family: sv.family, State: sv.state, Error: sv.err,
			Objects: sv.polled, NoSample: sv.noSample, Reasons: sv.reasons, NoValue: sv.noValue, Missed: sv.missed, Skipped: sv.skipped, Refused: append([]string{}, sv.refused...),
			Load: a.share(p, counters), LatenessMS: sv.lateness.Milliseconds(), Learnt: sv.learnt, Counters: countersOf(counters),
		}
		if sv.lastGood > 0 {
			age := int64((a.clock.Elapsed() - sv.lastGood).Seconds())
			status.LastGood, status.AgeS = clock.WallTime(sv.goodAt), &age
		}
		l.Slaves = append(l.Slaves, status)
	}
	return l
}

// share is the part of the time since the line was begun in which it was busy, 0 to 1.
func (a *Agent) share(p *poller, c modbus.Counters) float64 {
	up := a.clock.Elapsed() - p.started
	return min(1, float64(c.BusTime.Milliseconds())/float64(max(1, up.Milliseconds())))
}

// lineProblems lists what is wrong on a line. A line that is down explains silent slaves: they are left out.
func lineProblems(name string, network bool, v lineView, now time.Duration) []api.Problem {
	var problems []api.Problem
	if v.losses.live(now) {
		problems = append(problems, api.SamplesLost.Of(name, v.losses.since, fmt.Sprintf("%d samples since the start", v.lost)))
	}
	if v.state == lineFailed {
		return append(problems, lineKind(network, v.fault).Of(name, v.since, v.err))
	}
	switch {
	case v.rivals.live(now) && network:
		problems = append(problems, api.GatewayShared.Of(name, v.rivals.since, fmt.Sprintf("%d replies to another program, the last one within %v", v.rivals.n, recently)))
	case v.rivals.live(now):
		problems = append(problems, api.LineShared.Of(name, v.rivals.since, fmt.Sprintf("%d requests of another master, the last one within %v", v.rivals.n, recently)))
	}
	if v.collisions.live(now) {
		problems = append(problems, api.LineCollides.Of(name, v.collisions.since, fmt.Sprintf("%d collisions, the last one within %v", v.collisions.n, recently)))
	}
	for _, sv := range v.slaves {
		problems = append(problems, slaveProblems(network, fmt.Sprintf("%s/%d", name, sv.cfgID), sv, now)...)
	}
	return problems
}

// slaveProblems lists what is wrong with one slave.
func slaveProblems(network bool, subject string, v slaveView, now time.Duration) (problems []api.Problem) {
	states := map[string]api.Kind{
		slaveSilent: replyKind(network, true, v.fault), slaveGarbled: replyKind(network, false, v.fault), slaveRefusing: api.SlaveRefusesAll, slaveUnknown: api.SlaveNoFamily,
	}
	judged := map[string]api.Kind{slaveOther: api.SlaveWrong, slaveNothing: api.SlaveEmpty}
	if v.judged.finding == findingUnlisted {
		judged[slaveOK] = api.SlaveUnlisted
	}
	if kind, ok := states[v.state]; ok {
		problems = append(problems, kind.Of(subject, v.since, v.err))
	}
	if kind, ok := judged[v.state]; ok {
		problems = append(problems, kind.Of(subject, v.judgedAt, v.judged.why))
	} else if !v.nameless.IsZero() {
		problems = append(problems, api.SlaveNoIdentity.Of(subject, v.nameless, "unit "+subject+" gave no product code"))
	}
	if !v.refuses.IsZero() && v.state == slaveOK { // else the state explains it
		problems = append(problems, api.SlaveRefuses.Of(subject, v.refuses, refusals(v)))
	}
	if v.overrun.live(now) {
		problems = append(problems, api.LineOverrun.Of(subject, v.overrun.since,
			fmt.Sprintf("%d samples were skipped since the start, the last ones within %v", v.skipped, recently)))
	}
	return problems
}

// refusals names the refused objects and why: "adc_va, adc_vl: illegal data address (02); T_hs: timeout".
func refusals(v slaveView) string {
	by := map[string][]string{}
	for _, name := range v.refused {
		why := v.whys[name]
		text := why.Error()
		var e *modbus.Exception
		switch {
		case errors.As(why, &e):
			text = e.Error()
		case fateOf(why) == fateSilent:
			text = "no answer, though others are answered"
		case fateOf(why) == fateDamaged:
			text = "always damaged"
		}
		by[text] = append(by[text], name)
	}
	var parts []string
	for _, text := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, strings.Join(by[text], ", ")+": "+text)
	}
	return strings.Join(parts, "; ")
}

// alarmProblems lists what the controllers of a line report of themselves. Of one that does not answer it is not known now.
func (a *Agent) alarmProblems(line string, v *lineView) (list []api.Problem) {
	if v.state != lineOK {
		return nil
	}
	for i, sv := range v.slaves {
		if sv.state == slaveOK {
			list = append(list, v.alarms[i].problems(fmt.Sprintf("%s/%d", line, sv.cfgID), sv.name, a.clock.Wall.Shown)...)
		}
	}
	return list
}

func integrationStatus(f *forwarder, stats store.Stats, now time.Duration) (api.Integration, []api.Problem) {
	v, counts := f.snapshot(), stats.Integrations[f.cfg.ID]
	s := api.Integration{
		ID: f.cfg.ID, Name: f.cfg.Name, Type: f.cfg.Type, Topic: f.cfg.Destination(), State: v.state,
		Backlog: counts.Backlog, Oldest: clock.WallTime(counts.Oldest), LastSuccess: clock.WallTime(v.lastSuccess), LastError: v.fault(),
		Sent: counts.Sent, Failed: counts.Failed, Dead: counts.Dead, Dropped: counts.Dropped, Replayed: counts.Replayed, Gaps: gapsOf(counts.Gaps), Uplink: uplinkOf(counts.Traffic, counts.Sent),
	}
	s.NextPublication = f.nextPublication()
	var problems []api.Problem
	switch v.state {
	case integrationRetrying:
		problems = append(problems, api.CloudRetrying.Of(f.cfg.ID, v.since, v.lastError))
	case integrationWaiting:
		kind := api.CloudWaiting
		if v.setUp {
			kind = api.CloudNotSetUp
		}
		problems = append(problems, kind.Of(f.cfg.ID, v.since, v.lastError))
	}
	if !v.skewedSince.IsZero() {
		problems = append(problems, api.CloudSkewed.Of(f.cfg.ID, v.skewedSince, "new credentials have ended already by the gateway's clock"))
	}
	if v.refuses != "" {
		problems = append(problems, api.CloudRefuses.Of(f.cfg.ID, v.refusesSince, v.refuses))
	}
	if counts.Dead > 0 {
		problems = append(problems, api.CloudRejected.Of(f.cfg.ID, counts.DeadFrom, fmt.Sprintf("%d dead letters", counts.Dead)))
	}
	if drops := f.noteDrops(counts.Dropped); drops.live(now) {
		problems = append(problems, api.CloudDropped.Of(f.cfg.ID, drops.since,
			fmt.Sprintf("%d samples were deleted since the start, the last ones within %v", counts.Dropped-f.droppedBefore, recently)))
	}
	return s, problems
}

// clockStatus adds what waits, and the problem when there is one.
func (a *Agent) clockStatus(integrations []api.Integration) (api.Clock, []api.Problem) {
	s := a.clock.Wall.Status()
	for _, in := range integrations {
		if in.State == integrationClock {
			s.Held += in.Backlog
		}
	}
	if s.State == clock.Good {
		return s, nil
	}
	detail := fmt.Sprintf("the clock says %s: %s; %d samples wait to be sent, each at most %v",
		a.clock.Now().UTC().Format(time.RFC3339), s.Reason, s.Held, a.clock.Wall.MaxWait())
	if s.LastGood != nil {
		detail += "; the last good time is " + s.LastGood.Format(time.RFC3339)
	}
	return s, []api.Problem{api.ClockUnset.Of("agent", a.clock.Wall.UnsureSince(), detail)}
}

// Objects returns the latest values in the order of the configuration and the register map.
func (a *Agent) Objects() api.Objects {
	rows, crew := []api.Latest{}, a.current()
	for _, p := range crew.pollers {
		view, _ := p.snapshot()
		for i, sv := range view.slaves {
			family, ok := crew.catalog.Family(sv.family)
			if !ok {
				continue
			}
			for _, polled := range p.slaves[i].cfg.Polled(family) {
				r, ok := view.latest[i][polled.Object.Name]
				if !ok {
					continue
				}
				rows = append(rows, api.Latest{
					Line: p.cfg.Name, Slave: sv.name, UnitID: sv.cfgID, Object: r.object, Value: r.value.AppendJSON(nil), Unit: r.unit,
					SampledAt: a.clock.Wall.Shown(r.at, r.booted).UTC().Truncate(time.Second), Interval: polled.Interval.String(),
				})
			}
		}
	}
	return api.Objects{Objects: rows}
}
