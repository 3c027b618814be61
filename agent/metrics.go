package agent

import (
	"log/slog"
	"maps"
	"net/http"
	"noi-agent/agent/clock"
	"slices"
	"strconv"
	"strings"
	"time"

	"noi-agent/status/api"

	"noi-agent/agent/poll"
	"noi-agent/agent/publish"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics serves GET /metrics for Prometheus: the status with the prefix noi_, and go_* and process_* of the program.
// Durations are seconds, sizes bytes.
func (a *Agent) Metrics() http.Handler {
	return served(registry(a.Status), a.log.With("part", "metrics"))
}

// served answers with the gathered metrics. A series that cannot be shown is logged and left out. The others are
// served.
func served(g prometheus.Gatherer, log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{
		ErrorHandling:      promhttp.ContinueOnError,
		ErrorLog:           slog.NewLogLogger(log.Handler(), slog.LevelError),
		DisableCompression: true, // the reader is on this gateway or near it: memory matters more than bytes
	})
}

// registry holds the served metrics. It is not the library's default registry, which belongs to the whole process.
func registry(status func() api.Status) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collector{status}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// collector makes its metrics from the status that page and JSON show too: the three always agree.
type collector struct{ status func() api.Status }

// Describe announces nothing: which series there are depends on the status.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect takes the status once, for all metrics.
func (c collector) Collect(out chan<- prometheus.Metric) {
	s, m := c.status(), metrics{out: out}
	m.with("device_id", s.DeviceID, "version", s.Version).gauge("info",
		"Device id and version of the agent; always 1.", 1)
	m.gauge("uptime_seconds", "Time since the agent's start, by the monotonic clock.", float64(s.UptimeS))
	m.clock(&s.Clock)
	for i := range s.Lines {
		m.line(&s.Lines[i])
	}
	for i := range s.Integrations {
		m.integration(&s.Integrations[i])
	}
	m.store(&s.Store)
	m.problems(s.Problems)
}

// metrics sends the metrics of one scrape. All of them get its labels.
type metrics struct {
	out    chan<- prometheus.Metric
	labels []string // names and values in turn
}

func (m metrics) line(l *api.Line) {
	m = m.with("line", l.Name)
	c := &l.Counters
	m.gauge("line_up", "1 while the port is open and works.", truth(l.State == poll.LineOK))
	m.gauge("line_load_ratio", "Share of the time in which the line was busy.", l.Load)
	m.counter("line_lost_samples_total", "Samples that were read, but not stored, because the store was too slow.",
		l.Lost)
	m.counter("line_discarded_bytes_total", "Received bytes that belong to no reply.", c.DiscardedBytes)
	m.counter("line_foreign_frames_total", "Whole frames that were not the answer.", c.ForeignFrames)
	m.counter("line_other_master_requests_total", "Requests of another master.", c.OtherMasters)
	m.counter("line_foreign_ids_total", "Modbus TCP frames with a transaction id that was not the request's.",
		c.ForeignIDs)
	m.counter("line_bad_headers_total", "Malformed Modbus TCP headers.", c.BadHeaders)
	m.counter("line_redials_total", "New connections after one that was closed or no longer answered.", c.Redials)
	m.counter("line_reopens_total", "How often the port was opened again.", c.Reopens)
	for i := range l.Slaves {
		m.with("unit", strconv.Itoa(l.Slaves[i].UnitID)).slave(&l.Slaves[i])
	}
}

func (m metrics) slave(s *api.Slave) {
	m.with("slave", s.Slave, "cc_firmware", s.CCFirmware, "family", s.Family).
		gauge("slave_info", "Identity that the slave has reported; always 1.", 1)
	m.gauge("slave_up", "1 while the slave answers and its model is known.", truth(s.State == poll.SlaveOK))
	if s.AgeS != nil {
		m.gauge("slave_age_seconds", "Time since the last good reply.", float64(*s.AgeS))
	}
	m.gauge("slave_load_ratio", "Share of the time in which the line was busy with the slave.", s.Load)
	m.gauge("slave_lateness_seconds", "Longest time from the due time of an object to its reading.",
		float64(s.LatenessMS)/1000)
	m.counter("slave_missed_objects_total", "Objects whose read failed.", s.Missed)
	m.counter("slave_skipped_objects_total", "Due times that were skipped because the line was busy.", s.Skipped)
	for _, reason := range slices.Sorted(maps.Keys(s.Reasons)) {
		m.with("reason", reason).
			counter("slave_no_sample_objects_total", "Replies without a value, by reason.", s.Reasons[reason])
	}
	m.exchanges(&s.Counters)
}

// exchanges shows the counters of the requests to one slave, and of their replies.
func (m metrics) exchanges(c *api.Counters) {
	m.turnaround(c)
	m.counter("slave_requests_total", "Sent requests, with probes.", c.Requests)
	m.counter("slave_replies_total", "Accepted answers, with exceptions.", c.Replies)
	m.counter("slave_probes_total", "Requests that only checked that no late reply is on the line.", c.Probes)
	m.counter("slave_timeouts_total", "Exchanges in which no byte came.", c.Timeouts)
	m.counter("slave_crc_errors_total", "Exchanges that ended with a wrong checksum.", c.CRCErrors)
	m.counter("slave_frame_errors_total",
		"Exchanges that ended with an invalid frame, a part of a frame or a collision.", c.FrameErrors)
	m.counter("slave_resyncs_total", "Replies that were found after noise.", c.Resyncs)
	m.counter("slave_foreign_units_total", "Frames of another unit instead of the answer.", c.ForeignUnits)
	m.counter("slave_wrong_lengths_total", "Frames with another length or function instead of the answer.",
		c.WrongLengths)
	m.counter("slave_late_replies_total", "Answers that came after their timeout.", c.Late)
	m.counter("slave_ambiguous_total", "Replies that were dropped because they may be for another program.",
		c.Ambiguous)
	m.counter("slave_echoes_total", "Requests that came back before their reply.", c.Echoes)
	m.counter("slave_collisions_total", "Requests that came back changed.", c.Collisions)
	for _, code := range slices.Sorted(maps.Keys(c.ExceptionCodes)) {
		m.with("code", code).counter("slave_exceptions_total", "Exceptions by code.", c.ExceptionCodes[code])
	}
}

