package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/modbus/modbustest"
)

// exampleFamilies is the directory of the worked example of docs/families.md.
const exampleFamilies = "../../../docs/families"

// meterRegisters are the registers of the example's meter, from its manual: floats with the low word first (230.5 V
// is 0x43668000, 1520.25 mA is 0x44BE0800), 0.951, no probe, 100000 pulses of 5 Wh each, state 1, alarms 1 and 17.
func meterRegisters(function byte, addr, count uint16) ([]uint16, byte) {
	held := map[uint16]uint16{
		0x0000: 0x8000, 0x0001: 0x4366, 0x0002: 0x0800, 0x0003: 0x44BE, 0x0004: 951, 0x0005: 0x8000,
		0x0007: 0x86A0, 0x0008: 0x0001, 0x0009: 5, 0x000A: 1, 0x000B: 0x0002, 0x0014: 0x0002,
	}
	if function == 0x03 {
		held = map[uint16]uint16{0x0100: 0x0001, 0x0101: 0x86A0, 0x0102: 0x4241, 0x0103: 0x5200, 0x0104: 0, 0x0105: 0}
	}
	regs := make([]uint16, count)
	for i := range regs {
		regs[i] = held[addr+uint16(i)]
	}
	return regs, 0
}

// TestUsersFamilyIsReadLikeABuiltInOne runs the daemon with the example's family file and its meter. `model: auto`
// finds the meter, and the values are those of its manual.
func TestUsersFamilyIsReadLikeABuiltInOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &modbustest.Slave{
		Unit: 1, Read: meterRegisters,
		Identity: &modbustest.Identity{Vendor: "Example Instruments", Product: "EI-X200-3", Revision: "2.1"},
	})
	config := clitest.WriteConfig(t, fmt.Sprintf(`families_dir: %s
state_dir: %s/state
lines:
  - {name: rs485, port: %s, baud: 115200, slaves: [{id: 1, model: auto, objects: "all, label, pulse_weight"}]}
integrations:
  - {id: %s, type: gcp, topic: %s, endpoint: "%s"}
buffer: {commit_every: 50ms}
status: {listen: "", socket: %s}
`, exampleFamilies, w.dir, w.pty.Path(), pubsubID, testTopic, w.pubsub.Addr(), w.socket()))
	if code, stdout, stderr := run1("check", "--config", config); code != cli.ExitDone {
		t.Fatalf("check exits %d: %s%s", code, stdout, stderr)
	}
	want := map[string]string{
		"voltage": "230.5", "current": "1.52025", "power_factor": "0.951", "energy": "500000", "pulse_weight": "5", "state": `"FEEDING"`,
		"alarms": `["over_current","door_open"]`, "service_hours": "100000", "label": `"BAR"`, // T_probe: no probe
	}
	daemon := w.start(config, nil)
	eventually(t, "every object but T_probe has come", func() bool { return w.pubsub.Taken() >= len(want) })
	for _, m := range w.pubsub.Messages() {
		var got struct {
			Object, Slave string
			Data          json.RawMessage
			FWVersion     string `json:"fw_version"`
		}
		if err := json.Unmarshal(m.Body, &got); err != nil {
			t.Fatal(err)
		}
		if string(got.Data) != want[got.Object] || got.Slave != "EI-X200-3" || got.FWVersion != "X200 1.0.10" {
			t.Errorf("%s, want %s", m.Body, want[got.Object])
		}
	}
	daemon.signals <- os.Interrupt
	if code := <-daemon.code; code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
}

// triStar answers as a TriStar MPPT with V_PU 78.01425 (the vendor's example) and I_PU 80; the battery at 0.3125 of full scale.
func triStar(_ byte, addr, count uint16) ([]uint16, byte) {
	held := map[uint16]uint16{0x0000: 78, 0x0001: 934, 0x0002: 80, 0x0003: 0, 0x0004: 0x0012, 0x0018: 0x2800, 0x001C: 0xFF00, 0x0024: 0x0080, 0x003A: 0x1000}
	regs := make([]uint16, count)
	for i := range regs {
		regs[i] = held[addr+uint16(i)]
	}
	return regs, 0
}

// TestScaleIsReadInTheSameExchange runs the daemon on a controller whose values need their full scale. Every read of
// such a value includes the scale.
func TestScaleIsReadInTheSameExchange(t *testing.T) {
	t.Parallel()
	slave := &modbustest.Slave{
		Unit: 1, Read: triStar,
		Identity: &modbustest.Identity{Vendor: "Morningstar Corp.", Product: "TS-MPPT-60", Revision: "v01.02.12"},
	}
	slave.Script = func(r modbustest.Request) modbustest.Fault {
		if r.Function == 0x04 && r.Addr != 0 {
			t.Errorf("a read of %d registers from 0x%04X leaves the scale out", r.Count, r.Addr)
		}
		return modbustest.Fault{}
	}
	w := newWorld(t, slave)
	config := clitest.WriteConfig(t, fmt.Sprintf(`families_dir: ""
state_dir: %s/state
lines:
  - {name: rs485, port: %s, baud: 115200, slaves: [{id: 1, model: auto, objects: [adc_vb_f_med, adc_ib_f_shadow, power_out_shadow, T_rts]}]}
integrations:
  - {id: %s, type: gcp, topic: %s, endpoint: "%s"}
buffer: {commit_every: 50ms}
status: {listen: "", socket: %s}
`, w.dir, w.pty.Path(), pubsubID, testTopic, w.pubsub.Addr(), w.socket()))
	want := map[string]string{"adc_vb_f_med": "24.379454", "adc_ib_f_shadow": "-0.625", "power_out_shadow": "195.035629"}
	daemon := w.start(config, nil)
	eventually(t, "three values have come", func() bool { return w.pubsub.Taken() >= len(want) })
	for _, m := range w.pubsub.Messages() {
		var got struct {
			Object string
			Data   json.RawMessage
		}
		if err := json.Unmarshal(m.Body, &got); err != nil {
			t.Fatal(err)
		}
		if string(got.Data) != want[got.Object] {
			t.Errorf("%s, want %s", m.Body, want[got.Object])
		}
	}
	if code := daemon.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
}
