package poll

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"noi-agent/agent/clock"
	"noi-agent/agent/worker"
	"noi-agent/modbus"
	"noi-agent/objects"
	"noi-agent/status/api"
	"slices"
	"strings"
	"time"
)

// lineKind returns the problem of a line that is down.
func lineKind(network bool, err error) api.Kind {
	var open *modbus.OpenError
	switch {
	case !network && modbus.IsMissing(err):
		return api.LinePortMissing
	case !network && modbus.IsDenied(err):
		return api.LinePortDenied
	case !network && modbus.IsBusy(err):
		return api.LinePortBusy
	case !network:
		return api.LineDown
	case modbus.IsRefused(err):
		return api.GatewayRefuses
	case errors.As(err, &open):
		return api.GatewayAway
	default:
		return api.GatewayFails
	}
}

// replyKind returns the problem of a slave that gives no valid answer.
func replyKind(network, silent bool, err error) api.Kind {
	switch {
	case errors.Is(err, modbus.ErrLate):
		return api.SlaveLate
	case errors.Is(err, modbus.ErrForeignID):
		return api.SlaveOtherID
	case errors.Is(err, modbus.ErrForeignUnit):
		return api.SlaveOtherUnit
	case errors.Is(err, modbus.ErrLength):
		return api.SlaveOtherLength
	case errors.Is(err, modbus.ErrShared):
		return api.GatewayShared
	case network && silent:
		return api.UnitNoReply
	case network:
		return api.UnitDamaged
	case silent:
		return api.SlaveNoReply
	default:
		return api.SlaveDamaged
	}
}

func countersOf(c modbus.Counters) api.Counters {
	out := api.Counters{
		Requests: c.Requests, Replies: c.Replies, Probes: c.Probes, Timeouts: c.Timeouts, CRCErrors: c.CRCErrors,
		FrameErrors: c.FrameErrors, Resyncs: c.Resyncs, Exceptions: c.Exceptions, Echoes: c.Echoes,
		Collisions:     c.Collisions,
		DiscardedBytes: c.DiscardedBytes, ForeignFrames: c.ForeignFrames, OtherMasters: c.Rivals, Reopens: c.Reopens,
		ForeignIDs: c.ForeignIDs, ForeignUnits: c.ForeignUnits, WrongLengths: c.WrongLengths, Late: c.Late,
		BadHeaders: c.BadHeaders,
		Ambiguous:  c.Ambiguous, Redials: c.Redials,
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

// milliseconds rounds to a tenth, the precision of a measured turnaround.
func milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Millisecond/10)) / 10
}

// Status returns the state of the line and its slaves, and their problems.
func (p *Poller) Status() (api.Line, []api.Problem) {
	v := p.board.snapshot()
	problems := lineProblems(p.cfg.Name, p.network(), v, p.clock.Elapsed())
	return p.lineStatus(v), append(problems, v.alarmProblems(p.cfg.Name, p.clock.Wall.Shown)...)
}

func (p *Poller) lineStatus(v lineView) api.Line {
	c := p.line.Counters()
	l := api.Line{
		Name: p.cfg.Name, Port: p.cfg.Port, State: v.state, Error: v.err, Lost: v.lost,
		Load: p.share(c), Counters: countersOf(c), Slaves: []api.Slave{},
	}
	for _, sv := range v.slaves {
		counters := p.line.UnitCounters(byte(sv.cfgID))
		status := api.Slave{
			UnitID: sv.cfgID, Slave: sv.name, ProductCode: sv.code, CCFirmware: sv.firmware, Family: sv.family,
			State: sv.state, Error: sv.err,
			Objects: sv.polled, Read: sv.read, NoSample: sv.noSample, Reasons: sv.reasons, NoValue: sv.noValue,
			Missed:  sv.missed,
			Skipped: sv.skipped, Refused: append([]string{}, sv.refused...),
			Load: p.share(counters), LatenessMS: sv.lateness.Milliseconds(), Learnt: sv.learnt,
			Counters: countersOf(counters),
		}
		if sv.lastGood > 0 {
			age := int64((p.clock.Elapsed() - sv.lastGood).Seconds())
			status.LastGood, status.AgeS = clock.WallTime(sv.goodAt), &age
		}
		l.Slaves = append(l.Slaves, status)
	}
	return l
}

