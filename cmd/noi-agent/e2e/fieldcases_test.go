package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/modbus/modbustest"
)

// fieldFamily is a device with registers that caused problems for users of other programs.
const fieldFamily = `family: FIELD
max_registers: 20
tables:
  stage: {0: none, 1: float, 2: boost, 3: equalization}
  status: {0: running, 1: fault}
  inverter: {4: MPPT}
  events: {0: GROUND_FAULT}
objects:
  - {address: 0x3201, bits: 0-1, name: status, table: input, encoding: bits16, names: status, interval: 1m}
  - {address: 0x3201, bits: 2-3, name: stage, table: input, encoding: state16, names: stage, interval: 1m}
  - {address: 0x816E, name: current, table: input, encoding: u16, scale: 0.1, times: [direction], unit: A, interval: 1m}
  - {address: 0x816F, name: direction, table: input, encoding: u16, exact: {0x0000: 1, 0x0001: -1}, max: 1, by_name: true, interval: 1m}
  - {address: 0x0103, bits: 0-7, name: T_battery, table: holding, encoding: sm8, unit: °C, by_name: false, interval: 1m}
  - {address: 0x0103, bits: 8-15, name: T_controller, table: holding, encoding: sm8, unit: °C, by_name: false, interval: 1m}
  - {address: 0x0120, bits: 0-7, name: charging, table: holding, encoding: state16, names: stage, by_name: false, interval: 1m}
  - {address: 0x0120, bits: 15, name: load, table: holding, encoding: bool, alarm: true, by_name: false, interval: 1m}
  - {address: 0x0130, name: byte, table: holding, encoding: u8, exact: {0x0081: -1}, by_name: false, interval: 1m}
  - {address: 0x024A, name: T_inverter, table: holding, encoding: u16, scale: 0.1, offset: -100, unit: °C, by_name: false, interval: 1m}
  - {address: 0x0300, name: serial, table: holding, encoding: ascii_hilo, registers: 20, by_name: false, interval: 1m}
  - {address: 0x5000, name: imported, table: holding, encoding: u64, unit: Wh, by_name: false, interval: 1m}
  - {address: 0x5004, name: net, table: holding, encoding: s64, order: CDAB, unit: Wh, by_name: false, interval: 1m}
  - {address: 0x5008, name: voltage, table: holding, encoding: f64, unit: V, by_name: false, interval: 1m}
  - {address: 0x9C93, name: W, table: holding, encoding: s16, times: [W_SF], unit: W, by_name: false, interval: 1m}
  - {address: 0x9C94, name: W_SF, table: holding, encoding: pow10, absent: [0x8000], interval: 1h}
  - {address: 0x9CAB, name: St, table: holding, encoding: state16, absent: [0xFFFF], names: inverter, by_name: false, interval: 1m}
  - {address: 0x9CAD, name: Evt1, table: holding, encoding: bits32, absent: [0xFFFFFFFF], names: events, alarm: true, by_name: false, interval: 1m}
  - {address: 0x2000, name: hot, table: discrete, alarm: true, interval: 1m}
  - {address: 0x200C, name: night, table: discrete, interval: 1m}
  - {address: 0x0002, name: relay, table: coil, by_name: false, interval: 1m}
`

// fieldRegisters are the registers of this device. If it lacks a register, it refuses the whole read, like real
// devices.
func fieldRegisters(function byte, addr, count uint16) ([]uint16, byte) {
	held := map[byte]map[uint16]uint16{
		0x01: {0x0002: 1},
		0x02: {0x2000: 0, 0x200C: 1},
		0x03: {
			0x0103: 0x0581, 0x0120: 0x8002, 0x0130: 0x0581, 0x024A: 1200, 0x9C93: 2345, 0x9C94: 0xFFFF, 0x9CAB: 0xFFFF, 0x9CAD: 0xFFFF, 0x9CAE: 0xFFFF,
			0x5000: 0, 0x5001: 0, 0x5002: 0x0012, 0x5003: 0xD687, 0x5004: 0xFFFE, 0x5005: 0xFFFF, 0x5006: 0xFFFF, 0x5007: 0xFFFF,
			0x5008: 0x406C, 0x5009: 0xD000, 0x500A: 0, 0x500B: 0,
		},
		0x04: {0x3201: 0x0005, 0x816E: 2, 0x816F: 1},
	}[function]
	if function == 0x03 {
		for i := range uint16(20) {
			held[0x0300+i] = 0x3030 + i
		}
	}
	regs := make([]uint16, count)
	for i := range regs {
		v, ok := held[addr+uint16(i)]
		if !ok {
			return nil, modbustest.IllegalAddress
		}
		regs[i] = v
	}
	return regs, 0
}

