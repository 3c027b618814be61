package agent_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"noi-agent/agent"
	"noi-agent/modbus"
)

// opened runs an agent of one line until it opens its port, and returns the settings of the port.
func opened(t *testing.T, keys string) (settings modbus.Settings) {
	t.Helper()
	text := "state_dir: " + t.TempDir() + "\nlines:\n- {name: a, port: /dev/ttyA, slaves: [{id: 1}]" + keys + "}\n"
	synctest.Test(t, func(t *testing.T) {
		asked := make(chan modbus.Settings, 1)
		s := begin(t, text, agent.Options{OpenPort: func(m modbus.Settings) (modbus.Port, error) {
			select {
			case asked <- m:
			default: // a further try: only the first one counts
			}
			return nil, errors.New("no port here")
		}})
		settings = <-asked
		s.stop()
	})
	return settings
}

func TestLineIsOpenedAsConfigured(t *testing.T) {
	want := modbus.Settings{
		Port: "/dev/ttyA", Baud: 9600, DataBits: 8, StopBits: 2, Parity: "none",
		RS485: modbus.RS485{Mode: "off", Polarity: "high"}, LowLatency: "auto", TransactionID: "check",
	}
	if d := cmp.Diff(want, opened(t, "")); d != "" {
		t.Errorf("defaults: %s", d)
	}
	want.RS485 = modbus.RS485{Mode: "kernel", Before: time.Millisecond, After: 2 * time.Millisecond, Polarity: "low"}
	want.DTR, want.LowLatency = "off", "on"
	keys := ", rs485: kernel, rs485_delay_before: 1ms, rs485_delay_after: 2ms, rs485_polarity: low, dtr: off, low_latency: on"
	if d := cmp.Diff(want, opened(t, keys)); d != "" {
		t.Errorf("hardware: %s", d)
	}
	if got := opened(t, ", rts: on"); got.RTS != "on" {
		t.Errorf("RTS %q", got.RTS)
	}
}
