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
	"noi-agent/objects"
	"noi-agent/store"
)

// Status is the JSON of GET /api/v1/status (DESIGN §8). Times are wall time, ages are monotonic.
type Status struct {
	DeviceID     string              `json:"device_id"`
	Version      string              `json:"version"`
	StartedAt    time.Time           `json:"started_at"`
	UptimeS      int64               `json:"uptime_s"`
	Clock        clock.Status        `json:"clock"`
	Lines        []LineStatus        `json:"lines"`
	Integrations []IntegrationStatus `json:"integrations"`
	Store        StoreStatus         `json:"store"`
	Problems     []Problem           `json:"problems"`
}

// LineStatus is one line and the slaves on it.
type LineStatus struct {
	Name     string        `json:"name"`
	Port     string        `json:"port"`
	State    string        `json:"state"` // opening | ok | failed | disabled
	Error    string        `json:"error,omitempty"`
	Load     float64       `json:"load"`         // share of the time since the start in which the line was busy, 0 to 1
	Lost     uint64        `json:"lost_samples"` // read, but the store did not keep up
	Counters LineCounters  `json:"counters"`
	Slaves   []SlaveStatus `json:"slaves"`
}

// LineCounters count since the start; those of a slave leave out what nobody can be blamed for.
type LineCounters struct {
	Requests       uint64            `json:"requests"`
	Replies        uint64            `json:"replies"`
	Probes         uint64            `json:"probes"` // requests that only made sure that no old reply is on its way
	Timeouts       uint64            `json:"timeouts"`
	CRCErrors      uint64            `json:"crc_errors"`
	FrameErrors    uint64            `json:"frame_errors"`
	Resyncs        uint64            `json:"resyncs"` // replies found behind noise
	Exceptions     uint64            `json:"exceptions"`
	ExceptionCodes map[string]uint64 `json:"exception_codes,omitempty"` // by code, "02"
	Echoes         uint64            `json:"echoes"`
	Collisions     uint64            `json:"collisions"`
	DiscardedBytes uint64            `json:"discarded_bytes"`
	ForeignFrames  uint64            `json:"foreign_frames"`
	OtherMasters   uint64            `json:"other_masters"` // requests of another master; through a gateway, replies to another program
	ForeignIDs     uint64            `json:"foreign_ids"`   // Modbus TCP frames with a transaction id that was not the request's
	ForeignUnits   uint64            `json:"foreign_units"` // frames in the place of an answer, for another unit
	WrongLengths   uint64            `json:"wrong_lengths"` // the same, with another number of registers or another function
	Late           uint64            `json:"late_replies"`  // answers that came after their timeout
	BadHeaders     uint64            `json:"bad_headers"`   // malformed Modbus TCP headers
	Ambiguous      uint64            `json:"ambiguous"`     // replies dropped because they may be another program's
	Reopens        uint64            `json:"reopens"`
	Redials        uint64            `json:"redials"`           // new connections in the place of one that was closed or mute
	TurnaroundP50  float64           `json:"turnaround_p50_ms"` // of the last replies; 0 before the first
	TurnaroundP99  float64           `json:"turnaround_p99_ms"`
	turnaroundSum  float64           // seconds, of all Replies; for the metrics only
}

