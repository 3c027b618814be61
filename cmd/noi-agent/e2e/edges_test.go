package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/modbus/modbustest"
)

// lastFamily has objects that end at the last address.
const lastFamily = `family: LAST
max_registers: 125
objects:
  - {address: 0xFFC0, name: text, table: holding, encoding: ascii_hilo, registers: 64, interval: 1m}
  - {address: 0xFFFE, name: dry, table: discrete, interval: 1m}
  - {address: 0xFFFF, name: wet, table: discrete, interval: 1m}
  - {address: 0xFFFF, name: lit, table: coil, interval: 1m}
`

// lastText is 128 characters, which is 64 registers.
var lastText = strings.Repeat("0123456789abcdef", 8)

// lastRegisters refuses addresses above the last one, and all registers except those of the text.
func lastRegisters(function byte, addr, count uint16) ([]uint16, byte) {
	values := make([]uint16, count)
	for i := range values {
		at := int(addr) + i
		switch {
		case at > 0xFFFF, function > 2 && at < 0xFFC0:
			return nil, modbustest.IllegalAddress
		case function > 2:
			values[i] = uint16(lastText[2*(at-0xFFC0)])<<8 | uint16(lastText[2*(at-0xFFC0)+1])
		case at == 0xFFFF:
			values[i] = 1
		}
	}
	return values, 0
}

// TestTheLongestTextAndTheLastBitsAreDecoded reads them over each kind of line.
func TestTheLongestTextAndTheLastBitsAreDecoded(t *testing.T) {
	slave := func() *modbustest.Slave { return &modbustest.Slave{Unit: 1, Read: lastRegisters} }
	families := t.TempDir()
	if err := os.WriteFile(filepath.Join(families, "last.yaml"), []byte(lastFamily), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, port := range []string{
		modbustest.MustServe(t, 115200, 11, slave()).Path(),
		"tcp://" + pairGateway(t, &modbustest.Gateway{Slaves: []*modbustest.Slave{slave()}}, 0),
		"rtu+tcp://" + pairGateway(t, &modbustest.Gateway{RTU: true, Slaves: []*modbustest.Slave{slave()}}, 0),
	} {
		dir := t.TempDir()
		config := clitest.WriteConfig(t, fmt.Sprintf(`families_dir: %s
state_dir: %s/state
lines:
  - {name: a, port: %s, timeout: 20s, slaves: [{id: 1, model: LAST, product_code: LAST, firmware: "1"}]}
integrations: []
status: {listen: "", socket: %s/a.sock}
`, families, dir, port, dir))
		text := mustRead(t, "--config", config, "text", "lit", "wet", "dry")
		clitest.MustHold(t, text, "text\t"+lastText, "lit\ttrue", "wet\ttrue", "dry\tfalse", "0xFFFF")
	}
}

// unitConfig is a configuration with one slave of this unit id.
func unitConfig(t *testing.T, port string, unit int) string {
	t.Helper()
	dir := t.TempDir()
	return clitest.WriteConfig(t, fmt.Sprintf(`state_dir: %s/state
lines:
  - {name: a, port: "%s", slaves: [{id: %d, model: PSPWM}]}
integrations:
  - {id: %s, type: gcp, topic: %s, endpoint: "127.0.0.1:9"}
status: {listen: "", socket: %s/a.sock}
`, dir, port, unit, pubsubID, testTopic, dir))
}

// TestUnitsOfTheDeviceItselfInEveryCommand: on tcp:// the units 0 and 255 can be configured, found by a scan, and
// read.
func TestUnitsOfTheDeviceItselfInEveryCommand(t *testing.T) {
	none, all := fixedSlave(), fixedSlave()
	none.Unit, all.Unit = 0, 255
	port := "tcp://" + modbustest.ServeTCP(t, none, all)
	code, stdout, stderr := run1("scan", "--port", port, "--units", "0,1,255", "--timeout", "1s")
	if code != cli.ExitDone {
		t.Errorf("scan exits %d: %s", code, stderr)
	}
	clitest.MustHold(t, stdout, "2 of 3 units answer", "- {id: 0, model: PSPWM}", "- {id: 255, model: PSPWM}")
	for _, unit := range []int{0, 255} {
		config := unitConfig(t, port, unit)
		if code, stdout, stderr := run1("check", "--config", config); code != cli.ExitDone {
			t.Errorf("unit %d: check exits %d: %s%s", unit, code, stdout, stderr)
		}
		clitest.MustHold(t, mustRead(t, "adc_vbterm", "--config", config), "0x4A0F")
		clitest.MustHold(t, mustRead(t, "--port", port, "--unit", fmt.Sprint(unit), "0x0012"), "0x4A0F")
	}
}

// TestUnitsOfTheDeviceItselfAreRefusedElsewhere: the error has the reason and the valid ids, and no request is sent.
func TestUnitsOfTheDeviceItselfAreRefusedElsewhere(t *testing.T) {
	slave := fixedSlave()
	gateway := pairGateway(t, &modbustest.Gateway{RTU: true, Slaves: []*modbustest.Slave{slave}}, 0)
	for _, port := range []string{"rtu+tcp://" + gateway, modbustest.MustServe(t, 115200, 11, slave).Path()} {
		for _, unit := range []int{0, 255} {
			for _, args := range [][]string{
				{"check", "--config", unitConfig(t, port, unit)},
				{"scan", "--port", port, "--units", fmt.Sprint(unit)},
				{"read", "--port", port, "--unit", fmt.Sprint(unit), "0x0012"},
			} {
				code, stdout, stderr := run1(args...)
				text := stdout + stderr
				if code == cli.ExitDone || !strings.Contains(text, "1 to 247") || !strings.Contains(text, "tcp://") {
					t.Errorf("%v: exit %d: %s", args, code, text)
				}
			}
		}
	}
	if n := slave.Requests(); n > 0 {
		t.Errorf("%d requests were sent", n)
	}
}
