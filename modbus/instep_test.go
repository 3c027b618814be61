package modbus_test

import (
	"testing"
	"testing/synctest"

	"noi-agent/modbus/modbustest"
)

// TestASilentIdentificationCostsNoRead: the slave answers neither the identification, nor a read of the register
// beside the wanted one. The wanted read itself brings the line in step again.
func TestASilentIdentificationCostsNoRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := ownAddress(1)
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			return modbustest.Fault{Silent: r.Function > 4 || r.Addr+r.Count > 0x13}
		}
		line, _ := pipeLine(t, slave)
		mustRead(t, line, 0x10, 1)
		for range 10 {
			mustRead(t, line, 0x12, 1)
			if _, err := line.Identify(t.Context(), 1); err == nil {
				t.Fatal("an identification was answered")
			}
		}
	})
}
