package agent

import (
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/agent/poll"
	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"
)

// The log reports commits even if sweeps come faster than commits are made.
func TestCommitsAreToldThoughSweepsGoOnComing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := storetest.MustOpen(t, store.Options{Limits: store.Limits{CommitEvery: time.Second}, Now: time.Now})
		if err := st.SetIntegrations([]store.Integration{{ID: "FFjU28MMaL3W9B9hhhhH", Topic: "T"}}); err != nil {
			t.Fatal(err)
		}
		parsed, _ := parseConfig(t, "integrations:\n  - {id: FFjU28MMaL3W9B9hhhhH, type: gcp, topic: projects/test-project/topics/Main}\n")
		in, log := make(chan *poll.Sweep), &countedLog{}
		sm := &sampler{store: st, log: slog.New(log), in: in, ledger: newLedger(1, nil), alarms: map[objectKey]string{}, signals: &alarmSignals{},
			changes: changes{elapsed: func() time.Duration { return 0 }}}
		sm.route(parsed.Integrations[:1], 0)
		ended := make(chan error)
		go func() { ended <- sm.run(t.Context()) }()
		for range 100 {
			got := takenAt(time.Now(), time.Now().Add(-time.Hour), false, "Et_float")
			got.Samples[0].Value = objects.Number(1)
			in <- got
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		// The log may report a commit in two lines, because its sweeps learn of it one after the other. So the number
		// is a minimum.
		if n := log.count("committed"); n < 9 {
			t.Errorf("%d commits were reported in ten seconds", n)
		}
		close(in)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestAFaultThatComesOrGoesIsUrgent(t *testing.T) {
	sm := &sampler{alarms: map[objectKey]string{}}
	for i, c := range []struct {
		object string
		value  objects.Value
		want   bool
	}{
		{"array_fault", objects.Bits(nil), false}, // no fault from the start
		{"array_fault", objects.Bits([]string{"overcurrent"}), true},
		{"array_fault", objects.Bits([]string{"overcurrent"}), false},
		{"alarm", objects.Bits([]string{"high_temp"}), true},
		{"array_fault", objects.Bits(nil), true},
		{"dip_switch", objects.Bits([]string{"s1"}), false},
		{"alarm_on_setting_change", objects.Number(1), false},       // a setting
		{"array_fault_daily", objects.Bits([]string{"hot"}), false}, // kept for the day: no family marks it as a fault
		{"charge_error", objects.Text("OVERHEAT"), true},            // a state
		{"charge_error", objects.Text("OVERHEAT"), false},
		{"charge_error", objects.Text("NONE"), true},
	} {
		alarm := slices.Contains([]string{"array_fault", "alarm", "charge_error"}, c.object)
		samples := []objects.Sample{{Object: "adc_vbterm", Value: objects.Number(12)}, {Object: c.object, Value: c.value, Alarm: alarm}}
		if got := len(sm.alarming("a/1", samples)) > 0; got != c.want {
			t.Errorf("step %d: %s %v urgent %v", i, c.object, c.value, got)
		}
	}
	if len(sm.alarming("a/2", []objects.Sample{{Object: "array_fault", Value: objects.Bits([]string{"overcurrent"}), Alarm: true}})) != 1 {
		t.Error("the same fault of another controller does not count as new")
	}
}