func countersOf(c modbus.Counters) LineCounters {
	out := LineCounters{
		Requests: c.Requests, Replies: c.Replies, Probes: c.Probes, Timeouts: c.Timeouts, CRCErrors: c.CRCErrors,
		FrameErrors: c.FrameErrors, Resyncs: c.Resyncs, Exceptions: c.Exceptions, Echoes: c.Echoes, Collisions: c.Collisions,
		DiscardedBytes: c.DiscardedBytes, ForeignFrames: c.ForeignFrames, OtherMasters: c.Rivals, Reopens: c.Reopens,
		ForeignIDs: c.ForeignIDs, ForeignUnits: c.ForeignUnits, WrongLengths: c.WrongLengths, Late: c.Late, BadHeaders: c.BadHeaders,
		Ambiguous: c.Ambiguous, Redials: c.Redials,
		TurnaroundP50: milliseconds(c.Turnaround.P50), TurnaroundP99: milliseconds(c.Turnaround.P99),
		turnaroundSum: c.Turnaround.Sum.Seconds(),
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

// SlaveStatus is one controller.
type SlaveStatus struct {
	UnitID      int               `json:"unit_id"`
	Slave       string            `json:"slave"`
	ProductCode string            `json:"product_code,omitempty"` // as the slave reports it; left out when it has not
	CCFirmware  string            `json:"cc_firmware"`
	Family      string            `json:"family"`
	State       string            `json:"state"` // waiting | ok | silent | garbled | refusing | unknown_model | wrong_model | no_objects
	LastGood    *time.Time        `json:"last_good"`
	AgeS        *int64            `json:"age_s"` // seconds since the last good reply; null before the first
	Error       string            `json:"error,omitempty"`
	Objects     int               `json:"objects"`                     // how many are polled
	NoSample    uint64            `json:"no_sample"`                   // replies that held no value, as of an absent sensor
	Reasons     map[string]uint64 `json:"no_sample_reasons,omitempty"` // absent | out_of_range | firmware | not_a_number
	NoValue     map[string]string `json:"no_value,omitempty"`          // objects whose last reply held no value, and the reason
	Missed      uint64            `json:"missed"`                      // objects whose read failed
	Skipped     uint64            `json:"skipped"`                     // moments that passed while the line was busy
	Refused     []string          `json:"refused"`                     // objects that the controller does not give, though it gives others
	Load        float64           `json:"load"`                        // its share of the line's load
	LatenessMS  int64             `json:"lateness_ms"`                 // the most that an object was read after it was due
	Learnt      string            `json:"learnt,omitempty"`            // what the agent found out, as YAML for the slave in the configuration
	Counters    LineCounters      `json:"counters"`
}

// IntegrationStatus is one destination.
type IntegrationStatus struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Type        string     `json:"type"`
	Topic       string     `json:"topic"`
	State       string     `json:"state"` // idle | ok | retrying | waiting | waiting_for_clock | paused
	Backlog     uint64     `json:"backlog"`
	Oldest      *time.Time `json:"oldest"` // sampled_at of the oldest sample that waits; null when none does
	LastSuccess *time.Time `json:"last_success"`
	LastError   string     `json:"last_error"`
	Sent        uint64     `json:"sent"`
	Failed      uint64     `json:"failed"`       // rejected, the dead letters that were sent later included
	Dead        int        `json:"dead_letters"` // set aside, until somebody sends them again or drops them; 1,024 at most
	Dropped     uint64     `json:"dropped"`
	Replayed    uint64     `json:"replayed"` // accepted again by a replay, since the start; not in sent
	Uplink      Uplink     `json:"uplink"`
	Gaps        []Gap      `json:"gaps"` // the newest twenty, the newest first; the trigger log has more

	// With publish_every, when it speaks next if anything waits by then: an alarm, a backlog or the end of the agent does not wait
	// for it. Left out without, and while the integration is paused.
	NextPublication *time.Time `json:"next_publication,omitempty"`
}

// Status returns how everything stands, for people and programs. It touches neither the line nor the disk.
func (a *Agent) Status() any { return a.status() }

func (a *Agent) status() Status {
	stats := a.store.Stats()
	s := Status{
		DeviceID: a.deviceID, Version: a.options.Version, StartedAt: a.clock.Wall.Shown(a.started, a.booted).UTC().Truncate(time.Second),
		UptimeS: int64(a.clock.Elapsed().Seconds()),
		Lines:   []LineStatus{}, Integrations: []IntegrationStatus{}, Problems: []Problem{},
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
			s.Lines = append(s.Lines, LineStatus{Name: l.Name, Port: l.Port, State: lineDisabled, Slaves: []SlaveStatus{}})
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

func (a *Agent) lineStatus(p *poller, v lineView, c modbus.Counters) LineStatus {
	l := LineStatus{
		Name: p.cfg.Name, Port: p.cfg.Port, State: v.state, Error: v.err, Lost: v.lost,
		Load: a.share(p, c), Counters: countersOf(c), Slaves: []SlaveStatus{},
	}
	for _, sv := range v.slaves {
		counters := p.line.UnitCounters(byte(sv.cfgID))
		status := SlaveStatus{
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
func lineProblems(name string, network bool, v lineView, now time.Duration) []Problem {
	var problems []Problem
	if v.losses.live(now) {
		problems = append(problems, samplesLost.of(name, v.losses.since, fmt.Sprintf("%d samples since the start", v.lost)))
	}
	if v.state == lineFailed {
		return append(problems, lineKind(network, v.fault).of(name, v.since, v.err))
	}
	switch {
	case v.rivals.live(now) && network:
		problems = append(problems, gatewayShared.of(name, v.rivals.since, fmt.Sprintf("%d replies to another program, the last one within %v", v.rivals.n, recently)))
	case v.rivals.live(now):
		problems = append(problems, lineShared.of(name, v.rivals.since, fmt.Sprintf("%d requests of another master, the last one within %v", v.rivals.n, recently)))
	}
	if v.collisions.live(now) {
		problems = append(problems, lineCollides.of(name, v.collisions.since, fmt.Sprintf("%d collisions, the last one within %v", v.collisions.n, recently)))
	}
	for _, sv := range v.slaves {
		problems = append(problems, slaveProblems(network, fmt.Sprintf("%s/%d", name, sv.cfgID), sv, now)...)
	}
	return problems
}

// slaveProblems lists what is wrong with one slave.
func slaveProblems(network bool, subject string, v slaveView, now time.Duration) (problems []Problem) {
	states := map[string]Kind{
		slaveSilent: replyKind(network, true, v.fault), slaveGarbled: replyKind(network, false, v.fault), slaveRefusing: slaveRefusesAll, slaveUnknown: slaveNoFamily,
	}
	judged := map[string]Kind{slaveOther: slaveWrong, slaveNothing: slaveEmpty}
	if v.judged.finding == findingUnlisted {
		judged[slaveOK] = slaveUnlisted
	}
	if kind, ok := states[v.state]; ok {
		problems = append(problems, kind.of(subject, v.since, v.err))
	}
	if kind, ok := judged[v.state]; ok {
		problems = append(problems, kind.of(subject, v.judgedAt, v.judged.why))
	} else if !v.nameless.IsZero() {
		problems = append(problems, slaveNoIdentity.of(subject, v.nameless, "unit "+subject+" gave no product code"))
	}
	if !v.refuses.IsZero() && v.state == slaveOK { // else the state explains it
		problems = append(problems, slaveRefuses.of(subject, v.refuses, refusals(v)))
	}
	if v.overrun.live(now) {
		problems = append(problems, lineOverrun.of(subject, v.overrun.since,
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
func (a *Agent) alarmProblems(line string, v *lineView) (list []Problem) {
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

func integrationStatus(f *forwarder, stats store.Stats, now time.Duration) (IntegrationStatus, []Problem) {
	v, counts := f.snapshot(), stats.Integrations[f.cfg.ID]
	s := IntegrationStatus{
		ID: f.cfg.ID, Name: f.cfg.Name, Type: f.cfg.Type, Topic: f.cfg.Destination(), State: v.state,
		Backlog: counts.Backlog, Oldest: clock.WallTime(counts.Oldest), LastSuccess: clock.WallTime(v.lastSuccess), LastError: v.fault(),
		Sent: counts.Sent, Failed: counts.Failed, Dead: counts.Dead, Dropped: counts.Dropped, Replayed: counts.Replayed, Gaps: gapsOf(counts.Gaps), Uplink: uplinkOf(counts.Traffic, counts.Sent),
	}
	s.NextPublication = f.nextPublication()
	var problems []Problem
	switch v.state {
	case integrationRetrying:
		problems = append(problems, cloudRetrying.of(f.cfg.ID, v.since, v.lastError))
	case integrationWaiting:
		kind := cloudWaiting
		if v.setUp {
			kind = cloudNotSetUp
		}
		problems = append(problems, kind.of(f.cfg.ID, v.since, v.lastError))
	}
	if !v.skewedSince.IsZero() {
		problems = append(problems, cloudSkewed.of(f.cfg.ID, v.skewedSince, "new credentials have ended already by the gateway's clock"))
	}
	if v.refuses != "" {
		problems = append(problems, cloudRefuses.of(f.cfg.ID, v.refusesSince, v.refuses))
	}
	if counts.Dead > 0 {
		problems = append(problems, cloudRejected.of(f.cfg.ID, counts.DeadFrom, fmt.Sprintf("%d dead letters", counts.Dead)))
	}
	if drops := f.noteDrops(counts.Dropped); drops.live(now) {
		problems = append(problems, cloudDropped.of(f.cfg.ID, drops.since,
			fmt.Sprintf("%d samples were deleted since the start, the last ones within %v", counts.Dropped-f.droppedBefore, recently)))
	}
	return s, problems
}

// clockStatus adds what waits, and the problem when there is one.
func (a *Agent) clockStatus(integrations []IntegrationStatus) (clock.Status, []Problem) {
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
	return s, []Problem{clockUnset.of("agent", a.clock.Wall.UnsureSince(), detail)}
}

// Latest is one row of GET /api/v1/objects: the last good value of an object.
type Latest struct {
	Line      string        `json:"line"`
	Slave     string        `json:"slave"`
	UnitID    int           `json:"unit_id"`
	Object    string        `json:"object"`
	Value     objects.Value `json:"value"`
	Unit      string        `json:"unit"`
	SampledAt time.Time     `json:"sampled_at"`
	Interval  string        `json:"interval"` // the log interval in force, as in "1m0s"
}

// Objects returns the latest values in the order of the configuration and the register map.
func (a *Agent) Objects() any {
	rows, crew := []Latest{}, a.current()
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
				rows = append(rows, Latest{
					Line: p.cfg.Name, Slave: sv.name, UnitID: sv.cfgID, Object: r.object, Value: r.value, Unit: r.unit,
					SampledAt: a.clock.Wall.Shown(r.at, r.booted).UTC().Truncate(time.Second), Interval: polled.Interval.String(),
				})
			}
		}
	}
	return map[string]any{"objects": rows}
}
