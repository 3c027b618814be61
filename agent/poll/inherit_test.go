package poll

import (
	"testing"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/modbus"
)

// A line with a new configuration still shows that samples were lost.
func TestAReloadKeepsTheLossesOfALine(t *testing.T) {
	c := clock.Clock{Now: time.Now, Elapsed: func() time.Duration { return time.Minute }}
	before := &Poller{clock: c, line: modbus.NewLine(modbus.Options{})}
	before.board.lose(3)
	before.show()
	after := &Poller{clock: c, line: modbus.NewLine(modbus.Options{})}
	after.Inherit(before)
	v, losses := after.board.snapshot(), before.board.snapshot().losses
	if v.lost != 3 || !v.losses.Live(time.Minute) || !v.losses.Since.Equal(losses.Since) {
		t.Errorf("lost %d, %+v; want 3, %+v", v.lost, v.losses, losses)
	}
}
