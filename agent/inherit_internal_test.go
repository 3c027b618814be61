package agent

import (
	"testing"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/modbus"
)

// A line that is configured anew still shows that samples were lost.
func TestAReloadKeepsTheLossesOfALine(t *testing.T) {
	c := clock.Clock{Now: time.Now, Elapsed: func() time.Duration { return time.Minute }}
	before := &poller{clock: c, line: modbus.NewLine(modbus.Options{})}
	before.lose(3)
	before.show()
	after := &poller{clock: c, line: modbus.NewLine(modbus.Options{})}
	after.inherit(before)
	if v := after.view; v.lost != 3 || !v.losses.live(time.Minute) || !v.losses.since.Equal(before.view.losses.since) {
		t.Errorf("lost %d, %+v; want 3, %+v", v.lost, v.losses, before.view.losses)
	}
}
