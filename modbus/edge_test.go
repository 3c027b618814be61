package modbus_test

import (
	"strings"
	"testing"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// TestTheLastAddressIsRead: the last address of each table is read, over each kind of network line.
func TestTheLastAddressIsRead(t *testing.T) {
	for _, port := range []string{overTCP, overRTU} {
		g := &modbustest.Gateway{RTU: strings.HasPrefix(port, "rtu"), Slaves: []*modbustest.Slave{bitSlave(t, 2000)}}
		served(t, g, modbus.Settings{Port: port}, func(line *modbus.Line) {
			for _, function := range []byte{modbus.FuncReadCoils, modbus.FuncReadDiscrete, modbus.FuncReadHolding, modbus.FuncReadInput} {
				want := uint16(0xFFFF)
				if function <= modbus.FuncReadDiscrete {
					want = bitAt(function, 0xFFFF)
				}
				reply, err := line.Read(t.Context(), 1, function, 0xFFFF, 1)
				if err != nil || reply.Registers[0] != want {
					t.Errorf("%s, function %d: %v, %v, want %d", port, function, reply.Registers, err, want)
				}
			}
		})
	}
}
