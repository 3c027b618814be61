package agent

import (
	"math"

	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/store"
)

// metered is a sink that knows the bytes of its sockets.
type metered interface {
	Traffic() (sent, received uint64) // so far
}

// traffic counts what an attempt has cost.
func (f *forwarder) traffic() error {
	m, ok := f.sink.(metered)
	if !ok {
		return nil
	}
	sent, received := m.Traffic()
	err := f.store.CountTraffic(f.cfg.ID, sent-f.sent, received-f.received)
	f.sent, f.received = sent, received
	return err
}

// Uplink is what an integration has cost at its sockets, TLS included, in bytes.
type Uplink struct {
	TodaySent     uint64   `json:"today_sent"` // of the day by UTC
	TodayReceived uint64   `json:"today_received"`
	MonthSent     uint64   `json:"month_sent"`
	MonthReceived uint64   `json:"month_received"`
	PerSample     *float64 `json:"sent_per_sample"` // since the store was made; null before the first sample
}

func uplinkOf(t store.Traffic, samples uint64) Uplink {
	u := Uplink{TodaySent: t.TodaySent, TodayReceived: t.TodayReceived, MonthSent: t.MonthSent, MonthReceived: t.MonthReceived}
	if samples > 0 {
		mean := math.Round(10*float64(t.Sent)/float64(samples)) / 10
		u.PerSample = &mean
	}
	return u
}

// What one request costs at the socket, in bytes up and down, measured against loopback (FIELD-NOTES has the figures these come
// from: an SNS request with one entry is 1,150 up, with ten 5,480; Pub/Sub packs 48 samples into 990 and a thousand into 6,300).
// A connection is kept for five minutes; after that each request pays for another one, with a resumed TLS session.
const (
	snsRequest, snsSample = 669 + 400, 481 + 80
	gcpRequest, gcpSample = 720 + 150, 6 + 20
	connection            = 1_500
	keptFor               = 300 // seconds
	snsBatch, gcpBatch    = 10, 1000
)

// UplinkBudget predicts what the integrations cost at their sockets, up and down, in megabytes (10^6 bytes) in 30 days, by id: every
// sample as it is taken. What is collected, or sent only when it changes, costs less. A `model: auto` slave counts nothing.
func UplinkBudget(config *configs.Config, catalog *objects.Catalog) map[string]float64 {
	out := map[string]float64{}
	for i := range config.Integrations {
		in := &config.Integrations[i]
		if !in.Enabled {
			continue
		}
		request, sample, batch := float64(snsRequest), float64(snsSample), snsBatch
		if in.Type == configs.GCP {
			request, sample, batch = gcpRequest, gcpSample, gcpBatch
		}
		bytes, sweeps := 0.0, 0.0 // a second
		eachMoment(config, catalog, func(line *configs.Line, slave *configs.Slave, m Moment) {
			n := 0
			for _, r := range m.Reads {
				for _, object := range r.Objects {
					if wants(in, line, slave, object) {
						n++
					}
				}
			}
			if n > 0 {
				sweeps += m.Rate
				requests := (n + batch - 1) / batch
				bytes += m.Rate * (request*float64(requests) + sample*float64(n))
			}
		})
		if sweeps > 0 && sweeps < 1.0/keptFor {
			bytes += sweeps * connection
		}
		out[in.ID] = bytes * 30 * secondsPerDay / 1e6
	}
	return out
}
