package agent_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
)

// Counters and latest values continue when a reload restarts a line and an integration.
func TestCountersGoOnAfterAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const config = oneObject + "device_id: 5300520006504b5957343920\n"
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		time.Sleep(10*time.Minute + 5*time.Second)
		before := s.status()
		s.reloadIn(s.dir, strings.NewReplacer("10s", "1h", "name: x", "attributes: none, id: "+before.Integrations[0].ID).Replace(config))
		after := s.status()
		s.stop()
		old, now := before.Lines[0], after.Lines[0]
		if old.Counters.Requests < 60 || now.Counters.Requests < old.Counters.Requests {
			t.Errorf("the line's requests: %d before, %d after", old.Counters.Requests, now.Counters.Requests)
		}
		if c := now.Slaves[0].Counters.Replies; c < old.Slaves[0].Counters.Replies {
			t.Errorf("the controller's replies: %d before, %d after", old.Slaves[0].Counters.Replies, c)
		}
		if good := now.Slaves[0].LastGood; good == nil || good.Before(*old.Slaves[0].LastGood) {
			t.Errorf("last good reply: %v before, %v after", old.Slaves[0].LastGood, good)
		}
		if at := after.Integrations[0].LastSuccess; at == nil || !at.Equal(*before.Integrations[0].LastSuccess) {
			t.Errorf("last success: %v before, %v after", before.Integrations[0].LastSuccess, at)
		}
		if now.Load <= 0 || now.Load > 1 || len(after.Problems) != len(before.Problems) {
			t.Errorf("load %v, problems %+v", now.Load, after.Problems)
		}
	})
}

func TestSentenceNamesTheWorstProblem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		silent := silenced(slave)
		s := start(t, oneObject, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(25 * time.Second)
		if got := s.agent.Sentence(); got != "✓ Everything works." {
			t.Error(got)
		}
		silent.Store(true)
		time.Sleep(time.Minute)
		if got := s.agent.Sentence(); got != "✗ Samples are being lost since 00:00:30. PS-PWM-30M at a/1 does not answer (a/1, slave_silent)" {
			t.Error(got)
		}
		s.agent.ConfigRefused(errors.New("config.yaml:1: no"))
		// the worst problem is still the same
		if got := s.agent.Sentence(); !strings.HasSuffix(got, "(a/1, slave_silent)") {
			t.Error(got)
		}
		s.stop()
	})
}
