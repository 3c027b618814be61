package poll_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/agent/poll"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
	"noi-agent/objects"
)

// polled is a line with one ProStar PWM, whose objects are all read in each sweep.
type polled struct {
	poller *poll.Poller
	sweeps chan *poll.Sweep
	begun  time.Time
}

// startPoller starts a poller in virtual time, which hands its sweeps to sweeps.
func startPoller(t *testing.T, baud, interval string, slave *modbustest.Slave, sweeps chan *poll.Sweep) *polled {
	t.Helper()
	catalog, err := objects.LoadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	parsed, faults := configs.Parse([]byte("clock: {source: system}\nlines:\n  - {name: a, port: /dev/ttyA, baud: "+baud+
		", slaves: [{id: 1, model: PSPWM, product_code: X, firmware: v1, objects: all, intervals: {\"*\": "+interval+"}}]}\n"),
		catalog)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	p := &polled{sweeps: sweeps, begun: time.Now()}
	line := &parsed.Lines[0]
	pipe := modbustest.NewPipe(line.Baud, 11, slave)
	c := clock.Clock{Now: time.Now, Elapsed: func() time.Duration { return time.Since(p.begun) }}
	c.Wall = clock.NewWall(clock.Options{Now: c.Now, Elapsed: c.Elapsed, Keys: parsed.Clock,
		Log: slog.New(slog.DiscardHandler)})
	c.Wall.Begin(forgetful{})
	p.poller = poll.New(line, poll.Options{Catalog: catalog, Version: "1", Clock: c, Log: slog.New(slog.DiscardHandler),
		Sweeps: p.sweeps, OpenPort: func(modbus.Settings) (modbus.Port, error) { return pipe.Dial() }})
	p.poller.Start(t.Context())
	return p
}

// forgetful knows no times and keeps nothing.
type forgetful struct{}

func (forgetful) LastGood() time.Time { return time.Time{} }
func (forgetful) Booted() time.Time   { return time.Time{} }
func (forgetful) SetBooted(time.Time) {}

// TestABusyLineComesBeforeTheHandover: between two sweeps the line is idle only for its silence. The poller hands on
// a sweep when the next request is on the wire. Otherwise the later work, up to the clouds, would use the processor
// when the line needs it.
func TestABusyLineComesBeforeTheHandover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := modbus.Settings{Baud: 115200}
		sweeps := make(chan *poll.Sweep, 1000)
		var quiet time.Time // end of the last reply and of the silence after it
		requests, handed := 0, 0
		slave := &modbustest.Slave{Unit: 1, Read: modbustest.OwnAddress}
		slave.Script = func(r modbustest.Request) (f modbustest.Fault) {
			more := len(sweeps) - handed
			handed += more
			late := time.Since(quiet)
			quiet = time.Now().Add(settings.WireTime(8+5+2*int(r.Count)) + settings.Silence())
			if requests++; requests <= 10 { // the start has probes
				return f
			}
			if late > time.Millisecond/10 {
				t.Errorf("request %d is %v late", requests, late)
			}
			switch first := r.Addr == 0; {
			case first && more > 0:
				t.Errorf("request %d waited until a sweep was handed on", requests)
			case !first && more != 1:
				t.Errorf("%d sweeps were handed on during request %d, want 1", more, requests-1)
			}
			return f
		}
		p := startPoller(t, "115200", "10ms", slave, sweeps)
		time.Sleep(5 * time.Second)
		p.poller.Stop()
		if left := requests/2 - len(sweeps); requests < 400 || left > 3 {
			t.Errorf("%d requests, and %d sweeps handed on", requests, len(sweeps))
		}
	})
}

// TestALineWithAPauseHandsOnAtOnce: if nothing is due, a sweep does not wait for the next request.
func TestALineWithAPauseHandsOnAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startPoller(t, "9600", "10s", &modbustest.Slave{Unit: 1, Read: modbustest.OwnAddress},
			make(chan *poll.Sweep, 1000))
		defer p.poller.Stop()
		for range 3 {
			sweep := <-p.sweeps
			if late := time.Since(sweep.Samples[len(sweep.Samples)-1].SampledAt); late > 0 {
				t.Errorf("handed on after %v", late)
			}
		}
	})
}
