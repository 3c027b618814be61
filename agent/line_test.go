package agent_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"noi-agent/agent"
	"noi-agent/configs"
	"noi-agent/modbus"
)

// opened runs an agent of one line until it opens its port, and returns with which settings.
func opened(t *testing.T, keys string) (settings modbus.Settings) {
	t.Helper()
	catalog := mustCatalog(t)
	text := "state_dir: " + t.TempDir() + "\nlines:\n- {name: a, port: /dev/ttyA, slaves: [{id: 1}]" + keys + "}\n"
	parsed, faults := configs.Parse([]byte(text), catalog)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		asked := make(chan modbus.Settings, 1)
		a, err := agent.New(agent.Options{
			Config: parsed, Catalog: catalog, Version: "1.0.10", Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
			OpenPort: func(m modbus.Settings) (modbus.Port, error) {
				select {
				case asked <- m:
				default: // it tries again; the first one counts
				}
				return nil, errors.New("no port here")
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		settings = <-asked
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return settings
}

func TestLineIsOpenedAsConfigured(t *testing.T) {
	want := modbus.Settings{
		Port: "/dev/ttyA", Baud: 9600, DataBits: 8, StopBits: 2, Parity: "none",
		RS485: modbus.RS485{Mode: "off", Polarity: "high"}, LowLatency: "auto",
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
