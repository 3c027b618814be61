package store_test

import (
	"testing"
	"time"

	"noi-agent/store"
)

// TestTheTimeOfASample has the cases of docs/time.md.
func TestTheTimeOfASample(t *testing.T) {
	floor := time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC)
	boot := floor.Add(10 * time.Hour)
	const up = 5 * time.Minute
	for name, c := range map[string]struct {
		taken      time.Time
		formatTime store.Stamp
		want       time.Time
		estimated  bool
	}{
		"the clock was right": {boot, store.Stamp{Uptime: up, Booted: boot}, boot, false},
		"slow, and the moment of the boot is known": {floor, store.Stamp{Unsure: true, Uptime: up, Booted: boot},
			boot.Add(up), false},
		"1970, and the moment of the boot is known": {time.Unix(300, 0),
			store.Stamp{Unsure: true, Uptime: up, Booted: boot, Floor: floor}, boot.Add(up), false},
		"possible, and the time was never known": {boot, store.Stamp{Unsure: true, Uptime: up, Floor: floor}, boot,
			true},
		"a year ahead, and the time was never known": {boot.AddDate(1, 0, 0),
			store.Stamp{Unsure: true, Uptime: up, Floor: floor}, boot.AddDate(1, 0, 0), true},
		"1970, and the time was never known": {time.Unix(300, 0),
			store.Stamp{Unsure: true, Uptime: up, Floor: floor}, floor.Add(up), true},
		"2099, and the time was never known": {time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
			store.Stamp{Unsure: true, Uptime: up, Floor: floor}, floor.Add(up), true},
		"no uptime, and the time was never known": {time.Unix(300, 0),
			store.Stamp{Unsure: true, Uptime: -1, Booted: boot, Floor: floor}, floor, true},
		"nothing is known": {time.Unix(300, 0), store.Stamp{Unsure: true, Uptime: -1},
			time.Unix(300, 0), true},
	} {
		if at, estimated := c.formatTime.Time(c.taken); !at.Equal(c.want) || estimated != c.estimated {
			t.Errorf("%s: %v, estimated %v; want %v, %v", name, at, estimated, c.want, c.estimated)
		}
	}
}
