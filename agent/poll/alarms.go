package poll

import (
	"fmt"
	"maps"
	"noi-agent/status/api"
	"slices"
	"strings"
	"time"
)

// alarm is a fault or an alarm that a controller reports of itself.
type alarm struct {
	names  []string  // names of the active bits or the state; never changed
	since  time.Time // when it was first read, by the gateway's clock as it was
	booted time.Time // moment of the boot by that clock
}

// alarms are the faults and alarms that one slave reports now, by object.
type alarms map[string]alarm

// see notes a reading. If the bits of an active alarm change, the alarm keeps its begin.
func (a alarms) see(r reading) {
	if len(r.active) == 0 {
		delete(a, r.object)
		return
	}
	now := alarm{names: r.active, since: r.at, booted: r.booted}
	if before, ok := a[r.object]; ok {
		now.since, now.booted = before.since, before.booted
	}
	a[r.object] = now
}

// problems lists the alarms by object. shown returns the wall time of a moment, by the clock as it is known now.
func (a alarms) problems(subject, slave string, shown func(at, booted time.Time) time.Time) (list []api.Problem) {
	for _, object := range slices.Sorted(maps.Keys(a)) {
		what := object + ": " + strings.Join(a[object].names, ", ")
		list = append(list, api.SlaveAlarm.Of(subject, shown(a[object].since, a[object].booted),
			fmt.Sprintf("%s reports %s", slave, what)).With("alarm", what))
	}
	return list
}