// Faults lists the last failed exchanges of the line, the newest first.
func (p *Poller) Faults() []api.LineFault {
	faults, now := p.line.Faults(), p.clock.Now()
	list := make([]api.LineFault, len(faults))
	for i := range faults {
		f := &faults[i]
		list[i] = api.LineFault{
			Line: p.cfg.Name, UnitID: int(f.Unit), At: now.Add(-f.Age).UTC().Truncate(time.Millisecond),
			AgeS: int64(f.Age.Seconds()), Kind: string(f.Kind), Error: f.Err.Error(),
			Request: fmt.Sprintf("% X", f.Request), Received: fmt.Sprintf("% X", f.Received), Length: f.Length,
		}
	}
	return list
}

// share returns the share of time in which the line was busy since its start, 0 to 1.
func (p *Poller) share(c modbus.Counters) float64 {
	up := p.clock.Elapsed() - p.started
	return min(1, float64(c.BusTime.Milliseconds())/float64(max(1, up.Milliseconds())))
}

// lineProblems lists the problems of a line.
func lineProblems(name string, network bool, v lineView, now time.Duration) []api.Problem {
	var problems []api.Problem
	recently := objects.Period(worker.Recently)
	if v.losses.Live(now) {
		problems = append(problems, api.SamplesLost.Of(name, v.losses.Since, fmt.Sprintf("%d samples since the start",
			v.lost)).Lasting(now-v.losses.Begun))
	}
	if v.state == lineFailed {
		problems = append(problems, lineKind(network, v.fault).Of(name, v.since, v.err).
			With("holder", v.holder).Lasting(now-v.begun))
	}
	switch {
	case v.rivals.Live(now) && network:
		problems = append(problems,
			api.GatewayShared.Of(name, v.rivals.Since,
				fmt.Sprintf("%d replies to another program, the last one within %s", v.rivals.N, recently)).
				Lasting(now-v.rivals.Begun))
	case v.rivals.Live(now):
		problems = append(problems,
			api.LineShared.Of(name, v.rivals.Since,
				fmt.Sprintf("%d requests of another master, the last one within %s", v.rivals.N, recently)).
				Lasting(now-v.rivals.Begun))
	}
	if v.collisions.Live(now) {
		problems = append(problems,
			api.LineCollides.Of(name, v.collisions.Since,
				fmt.Sprintf("%d collisions, the last one within %s", v.collisions.N, recently)).
				Lasting(now-v.collisions.Begun))
	}
	problems = append(problems, v.noise.problems(name, now)...)
	if kind, last, ok := v.unheard(network, now); ok {
		problems = append(problems, kind.Of(name, last.since, last.err).Lasting(now-last.begun))
	}
	for _, sv := range v.slaves {
		problems = append(problems, slaveProblems(network, fmt.Sprintf("%s/%d", name, sv.cfgID), sv, now)...)
	}
	return problems
}

// unheard returns the problem of a line with several slaves, none of which gives a valid reply, and the slave that
// became unheard last. On a serial line, damaged replies of one slave are enough to know that bytes arrive. They count
// for ten minutes, because with noise all slaves may be silent for some time.
func (v *lineView) unheard(network bool, now time.Duration) (kind api.Kind, last slaveView, ok bool) {
	for _, sv := range v.slaves {
		switch why := replyKind(false, sv.state == slaveSilent, sv.fault).Code; {
		case sv.state == slaveSilent && why == api.SlaveNoReply.Code:
		case sv.state == slaveGarbled && why == api.SlaveDamaged.Code && !network:
		default:
			return kind, last, false
		}
		if sv.begun >= last.begun {
			last = sv
		}
	}
	switch {
	case network:
		kind = api.GatewaySilent
	case v.garbledAt > 0 && v.garbledAt >= last.begun && now-v.garbledAt < worker.Recently:
		kind = api.LineGarbled
	default:
		kind = api.LineSilent
	}
	return kind, last, len(v.slaves) > 1
}