// fieldValues has the expected values in the messages. St and Evt1 are not implemented and give no sample.
func fieldValues() map[string]string {
	return map[string]string{
		"status": `["running"]`, "stage": `"float"`, "current": "-0.2", "T_battery": "-1", "T_controller": "5", "charging": `"boost"`, "load": "true",
		"byte": "-1", "T_inverter": "20", "serial": `"000102030405060708090:0;0<0=0>0?0@0A0B0C"`, "imported": "1234567", "net": "-2", "voltage": "230.5",
		"W": "234.5", "hot": "false", "night": "true", "relay": "true",
	}
}

func fieldConfig(t *testing.T, w *world) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "field.yaml"), []byte(fieldFamily), 0o600); err != nil {
		t.Fatal(err)
	}
	return clitest.WriteConfig(t, fmt.Sprintf(`families_dir: %s
state_dir: %s/state
lines:
  - {name: rs485, port: %s, baud: 115200, slaves: [{id: 1, model: FIELD, product_code: FIELD, firmware: "1"}]}
integrations:
  - {id: %s, type: gcp, topic: %s, endpoint: "%s"}
buffer: {commit_every: 50ms}
status: {listen: "", socket: %s}
`, dir, w.dir, w.pty.Path(), pubsubID, testTopic, w.pubsub.Addr(), w.socket()))
}

// TestRealMapsEndToEnd runs the daemon and `read` on real register maps. Each value has the meaning of its document,
// no read mixes tables, and registers that are not implemented give no sample.
func TestRealMapsEndToEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &modbustest.Slave{Unit: 1, Read: fieldRegisters})
	config, want := fieldConfig(t, w), fieldValues()
	var read struct {
		Objects []struct {
			Object  string
			Value   json.RawMessage
			NoValue string `json:"no_value"`
		}
	}
	text := mustRead(t, "--json", "--config", config, "status", "stage", "current", "T_battery", "T_controller", "charging", "load", "byte", "T_inverter",
		"serial", "imported", "net", "voltage", "W", "hot", "night", "relay", "St", "Evt1")
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		t.Fatal(err)
	}
	for _, o := range read.Objects {
		none := o.Object == "St" || o.Object == "Evt1"
		var value bytes.Buffer
		if err := json.Compact(&value, o.Value); err != nil {
			t.Fatal(err)
		}
		if none != (o.NoValue != "") || !none && value.String() != want[o.Object] {
			t.Errorf("read %s: %s %q, want %s", o.Object, o.Value, o.NoValue, want[o.Object])
		}
	}
	daemon := w.start(config, nil)
	eventually(t, "every object has come", func() bool { return w.pubsub.Taken() >= len(want) })
	got := map[string]string{}
	for _, m := range w.pubsub.Messages() {
		var sample struct {
			Object string
			Data   json.RawMessage
		}
		if err := json.Unmarshal(m.Body, &sample); err != nil {
			t.Fatal(err)
		}
		got[sample.Object] = string(sample.Data)
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("message of %s: %s, want %s", name, got[name], value)
		}
	}
	if _, ok := got["St"]; ok || len(got) != len(want) {
		t.Errorf("%d objects came, want %d", len(got), len(want))
	}
	if code := daemon.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
}

// `read` shows bits of a bit table one by one.
func TestReadBits(t *testing.T) {
	pty := modbustest.MustServe(t, 115200, 11, &modbustest.Slave{Unit: 1, Read: func(_ byte, addr, count uint16) ([]uint16, byte) {
		bits := make([]uint16, count)
		for i := range bits {
			bits[i] = (addr + uint16(i)) & 1
		}
		return bits, 0
	}})
	text := mustRead(t, "--port", pty.Path(), "--baud", "115200", "--function", "02", "0x2000+20")
	clitest.MustHold(t, text, "function 02, 0x2000+20", "0x2000  false\n0x2001  true\n", "0x2013  true\n")
}
