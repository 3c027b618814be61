package agent

import (
	"fmt"
	"strings"
	"time"

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
	Clock        ClockStatus         `json:"clock"`
	Lines        []LineStatus        `json:"lines"`
	Integrations []IntegrationStatus `json:"integrations"`
	Store        StoreStatus         `json:"store"`
	Problems     []Problem           `json:"problems"`
}

// ClockStatus says where wall time comes from. The system clock is the only source so far.
type ClockStatus struct {
	Source string `json:"source"`
}

// LineStatus is one line and the slaves on it.
type LineStatus struct {
	Name     string        `json:"name"`
	Port     string        `json:"port"`
	State    string        `json:"state"` // opening | ok | failed | disabled
	Error    string        `json:"error,omitempty"`
	Load     float64       `json:"load"` // share of the time since the start in which the line was busy, 0 to 1
	Counters LineCounters  `json:"counters"`
	Slaves   []SlaveStatus `json:"slaves"`
}

// LineCounters count since the start.
type LineCounters struct {
	Requests       uint64 `json:"requests"`
	Replies        uint64 `json:"replies"`
	Timeouts       uint64 `json:"timeouts"`
	CRCErrors      uint64 `json:"crc_errors"`
	FrameErrors    uint64 `json:"frame_errors"`
	Exceptions     uint64 `json:"exceptions"`
	DiscardedBytes uint64 `json:"discarded_bytes"`
	Reopens        uint64 `json:"reopens"`
	LostSamples    uint64 `json:"lost_samples"` // read, but the store did not keep up
}

// SlaveStatus is one controller.
type SlaveStatus struct {
	UnitID     int        `json:"unit_id"`
	Slave      string     `json:"slave"`
	CCFirmware string     `json:"cc_firmware"`
	Family     string     `json:"family"`
	State      string     `json:"state"` // waiting | ok | silent | unknown_model
	LastGood   *time.Time `json:"last_good"`
	AgeS       *int64     `json:"age_s"` // seconds since the last good reply; null before the first
	Error      string     `json:"error,omitempty"`
	Objects    int        `json:"objects"`   // how many are polled
	NoSample   uint64     `json:"no_sample"` // replies that held no value, as of an absent sensor
	Missed     uint64     `json:"missed"`    // objects whose read failed
	Skipped    uint64     `json:"skipped"`   // moments that passed while the line was busy
	Refused    []string   `json:"refused"`   // objects the controller does not know
}

// IntegrationStatus is one destination.
type IntegrationStatus struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Type        string     `json:"type"`
	Topic       string     `json:"topic"`
	State       string     `json:"state"` // idle | ok | retrying | waiting | paused
	Backlog     uint64     `json:"backlog"`
	Oldest      *time.Time `json:"oldest"` // sampled_at of the oldest sample that waits; null when none does
	LastSuccess *time.Time `json:"last_success"`
	LastError   string     `json:"last_error"`
	Sent        uint64     `json:"sent"`
	Failed      uint64     `json:"failed"`
	Dropped     uint64     `json:"dropped"`
}

// StoreStatus is the outbox.
type StoreStatus struct {
	Bytes     int64  `json:"bytes"`     // of the file
	Samples   uint64 `json:"samples"`   // kept now
	Committed uint64 `json:"committed"` // made durable in this run
	Commits   uint64 `json:"commits"`
	Corrupt   uint64 `json:"corrupt"` // records skipped because their checksum is wrong
}

// Status returns how everything stands, for people and programs. It touches neither the line nor the disk.
func (a *Agent) Status() any { return a.status() }

func (a *Agent) status() Status {
	stats := a.store.Stats()
	s := Status{
		DeviceID: a.deviceID, Version: a.options.Version, StartedAt: a.started.UTC().Truncate(time.Second),
		UptimeS: int64(a.clock.elapsed().Seconds()), Clock: ClockStatus{Source: "system"},
		Lines: []LineStatus{}, Integrations: []IntegrationStatus{}, Problems: []Problem{},
		Store: StoreStatus{
			Bytes: stats.FileBytes, Samples: stats.Samples, Committed: stats.Committed, Commits: stats.Commits, Corrupt: stats.Corrupt,
		},
	}
	crew := a.current()
	for _, p := range crew.pollers {
		view, counters := p.snapshot()
		s.Lines = append(s.Lines, a.lineStatus(p, view, counters))
		s.Problems = append(s.Problems, lineProblems(p.cfg.Name, view)...)
	}
	for _, l := range crew.config.Lines {
		if !l.Enabled {
			s.Lines = append(s.Lines, LineStatus{Name: l.Name, Port: l.Port, State: lineDisabled, Slaves: []SlaveStatus{}})
		}
	}
	for _, f := range crew.forwarders {
		status, problems := integrationStatus(f, stats)
		s.Integrations = append(s.Integrations, status)
		s.Problems = append(s.Problems, problems...)
	}
	return s
}

