package poll

import (
	"errors"
	"testing"
	"time"

	"noi-agent/modbus"
)

// TestALineThatFailsAgainKeepsTheBeginOfItsFault: the begin stays until the line was open.
func TestALineThatFailsAgainKeepsTheBeginOfItsFault(t *testing.T) {
	var b board
	start := time.Now()
	b.begin(0, start)
	at := func(s time.Duration) (time.Duration, time.Time) { return s * time.Second, start.Add(s * time.Second) }
	fail := func(s time.Duration, text string) {
		elapsed, wall := at(s)
		b.failed(errors.New(text), elapsed, wall)
	}
	fail(1, "first")
	fail(5, "second")
	if v := b.snapshot(); v.state != lineFailed || v.err != "second" || v.begun != time.Second ||
		!v.since.Equal(start.Add(time.Second)) {
		t.Errorf("after two failures: %+v", v)
	}
	b.opened()
	if v := b.snapshot(); v.state != LineOK || v.err != "" || v.fault != nil {
		t.Errorf("open: %+v", v)
	}
	fail(9, "third")
	if v := b.snapshot(); v.begun != 9*time.Second {
		t.Errorf("the third failure began at %v, want 9s", v.begun)
	}
}

// TestASnapshotIsACopy: later records of the poller do not change a snapshot.
func TestASnapshotIsACopy(t *testing.T) {
	var b board
	b.begin(2, time.Now())
	b.remember(1, []reading{{object: "faults", active: []string{"overcurrent"}}, {object: "adc_va", none: true}})
	b.show([]slaveView{{cfgID: 1}, {cfgID: 2}}, modbus.Counters{}, true, time.Second, time.Now())
	before := b.snapshot()
	b.forgetAlarms(1)
	b.lose(3)
	b.show([]slaveView{{cfgID: 7}}, modbus.Counters{}, true, 2*time.Second, time.Now())
	if len(before.alarms[1]) != 1 || len(before.alarms[0]) != 0 || before.lost != 0 || before.slaves[1].cfgID != 2 {
		t.Errorf("the snapshot has changed: %+v", before)
	}
	if after := b.snapshot(); len(after.alarms[1]) != 0 || after.lost != 3 || after.slaves[0].cfgID != 7 {
		t.Errorf("the next one: %+v", after)
	}
}
