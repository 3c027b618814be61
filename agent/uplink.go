package agent

import (
	"math"

	"noi-agent/status/api"
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

func uplinkOf(t store.Traffic, sent uint64) api.Uplink {
	u := api.Uplink{TodaySent: t.TodaySent, TodayReceived: t.TodayReceived, MonthSent: t.MonthSent, MonthReceived: t.MonthReceived}
	if samples := sent + t.Replayed; samples > 0 {
		mean := math.Round(10*float64(t.Sent)/float64(samples)) / 10
		u.PerSample = &mean
	}
	return u
}
