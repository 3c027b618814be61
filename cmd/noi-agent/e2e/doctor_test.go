package e2e

import (
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"

	"noi-agent/modbus/modbustest"
	"noi-agent/status/api"
)

// diagnose runs `noi-agent doctor`. It returns the findings whose subject begins with a text, as "level id" and
// evidence.
func diagnose(t *testing.T, config, subject string, args ...string) string {
	t.Helper()
	_, stdout, stderr := run1(append([]string{"doctor", "--json", "--config", config}, args...)...)
	var d api.Diagnosis
	if err := json.Unmarshal([]byte(stdout), &d); err != nil {
		t.Fatalf("%v: %s%s", err, stdout, stderr)
	}
	var found []string
	for _, f := range d.Findings {
		if strings.HasPrefix(f.Subject, subject) {
			found = append(found, string(f.Level)+" "+f.ID+": "+f.Evidence)
		}
	}
	return strings.Join(found, "\n")
}

// TestDoctorAsksControllersAndCloudsWithoutADaemon checks a real port with a controller that answers and then is
// silent. Then it sends a test message to both clouds.
func TestDoctorAsksControllersAndCloudsWithoutADaemon(t *testing.T) {
	var silent atomic.Bool
	slave := fixedSlave()
	slave.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: silent.Load()} }
	w := newWorld(t, slave)
	config := w.config(`objects: [adc_vbterm]`, "all")
	if got, want := diagnose(t, config, "rs485"), "ok controllers: 1 controller: all answer"; got != want {
		t.Errorf("the line: %s; want %s", got, want)
	}
	if n := w.sns.Taken() + w.pubsub.Taken(); n != 0 {
		t.Errorf("doctor has sent %d messages without a request", n)
	}
	silent.Store(true)
	if got, want := diagnose(t, config, "rs485"), "fault slave_silent: unit 1 does not answer"; got != want {
		t.Errorf("a silent line: %s; want %s", got, want)
	}
	silent.Store(false)
	if got := diagnose(t, config, "main-", "--send"); strings.Count(got, "ok cloud_message: accepted, message id ") != 2 {
		t.Errorf("the clouds: %s", got)
	}
	if w.sns.Taken() != 1 || w.pubsub.Taken() != 1 {
		t.Errorf("SNS has %d test messages, Pub/Sub %d", w.sns.Taken(), w.pubsub.Taken())
	}
}
