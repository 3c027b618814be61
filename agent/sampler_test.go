package agent

import (
	"testing"

	"noi-agent/objects"
)

func TestAFaultThatComesOrGoesIsUrgent(t *testing.T) {
	sm := &sampler{alarms: map[objectKey]string{}}
	for i, c := range []struct {
		object string
		value  objects.Value
		want   bool
	}{
		{"array_fault", objects.Bits(nil), false}, // clear from the start
		{"array_fault", objects.Bits([]string{"overcurrent"}), true},
		{"array_fault", objects.Bits([]string{"overcurrent"}), false},
		{"alarm", objects.Bits([]string{"high_temp"}), true},
		{"array_fault", objects.Bits(nil), true},
		{"dip_switch", objects.Bits([]string{"s1"}), false},
		{"alarm_on_setting_change", objects.Number(1), false}, // a setting
	} {
		samples := []objects.Sample{{Object: "adc_vbterm", Value: objects.Number(12)}, {Object: c.object, Value: c.value}}
		if got := sm.alarming("a/1", samples); got != c.want {
			t.Errorf("step %d: %s %v urgent %v", i, c.object, c.value, got)
		}
	}
	if !sm.alarming("a/2", []objects.Sample{{Object: "array_fault", Value: objects.Bits([]string{"overcurrent"})}}) {
		t.Error("the same fault of another controller is no news")
	}
}
