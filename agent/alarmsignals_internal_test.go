package agent

import (
	"noi-agent/objects"
	"testing"
)

func TestBellIsForIntegrationsThatHaveTheAlarm(t *testing.T) {
	var b alarmSignals
	sweep := objects.Sweep{
		Samples: []objects.Sample{{Object: "adc_ia"}, {Object: "array_fault"}, {Object: "load_fault"}},
		Routes:  []objects.Route{{Integration: "x", Picked: []int{0, 1}}, {Integration: "y", Picked: []int{0, 2}}},
	}
	changed := []int{1}
	b.ring(&sweep, changed)
	b.ring(&sweep, changed) // does not wait
	if len(b.of("x")) != 1 || len(b.of("y")) != 0 {
		t.Errorf("x rung %d times, y %d times", len(b.of("x")), len(b.of("y")))
	}
}
