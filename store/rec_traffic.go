package store

import (
	"encoding/binary"
	"maps"
	"slices"
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
func encodeTraffic(all map[string]traffic) []byte {
	dst := []byte{trafficVersion}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		t := all[id]
		if t.Sent+t.Received == 0 {
			continue
		}
		dst = appendText(dst, id)
		for _, n := range []uint64{
			t.TodaySent, t.TodayReceived, t.MonthSent, t.MonthReceived, t.Sent, t.Received, uint64(t.day), uint64(t.month), t.Replayed,
		} {
			dst = binary.AppendUvarint(dst, n)
		}
	}
	return seal(keyTraffic, dst)
}

// decodeTraffic is the inverse. What does not read begins at zero.
func decodeTraffic(sealed []byte) map[string]traffic {
	out := map[string]traffic{}
	value, ok := unseal(keyTraffic, sealed)
	r := &reader{b: value}
	version := r.byte()
	if !ok || version != metaVersion && version != trafficVersion {
		return out
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
		if !r.failed {
			out[id] = t
		}
	}
	return out
}