func (a *Agent) lineStatus(p *poller, v lineView, c modbus.Counters) LineStatus {
	l := LineStatus{
		Name: p.cfg.Name, Port: p.cfg.Port, State: v.state, Error: v.err,
		Counters: LineCounters{
			Requests: c.Requests, Replies: c.Replies, Timeouts: c.Timeouts, CRCErrors: c.CRCErrors, FrameErrors: c.FrameErrors,
			Exceptions: c.Exceptions, DiscardedBytes: c.DiscardedBytes, Reopens: c.Reopens, LostSamples: v.lost,
		},
		Slaves: []SlaveStatus{},
	}
	if up := a.clock.elapsed() - p.started; up > 0 {
		l.Load = min(1, float64(c.BusTime.Milliseconds())/float64(max(1, up.Milliseconds())))
	}
	for _, sv := range v.slaves {
		status := SlaveStatus{
			UnitID: sv.cfgID, Slave: sv.name, CCFirmware: sv.firmware, Family: sv.family, State: sv.state, Error: sv.err,
			Objects: sv.polled, NoSample: sv.noSample, Missed: sv.missed, Skipped: sv.skipped, Refused: append([]string{}, sv.refused...),
		}
		if sv.lastGood > 0 {
			age := int64((a.clock.elapsed() - sv.lastGood).Seconds())
			status.LastGood, status.AgeS = wallTime(sv.goodAt), &age
		}
		l.Slaves = append(l.Slaves, status)
	}
	return l
}

// lineProblems lists what is wrong on a line. A line that is down explains silent slaves: they are left out.
func lineProblems(name string, v lineView) []Problem {
	var problems []Problem
	if v.lost > 0 {
		problems = append(problems, samplesLost.of(name, v.since, fmt.Sprintf("%d samples", v.lost)))
	}
	if v.state == lineFailed {
		return append(problems, lineDown.of(name, v.since, v.err))
	}
	for _, sv := range v.slaves {
		subject := fmt.Sprintf("%s/%d", name, sv.cfgID)
		switch {
		case sv.state == slaveSilent:
			problems = append(problems, slaveNoReply.of(subject, sv.since, sv.err))
		case sv.state == slaveUnknown:
			problems = append(problems, slaveNoFamily.of(subject, sv.since, sv.err))
		case sv.state == slaveOK && sv.asked && !sv.told:
			problems = append(problems, slaveNoIdentity.of(subject, sv.since, "unit "+subject+" gave no product code"))
		}
		if len(sv.refused) > 0 {
			problems = append(problems, slaveRefuses.of(subject, sv.since, strings.Join(sv.refused, ", ")))
		}
		if sv.skipped > 0 {
			problems = append(problems, lineOverrun.of(subject, sv.since, fmt.Sprintf("%d samples were skipped since the start", sv.skipped)))
		}
	}
	return problems
}

func integrationStatus(f *forwarder, stats store.Stats) (IntegrationStatus, []Problem) {
	v, counts := f.snapshot(), stats.Integrations[f.cfg.ID]
	s := IntegrationStatus{
		ID: f.cfg.ID, Name: f.cfg.Name, Type: f.cfg.Type, Topic: f.cfg.Destination(), State: v.state,
		Backlog: counts.Backlog, Oldest: wallTime(counts.Oldest), LastSuccess: wallTime(v.lastSuccess), LastError: v.lastError,
		Sent: counts.Sent, Failed: counts.Failed, Dropped: counts.Dropped,
	}
	var problems []Problem
	switch v.state {
	case integrationRetrying:
		problems = append(problems, cloudRetrying.of(f.cfg.ID, v.since, v.lastError))
	case integrationWaiting:
		problems = append(problems, cloudWaiting.of(f.cfg.ID, v.since, v.lastError))
	}
	if counts.Dropped > f.droppedBefore {
		problems = append(problems, cloudDropped.of(f.cfg.ID, f.started,
			fmt.Sprintf("%d samples gave way since the start", counts.Dropped-f.droppedBefore)))
	}
	return s, problems
}

// wallTime prints in UTC with whole seconds; nil for the zero time.
func wallTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
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
					SampledAt: r.at.UTC().Truncate(time.Second), Interval: polled.Interval.String(),
				})
			}
		}
	}
	return map[string]any{"objects": rows}
}