// turnaround is a summary. Its quantiles are of the last 128 replies, its sum and its count of all since the start.
func (m metrics) turnaround(c *api.Counters) {
	const help = "Time from the end of a request to the begin of its reply, of the last 128 replies."
	quantiles := map[float64]float64{0.5: c.TurnaroundP50 / 1000, 0.99: c.TurnaroundP99 / 1000}
	desc := m.desc("slave_turnaround_seconds", help)
	m.out <- prometheus.MustNewConstSummary(desc, c.Replies, c.TurnaroundSum, quantiles)
}

func (m metrics) integration(in *api.Integration) {
	m = m.with("integration", in.ID, "type", in.Type)
	m.with("name", in.Name, "topic", in.Topic).
		gauge("integration_info", "Name and topic of an integration; always 1.", 1)
	m.gauge("integration_up", "1 if the last attempt was accepted.", truth(in.State == publish.IntegrationOK))
	m.gauge("integration_backlog_samples", "Samples that wait.", float64(in.Backlog))
	m.moment("integration_oldest_timestamp_seconds", "Time of the oldest sample that waits.", in.Oldest)
	m.moment("integration_last_success_timestamp_seconds", "Time at which the cloud last accepted a message.",
		in.LastSuccess)
	m.counter("integration_sent_samples_total", "Samples accepted by the cloud, since the store was made.", in.Sent)
	m.counter("integration_failed_samples_total", "Samples that the cloud has rejected, since the store was made.",
		in.Failed)
	m.gauge("integration_new_gaps", "Gaps that are not acknowledged.", float64(in.NewGaps))
	m.gauge("integration_dead_letters", "Rejected samples that are set aside.", float64(in.Dead))
	m.counter("integration_replayed_samples_total", "Samples accepted again by a replay, since the start.", in.Replayed)
	m.gauge("integration_uplink_month_bytes", "Bytes sent at the sockets in this month (UTC), TLS included.",
		float64(in.Uplink.MonthSent))
	m.counter("integration_dropped_samples_total",
		"Samples deleted to make room for newer ones, since the store was made.",
		in.Dropped)
}

func (m metrics) store(s *api.Store) {
	m.gauge("store_bytes", "Size of the store's file.", float64(s.Bytes))
	m.gauge("store_samples", "Samples kept now.", float64(s.Samples))
	m.counter("store_committed_samples_total", "Samples written to flash.", s.Committed)
	m.counter("store_written_bytes_total", "Bytes that commits have written to flash, whole pages.", s.Written)
	m.counter("store_spared_samples_total", "Samples sent to every cloud without being written to flash.", s.Spared)
	m.counter("store_commits_total", "Commits, each a synced write to flash.", s.Commits)
	m.counter("store_corrupt_records_total", "Records skipped because their checksum is wrong.", s.Corrupt)
}

// problems shows each code and subject once: one controller may report several alarms, and a series must be unique.
func (m metrics) problems(problems []api.Problem) {
	shown := map[[2]string]bool{}
	for _, p := range problems {
		key := [2]string{p.Code, p.Subject}
		if shown[key] {
			continue
		}
		shown[key] = true
		m.with("code", p.Code, "severity", string(p.Severity), "subject", p.Subject).
			gauge("problem", "A present problem; always 1.", 1)
	}
}

// with returns metrics that have these labels too, names and values in turn.
func (m metrics) with(labels ...string) metrics {
	return metrics{m.out, slices.Concat(m.labels, labels)}
}

func (m metrics) gauge(name, help string, v float64) {
	m.out <- prometheus.MustNewConstMetric(m.desc(name, help), prometheus.GaugeValue, v)
}

func (m metrics) counter(name, help string, n uint64) {
	m.out <- prometheus.MustNewConstMetric(m.desc(name, help), prometheus.CounterValue, float64(n))
}

// moment shows a time in whole Unix seconds; nothing when there is none.
func (m metrics) moment(name, help string, at *time.Time) {
	if at != nil {
		m.gauge(name, help, float64(at.Unix()))
	}
}

// desc describes one series. A label's value may come from a device: bytes that are not UTF-8 are replaced, because
// Prometheus would reject the whole page for them.
func (m metrics) desc(name, help string) *prometheus.Desc {
	labels := prometheus.Labels{}
	for pair := range slices.Chunk(m.labels, 2) {
		labels[pair[0]] = strings.ToValidUTF8(pair[1], "\uFFFD")
	}
	return prometheus.NewDesc("noi_"+name, help, nil, labels)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (m metrics) clock(c *api.Clock) {
	const good = "1 while the wall clock is right, or looks plausible."
	m.with("source", c.Source, "service", c.Service).gauge("clock_good", good, truth(c.State == clock.Good))
	m.counter("clock_steps_total", "How often the wall clock was set since the start.", c.Steps)
	m.gauge("clock_held_samples", "Samples that wait for the clock, once for each integration.", float64(c.Held))
	m.moment("clock_last_good_timestamp_seconds", "The last time known to be right.", c.LastGood)
}
