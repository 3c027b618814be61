package agent

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"noi-agent/agent/clock"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// Metrics serves GET /metrics: the status as Prometheus metrics in their text format, prefix noi_. Durations are seconds,
// sizes bytes. They are made from the same status as page and JSON, so that the three never tell different stories.
func (a *Agent) Metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
		m := metrics{}
		m.collect(a.status())
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if _, err := expfmt.MetricFamilyToText(w, m[name]); err != nil {
				return // the reader has gone
			}
		}
	})
}

// metrics are families by name.
type metrics map[string]*dto.MetricFamily

func (m metrics) collect(s Status) {
	m.gauge("info", "Who and what this is; always 1.", 1, "device_id", s.DeviceID, "version", s.Version)
	m.gauge("uptime_seconds", "Since the agent's start, by the monotonic clock.", float64(s.UptimeS))
	m.clock(&s.Clock)
	for i := range s.Lines {
		m.line(&s.Lines[i])
		for j := range s.Lines[i].Slaves {
			m.slave(s.Lines[i].Name, &s.Lines[i].Slaves[j])
		}
	}
	for i := range s.Integrations {
		m.integration(&s.Integrations[i])
	}
	m.gauge("store_bytes", "Size of the store's file.", float64(s.Store.Bytes))
	m.gauge("store_samples", "Samples kept now.", float64(s.Store.Samples))
	m.counter("store_committed_samples_total", "Samples written to flash.", s.Store.Committed)
	m.counter("store_written_bytes_total", "Bytes that commits have written to flash, whole pages.", s.Store.Written)
	m.counter("store_spared_samples_total", "Samples sent to every cloud without being written to flash.", s.Store.Spared)
	m.counter("store_commits_total", "Commits, each a synced write to flash.", s.Store.Commits)
	m.counter("store_corrupt_records_total", "Records skipped because their checksum is wrong.", s.Store.Corrupt)
	shown := map[string]bool{} // one controller may report several alarms, and a series must be unique
	for _, p := range s.Problems {
		if shown[p.Code+" "+p.Subject] {
			continue
		}
		shown[p.Code+" "+p.Subject] = true
		m.gauge("problem", "What is wrong now; always 1.", 1, "code", p.Code, "severity", string(p.Severity), "subject", p.Subject)
	}
}

func (m metrics) line(l *LineStatus) {
	line := []string{"line", l.Name}
	c := &l.Counters
	m.gauge("line_up", "1 while the port is open and works.", truth(l.State == lineOK), line...)
	m.gauge("line_load_ratio", "Share of the time in which the line was busy.", l.Load, line...)
	m.counter("line_lost_samples_total", "Samples read that the store did not take.", l.Lost, line...)
	m.counter("line_discarded_bytes_total", "Received bytes that belong to no reply.", c.DiscardedBytes, line...)
	m.counter("line_foreign_frames_total", "Whole frames that were not the answer.", c.ForeignFrames, line...)
	m.counter("line_other_master_requests_total", "Requests of another master.", c.OtherMasters, line...)
	m.counter("line_foreign_ids_total", "Modbus TCP frames with a transaction id that was not the request's.", c.ForeignIDs, line...)
	m.counter("line_bad_headers_total", "Malformed Modbus TCP headers.", c.BadHeaders, line...)
	m.counter("line_redials_total", "New connections in the place of one that was closed or mute.", c.Redials, line...)
	m.counter("line_reopens_total", "Times that the port was opened again.", c.Reopens, line...)
}

