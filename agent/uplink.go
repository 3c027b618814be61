package agent

import (
	"math"

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
	PerSample     *float64 `json:"sent_per_sample"` // since the store was made, samples sent again by a replay included; null before the first
}

func uplinkOf(t store.Traffic, sent uint64) Uplink {
	u := Uplink{TodaySent: t.TodaySent, TodayReceived: t.TodayReceived, MonthSent: t.MonthSent, MonthReceived: t.MonthReceived}
	if samples := sent + t.Replayed; samples > 0 {
		mean := math.Round(10*float64(t.Sent)/float64(samples)) / 10
		u.PerSample = &mean
	}
	return u
}
