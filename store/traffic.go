package store

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Traffic is what an integration has sent and received, in bytes at its sockets. Days and months are those of UTC. It is
// written with commits that are made anyway: a kill loses the last minute's.
type Traffic struct {
	TodaySent, TodayReceived uint64
	MonthSent, MonthReceived uint64
	Sent, Received           uint64 // since the store was made
	Replayed                 uint64 // samples accepted again by a replay, since the store was made: their bytes are among the others
}

// traffic is what an integration keeps of it.
type traffic struct {
	Traffic
	day, month int64 // to which the counts belong: days since 1970, months since year 0
}

// CountTraffic adds to an integration's traffic. While the clock is not known to be right, it goes to the day that was the last
// one. It fails with ErrUnknownIntegration, with ErrClosed, and with what stopped the store.
func (s *Store) CountTraffic(integration string, sent, received uint64) error {
	if sent == 0 && received == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.integration(integration)
	if err != nil {
		return fmt.Errorf("count traffic: %w", err)
	}
	t := &it.traffic
	if s.opts.Clock.good() {
		t.turn(s.opts.Now())
	}
	for _, n := range []*uint64{&t.TodaySent, &t.MonthSent, &t.Sent} {
		*n += sent
	}
	for _, n := range []*uint64{&t.TodayReceived, &t.MonthReceived, &t.Received} {
		*n += received
	}
	return nil
}

// turn begins a new day or month.
func (t *traffic) turn(now time.Time) {
	now = now.UTC()
	day, month := now.Unix()/86400, int64(now.Year())*12+int64(now.Month())
	if day != t.day {
		t.day, t.TodaySent, t.TodayReceived = day, 0, 0
	}
	if month != t.month {
		t.month, t.MonthSent, t.MonthReceived = month, 0, 0
	}
}

// as returns the traffic as of a moment: yesterday's is not today's.
func (t traffic) as(now time.Time) Traffic {
	t.turn(now)
	return t.Traffic
}

// keyTraffic names the traffic of all integrations in the meta bucket.
var keyTraffic = []byte("traffic")

// trafficVersion is that of the record; the first one knew nothing of replays.
const trafficVersion byte = 2

// encodeTraffic returns the record of all integrations' traffic.
func encodeTraffic(list []*integration) []byte {
	dst := []byte{trafficVersion}
	for _, it := range list {
		t := it.traffic
		if t.Sent+t.Received == 0 {
			continue
		}
		dst = appendText(dst, it.ID)
		for _, n := range []uint64{
			t.TodaySent, t.TodayReceived, t.MonthSent, t.MonthReceived, t.Sent, t.Received, uint64(t.day), uint64(t.month), t.Replayed,
		} {
			dst = binary.AppendUvarint(dst, n)
		}
	}
	return seal(keyTraffic, dst)
}

// loadTraffic gives the integrations what the record says; one that does not read begins at zero.
func (m *image) loadTraffic(sealed []byte) {
	value, ok := unseal(keyTraffic, sealed)
	r := &reader{b: value}
	version := r.byte()
	if !ok || version != metaVersion && version != trafficVersion {
		return
	}
	for len(r.b) > 0 && !r.failed {
		id := r.text()
		var t traffic
		var day, month uint64
		for _, n := range []*uint64{
			&t.TodaySent, &t.TodayReceived, &t.MonthSent, &t.MonthReceived, &t.Sent, &t.Received, &day, &month,
		} {
			*n = r.uvarint()
		}
		if version == trafficVersion {
			t.Replayed = r.uvarint()
		}
		t.day, t.month = int64(day), int64(month)
		if it := m.integrations[id]; it != nil && !r.failed {
			it.traffic = t
		}
	}
}