func (m metrics) slave(line string, s *SlaveStatus) {
	labels := []string{"line", line, "unit", strconv.Itoa(s.UnitID)}
	c := &s.Counters
	m.gauge("slave_info", "Who the slave says it is; always 1.", 1,
		append([]string{"slave", s.Slave, "cc_firmware", s.CCFirmware, "family", s.Family}, labels...)...)
	m.gauge("slave_up", "1 while the slave answers and its model is known.", truth(s.State == slaveOK), labels...)
	if s.AgeS != nil {
		m.gauge("slave_age_seconds", "Since the last good reply.", float64(*s.AgeS), labels...)
	}
	m.gauge("slave_load_ratio", "Share of the time in which the line was busy with the slave.", s.Load, labels...)
	m.gauge("slave_lateness_seconds", "The most that an object was read after it was due.", float64(s.LatenessMS)/1000, labels...)
	const turnaround = "From the end of a request to the beginning of its reply, of the last 128."
	m.gauge("slave_turnaround_seconds", turnaround, c.TurnaroundP50/1000, append([]string{"quantile", "0.5"}, labels...)...)
	m.gauge("slave_turnaround_seconds", turnaround, c.TurnaroundP99/1000, append([]string{"quantile", "0.99"}, labels...)...)
	for _, row := range []struct {
		name, help string
		n          uint64
	}{
		{"missed_objects", "Objects whose read failed.", s.Missed},
		{"skipped_objects", "Moments that passed while the line was busy.", s.Skipped},
		{"requests", "Frames sent, probes included.", c.Requests},
		{"replies", "Answers taken, exceptions included.", c.Replies},
		{"probes", "Frames sent only to make sure that no old reply is on its way.", c.Probes},
		{"timeouts", "Exchanges in which nothing came.", c.Timeouts},
		{"crc_errors", "Exchanges that ended with a wrong checksum.", c.CRCErrors},
		{"frame_errors", "Exchanges ended by garbage, a torn frame or a collision.", c.FrameErrors},
		{"resyncs", "Replies found behind noise.", c.Resyncs},
		{"foreign_units", "Frames in the place of an answer, for another unit.", c.ForeignUnits},
		{"wrong_lengths", "Frames in the place of an answer, with another length or function.", c.WrongLengths},
		{"late_replies", "Answers that came after their timeout.", c.Late},
		{"ambiguous", "Replies dropped because they may be another program's.", c.Ambiguous},
		{"echoes", "Requests that came back before their reply.", c.Echoes},
		{"collisions", "Requests that came back changed.", c.Collisions},
	} {
		m.counter("slave_"+row.name+"_total", row.help, row.n, labels...)
	}
	for _, reason := range slices.Sorted(maps.Keys(s.Reasons)) {
		m.counter("slave_no_sample_objects_total", "Replies that held no value, by reason.", s.Reasons[reason], append([]string{"reason", reason}, labels...)...)
	}
	for _, code := range slices.Sorted(maps.Keys(c.ExceptionCodes)) {
		m.counter("slave_exceptions_total", "Exceptions by code.", c.ExceptionCodes[code], append([]string{"code", code}, labels...)...)
	}
}

func (m metrics) integration(in *IntegrationStatus) {
	labels := []string{"integration", in.ID, "type", in.Type}
	m.gauge("integration_info", "Where an integration sends to; always 1.", 1, append([]string{"name", in.Name, "topic", in.Topic}, labels...)...)
	m.gauge("integration_up", "1 after the last attempt was accepted.", truth(in.State == integrationOK), labels...)
	m.gauge("integration_backlog_samples", "Samples that wait.", float64(in.Backlog), labels...)
	if in.Oldest != nil {
		m.gauge("integration_oldest_timestamp_seconds", "When the oldest sample that waits was taken.", float64(in.Oldest.Unix()), labels...)
	}
	if in.LastSuccess != nil {
		m.gauge("integration_last_success_timestamp_seconds", "When the cloud last took something.", float64(in.LastSuccess.Unix()), labels...)
	}
	m.counter("integration_sent_samples_total", "Samples accepted by the cloud, since the store was made.", in.Sent, labels...)
	m.counter("integration_failed_samples_total", "Samples rejected for good, since the store was made.", in.Failed, labels...)
	m.gauge("integration_dead_letters", "Rejected samples that are set aside.", float64(in.Dead), labels...)
	m.counter("integration_replayed_samples_total", "Samples accepted again by a replay, since the start.", in.Replayed, labels...)
	m.gauge("integration_uplink_month_bytes", "Bytes sent at the sockets in this month (UTC), TLS included.", float64(in.Uplink.MonthSent), labels...)
	m.counter("integration_dropped_samples_total", "Samples deleted to make room for newer ones, since the store was made.", in.Dropped, labels...)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (m metrics) gauge(name, help string, v float64, labels ...string) {
	m.add(dto.MetricType_GAUGE, name, help, &dto.Metric{Label: pairs(labels), Gauge: &dto.Gauge{Value: &v}})
}

func (m metrics) counter(name, help string, n uint64, labels ...string) {
	v := float64(n)
	m.add(dto.MetricType_COUNTER, name, help, &dto.Metric{Label: pairs(labels), Counter: &dto.Counter{Value: &v}})
}

func (m metrics) add(kind dto.MetricType, name, help string, metric *dto.Metric) {
	name = "noi_" + name
	if m[name] == nil {
		m[name] = &dto.MetricFamily{Name: &name, Help: &help, Type: &kind}
	}
	m[name].Metric = append(m[name].Metric, metric)
}

// pairs takes names and values in turn. A value may come from a device: a reader would reject the whole page for a byte that is no UTF-8.
func pairs(labels []string) []*dto.LabelPair {
	var out []*dto.LabelPair
	for i := 0; i+1 < len(labels); i += 2 {
		value := strings.ToValidUTF8(labels[i+1], "\uFFFD")
		out = append(out, &dto.LabelPair{Name: &labels[i], Value: &value})
	}
	return out
}

func (m metrics) clock(c *clock.Status) {
	m.gauge("clock_good", "1 while the wall clock is right, or looks plausible.", truth(c.State == clock.Good), "source", c.Source, "service", c.Service)
	m.counter("clock_steps_total", "How often the wall clock was set since the start.", c.Steps)
	m.gauge("clock_held_samples", "Samples that wait for the clock, once for each integration.", float64(c.Held))
	if c.LastGood != nil {
		m.gauge("clock_last_good_timestamp_seconds", "The last time known to be right.", float64(c.LastGood.Unix()))
	}
}
