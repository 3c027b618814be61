package agent_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
)

// TestAMuteObjectThatIsAskedAloneDoesNotMakeItsSlaveSilent: the slave does not answer for one object, which is due
// more often than the other one. When the slave is really away, the status still shows this.
func TestAMuteObjectThatIsAskedAloneDoesNotMakeItsSlaveSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		var away atomic.Bool
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			return modbustest.Fault{Silent: holds(r, 0x13) || away.Load()}
		}
		config := strings.Replace(threeObjects, `[adc_vbterm, adc_va, adc_vl], intervals: {"*": 10s}`,
			"[adc_vbterm, adc_va], intervals: {adc_va: 10s, adc_vbterm: 1m}", 1)
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(10 * time.Minute)
		for range 600 {
			time.Sleep(time.Second)
			if st := s.status(); len(st.Problems) != 1 || st.Problems[0].Code != "object_refused" {
				t.Fatalf("%v: problems %+v", time.Now(), st.Problems)
			}
		}
		away.Store(true)
		time.Sleep(2 * time.Minute)
		st := s.status()
		s.stop()
		if problemOf(st, "slave_silent") == nil {
			t.Errorf("the slave is away, and the problems are %+v", st.Problems)
		}
		// depends on whether the last moment was before the end
		if got := s.counted()["adc_vbterm"]; got < 20 || got > 21 {
			t.Errorf("adc_vbterm was sampled %d times in 20 minutes, want 21", got)
		}
	})
}
