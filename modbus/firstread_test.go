package modbus_test

import (
	"errors"
	"testing"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// TestFirstRequestAfterConnectingIsAnswered: the first request over a gateway without ids gets its answer, be it a
// read or an identification.
func TestFirstRequestAfterConnectingIsAnswered(t *testing.T) {
	for _, knows := range []bool{true, false} { // whether the device knows identification; it has input registers only
		slave := ownAddress(1)
		if !knows {
			slave.Identity = nil
			slave.Read = func(function byte, addr, count uint16) ([]uint16, byte) {
				if function != modbus.FuncReadInput || addr < 0x100 {
					return nil, modbustest.IllegalAddress
				}
				return modbustest.OwnAddress(function, addr, count)
			}
		}
		for _, identifies := range []bool{true, false} {
			g := &modbustest.Gateway{RTU: true, Slaves: []*modbustest.Slave{slave}}
			served(t, g, modbus.Settings{Port: overRTU}, func(line *modbus.Line) {
				if identifies {
					var refusal *modbus.Exception
					if _, err := line.Identify(t.Context(), 1); err != nil && !errors.As(err, &refusal) {
						t.Errorf("identification: %v", err)
					}
				}
				for i := range uint16(8) {
					mustRead(t, line, 0x200+8*i, 52)
				}
			})
		}
	}
}
