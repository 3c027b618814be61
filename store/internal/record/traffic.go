package record

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"
)

// Traffic is what an integration has sent and received, in bytes at its sockets. Days and months are those of UTC. It
// is written with commits that are made in any case, so a kill loses the traffic of the last minute.
type Traffic struct {
	TodaySent, TodayReceived uint64
	MonthSent, MonthReceived uint64
	Sent, Received           uint64 // since the store was made
	// samples accepted again by a replay, since the store was made: their bytes are among the others
	Replayed uint64
}

// Meter has the traffic of an integration, and the day and month to which it belongs.
type Meter struct {
	Traffic
	day, month int64 // to which the counts belong: days since 1970, months since year 0
}

// Turn begins a new day or month.
func (t *Meter) Turn(now time.Time) {
	now = now.UTC()
	day, month := now.Unix()/86400, int64(now.Year())*12+int64(now.Month())
	if day != t.day {
		t.day, t.TodaySent, t.TodayReceived = day, 0, 0
	}
	if month != t.month {
		t.month, t.MonthSent, t.MonthReceived = month, 0, 0
	}
}

// As returns the traffic at a moment: the traffic of yesterday does not count for today.
func (t Meter) As(now time.Time) Traffic {
	t.Turn(now)
	return t.Traffic
}

// KeyTraffic names the traffic of all integrations in the meta bucket.
var KeyTraffic = []byte("traffic")

// trafficVersion is the version of the record; version 1 had no replays.
const trafficVersion byte = 2

// EncodeTraffic returns the record of all integrations' traffic.
func EncodeTraffic(all map[string]Meter) []byte {
	dst := []byte{trafficVersion}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		t := all[id]
		if t.Sent+t.Received == 0 {
			continue
		}
		dst = AppendText(dst, id)
		for _, n := range []uint64{
			t.TodaySent, t.TodayReceived, t.MonthSent, t.MonthReceived, t.Sent, t.Received, uint64(t.day),
			uint64(t.month), t.Replayed,
		} {
			dst = binary.AppendUvarint(dst, n)
		}
	}
	return Seal(KeyTraffic, dst)
}

// DecodeTraffic is the inverse. Traffic that cannot be read begins at zero.
func DecodeTraffic(sealed []byte) map[string]Meter {
	out := map[string]Meter{}
	value, ok := Unseal(KeyTraffic, sealed)
	r := &Reader{B: value}
	version := r.Byte()
	if !ok || version != metaVersion && version != trafficVersion {
		return out
	}
	for len(r.B) > 0 && !r.Failed {
		id := r.Text()
		var t Meter
		var day, month uint64
		for _, n := range []*uint64{
			&t.TodaySent, &t.TodayReceived, &t.MonthSent, &t.MonthReceived, &t.Sent, &t.Received, &day, &month,
		} {
			*n = r.Uvarint()
		}
		if version == trafficVersion {
			t.Replayed = r.Uvarint()
		}
		t.day, t.month = int64(day), int64(month)
		if !r.Failed {
			out[id] = t
		}
	}
	return out
}