// slaveProblems lists the problems of one slave.
func slaveProblems(network bool, subject string, v slaveView, now time.Duration) (problems []api.Problem) {
	states := map[string]api.Kind{
		slaveSilent: replyKind(network, true, v.fault), slaveGarbled: replyKind(network, false, v.fault),
		slaveRefusing: api.SlaveRefusesAll, slaveUnknown: api.SlaveNoFamily,
	}
	judged := map[string]api.Kind{slaveOther: api.SlaveWrong, slaveNothing: api.SlaveEmpty}
	if v.judged.finding == findingUnlisted {
		judged[SlaveOK] = api.SlaveUnlisted
	}
	if kind, ok := states[v.state]; ok {
		problems = append(problems, kind.Of(subject, v.since, v.err).Lasting(now-v.begun))
	}
	if kind, ok := judged[v.state]; ok {
		problems = append(problems, kind.Of(subject, v.judgedAt, v.judged.why))
	} else if !v.nameless.IsZero() {
		problems = append(problems,
			api.SlaveNoIdentity.Of(subject, v.nameless, "unit "+subject+" gave no product code"))
	}
	if !v.refuses.IsZero() && v.state == SlaveOK { // otherwise the state explains it
		problems = append(problems, api.SlaveRefuses.Of(subject, v.refuses, refusals(v)))
	}
	if v.overrun.Live(now) {
		problems = append(problems, api.LineOverrun.Of(subject, v.overrun.Since,
			fmt.Sprintf("%d samples were skipped since the start, the last ones within %s", v.skipped,
				objects.Period(worker.Recently))).Lasting(now-v.overrun.Begun))
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

// alarmProblems lists the faults and alarms that the controllers of a line report. The alarms of a controller that does
// not answer are not known now. shown returns the wall time of a moment, by the clock as it is known now.
func (v *lineView) alarmProblems(line string, shown func(at, booted time.Time) time.Time) (list []api.Problem) {
	if v.state != LineOK {
		return nil
	}
	for i, sv := range v.slaves {
		if sv.state == SlaveOK {
			list = append(list, v.alarms[i].problems(fmt.Sprintf("%s/%d", line, sv.cfgID), sv.name, shown)...)
		}
	}
	return list
}

// Words for the state of a line and of a slave in the status.
const (
	lineOpening  = "opening"
	LineOK       = "ok"
	lineFailed   = "failed"
	LineDisabled = "disabled"

	slaveWaiting  = "waiting" // no request was sent since the line was opened
	SlaveOK       = "ok"
	slaveSilent   = "silent"        // the last request was not answered
	slaveGarbled  = "garbled"       // the last bytes were not a valid reply
	slaveRefusing = "refusing"      // it answers every read with an exception
	slaveUnknown  = "unknown_model" // it answers, but no family fits
	slaveOther    = "wrong_model"   // its product code is of another family than the configured one
	slaveNothing  = "no_objects"    // it has none of the objects that the configuration lists
)

// Latest returns the last good value of each object that a slave is polled for, in the order of the register map.
func (p *Poller) Latest() []api.Latest { return p.board.rows(p.cfg, p.catalog, p.clock) }

// stuckAfter is how long one exchange may take before the process counts as stuck. An exchange with its probes takes at
// most about four timeouts. A sweep may take longer: on some lines the slaves need seconds for each of many reads.
const stuckAfter = 3 * time.Minute

// Healthy returns an error when the poller hangs in an exchange.
func (p *Poller) Healthy() error {
	view := p.board.snapshot()
	if view.busySince > 0 && p.clock.Elapsed()-view.busySince > stuckAfter {
		return fmt.Errorf("line %s hangs in one exchange for more than %s", p.cfg.Name, objects.Period(stuckAfter))
	}
	return nil
}

// Ready returns nil if the line is open, otherwise the reason.
func (p *Poller) Ready() error {
	if view := p.board.snapshot(); view.state != LineOK {
		return fmt.Errorf("line %s is %s: %s", p.cfg.Name, view.state, view.err)
	}
	return nil
}
