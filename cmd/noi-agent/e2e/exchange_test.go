package e2e

import (
	"bytes"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/modbus/modbustest"
	"noi-agent/sinks/sinktest/standin"
)

// mount is a place on a line for one controller at a time.
type mount struct {
	plugged atomic.Pointer[modbustest.Slave] // nil: none
	unheard atomic.Int64                     // requests that came while no device was plugged in
}

// slave returns a slave that answers like the device that is connected now. Without a device it does not answer.
func (m *mount) slave() *modbustest.Slave {
	front := &modbustest.Slave{Unit: 1}
	front.Script = func(modbustest.Request) modbustest.Fault {
		in := m.plugged.Load()
		if in == nil {
			m.unheard.Add(1)
			return modbustest.Fault{Silent: true}
		}
		front.Read, front.Identity = in.Read, in.Identity
		return modbustest.Fault{}
	}
	return front
}

// exchange disconnects the device, and connects another one after a request without an answer.
func (m *mount) exchange(t *testing.T, with *modbustest.Slave) {
	t.Helper()
	before := m.unheard.Load()
	m.plugged.Store(nil)
	eventually(t, "a request that no device receives", func() bool { return m.unheard.Load() > before })
	m.plugged.Store(with)
}

// TestAControllerOfAnotherFamilyEndsTheSamplesUntilTheRightOneIsBack exchanges the controller under a running daemon.
func TestAControllerOfAnotherFamilyEndsTheSamplesUntilTheRightOneIsBack(t *testing.T) {
	t.Parallel()
	right, values := fixedSlave(), atomic.Int64{}
	wrong := &modbustest.Slave{
		Identity: &modbustest.Identity{Vendor: "Morningstar Corp.", Product: "TS-60", Revision: "v12"},
		Read: func(_ byte, _, count uint16) ([]uint16, byte) {
			values.Add(1)
			return make([]uint16, count), 0
		},
	}
	m := &mount{}
	m.plugged.Store(right)
	w := newWorld(t, m.slave())
	config := w.config(`objects: [adc_vbterm], intervals: {"*": 200ms}`, "all")
	log := &bytes.Buffer{}
	daemon := exec.CommandContext(t.Context(), buildBinary(t, ".."), "run", "--config", config)
	daemon.Stderr = log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "samples of the right one", func() bool { return w.sns.Taken() > 2 && w.pubsub.Taken() > 2 })

	m.exchange(t, wrong)
	eventually(t, "the fault", func() bool {
		return len(w.problems()) == 1 && w.problems()[0].Code == "slave_wrong_model"
	})
	code, stdout, stderr := run1("status", "--json", "--config", config)
	if code == cli.ExitMisused {
		t.Errorf("status exits %d: %s", code, stderr)
	}
	clitest.MustHold(t, stdout, "the controller says TS-60 (TSPWM", "the configuration says PSPWM", `"remedy"`, "model_check: ignore")
	eventually(t, "what was sampled before is sent", func() bool {
		s := w.status()
		return s.Integrations[0].Backlog == 0 && s.Integrations[1].Backlog == 0
	})
	asked, ended, at := values.Load(), w.sns.Taken()+w.pubsub.Taken(), time.Now()
	eventually(t, "five intervals have passed", func() bool { return time.Since(at) > time.Second })
	if n := values.Load() - asked; n > 0 || w.sns.Taken()+w.pubsub.Taken() > ended {
		t.Errorf("%d requests for values to the wrong controller, and %d samples", n, w.sns.Taken()+w.pubsub.Taken()-ended)
	}

	m.plugged.Store(right) // the daemon identifies the controller again, first after five seconds
	eventually(t, "samples go on", func() bool { return w.sns.Taken()+w.pubsub.Taken() > ended+4 })
	if problems := w.problems(); len(problems) != 0 {
		t.Errorf("problems with the right controller: %+v", problems)
	}
	endOf(t, daemon, log)
	for _, messages := range [][]standin.Message{w.sns.Messages(), w.pubsub.Messages()} {
		for _, message := range messages {
			if data := string(parseBody(t, message.Body).Data); !strings.HasPrefix(data, "12.117") {
				t.Fatalf("a sample of another controller: %s", data)
			}
		}
	}
}
