package modbus_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// TestSlaveOfOneLengthComesIntoStep: a slave answers reads of one length only, and no other request. So no probe can
// show that no late reply is on its way; only time can. The agent asks at growing intervals: at first, after an
// outage, and after one lost reply.
func TestSlaveOfOneLengthComesIntoStep(t *testing.T) {
	for _, addrs := range [][]uint16{{0x10}, {0x10, 0x20, 0x30}} {
		t.Run(fmt.Sprint(addrs), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slave := ownAddress(1)
				line, _ := pipeLine(t, slave)
				away := false
				slave.Script = func(r modbustest.Request) modbustest.Fault {
					known := false
					for _, addr := range addrs {
						known = known || r.Function == modbus.FuncReadInput && r.Addr == addr && r.Count == 2
					}
					return modbustest.Fault{Silent: away || !known}
				}
				read := func(n int) error {
					_, err := line.Read(t.Context(), 1, modbus.FuncReadInput, addrs[n%len(addrs)], 2)
					return err
				}
				comes := func(when string) {
					err, began := read(0), time.Now()
					for wait := 5 * time.Second; err != nil && wait < time.Minute; wait *= 2 {
						time.Sleep(wait)
						err = read(int(wait / time.Second))
					}
					t.Log(when, time.Since(began))
					for n := range addrs {
						if err := read(n); err != nil {
							t.Errorf("%s: %v", when, err)
						}
					}
				}
				comes("at first")
				away = true
				for n := range 24 {
					_ = read(n)
					time.Sleep(5 * time.Minute)
				}
				away = false
				comes("after an outage")
				away = true
				_ = read(0)
				away = false
				comes("after a lost reply")
			})
		})
	}
}
