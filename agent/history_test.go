package agent_test

import (
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/status/api"
)

const historyConfig = `
lines: [{name: rs485, port: A, slaves: [{id: 1, model: PSPWM, objects: "adc_vbterm, charge_state"}]}]
`

// TestTheHistoryOfASilentControllerHasAGap: a controller answers for an hour, then not for half an hour, then again.
func TestTheHistoryOfASilentControllerHasAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		silent := silenced(slave)
		s := start(t, historyConfig, map[string]*modbustest.Pipe{"A": modbustest.NewPipe(9600, 11, slave)})
		defer s.stop()
		time.Sleep(time.Hour)
		silent.Store(true)
		time.Sleep(30 * time.Minute)

		now, ok := s.agent.History("rs485", 1, "adc_vbterm", 24*time.Hour)
		if n := len(now.Gaps); !ok || n != 1 || now.Gaps[0].Reason != "bus: no answer" || !now.Gaps[0].To.Equal(now.To) {
			t.Errorf("while the controller is silent: %t, %+v; want a gap up to %v", ok, now.Gaps, now.To)
		}
		silent.Store(false)
		time.Sleep(30 * time.Minute)

		for _, object := range []string{"adc_vbterm", "charge_state"} {
			got, ok := s.agent.History("rs485", 1, object, 24*time.Hour)
			if !ok || len(got.Gaps) != 1 || got.Gaps[0].Reason != "bus: no answer" ||
				got.Gaps[0].To.Sub(got.Gaps[0].From).Round(10*time.Minute) != 30*time.Minute {
				t.Errorf("%s: %t, gaps %+v, want one of half an hour", object, ok, got.Gaps)
			}
			if len(got.Buckets) < 28 && len(got.Runs) != 2 {
				t.Errorf("%s: %d buckets, %d runs", object, len(got.Buckets), len(got.Runs))
			}
		}
	})
}

func TestTheHistoryOfWhatIsNotPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		silent := silenced(slave)
		silent.Store(true)
		s := start(t, historyConfig+"status: {history: off}", map[string]*modbustest.Pipe{"A": modbustest.NewPipe(9600, 11, slave)})
		defer s.stop()
		time.Sleep(time.Minute)
		for _, asked := range []struct {
			line   string
			unit   int
			object string
			ok     bool
		}{
			{"rs485", 1, "adc_vbterm", true}, {"rs485", 1, "adc_va", false}, {"rs485", 2, "adc_vbterm", false},
			{"rs485", 257, "adc_vbterm", false}, {"other", 1, "adc_vbterm", false},
		} {
			got, ok := s.agent.History(asked.line, asked.unit, asked.object, time.Hour)
			if ok != asked.ok || ok && (got.Unit != "V" || got.Kind != api.HistoryNumber || got.Buckets == nil) {
				t.Errorf("%+v: %t, %+v", asked, ok, got)
			}
		}
	})
}
