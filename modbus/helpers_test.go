package modbus_test

import (
	"testing"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// The line of most tests: 9600 8N2, and the agent's default timeout.
const (
	baud    = 9600
	bits    = 11
	timeout = 500 * time.Millisecond
)

// pipeLine returns an open line over a Pipe with slaves behind it.
func pipeLine(tb testing.TB, slaves ...*modbustest.Slave) (*modbus.Line, *modbustest.Pipe) {
	tb.Helper()
	pipe := modbustest.NewPipe(baud, bits, slaves...)
	line := modbus.NewLine(modbus.Options{
		Timeout: timeout,
		Open: func() (modbus.Port, error) {
			p, err := pipe.Dial()
			if err != nil {
				return nil, err
			}
			return p, nil
		},
	})
	if err := line.Open(); err != nil {
		tb.Fatal(err)
	}
	return line, pipe
}

// ownAddress is a slave whose registers hold their own addresses.
func ownAddress(unit byte) *modbustest.Slave {
	return &modbustest.Slave{
		Unit:     unit,
		Read:     modbustest.OwnAddress,
		Identity: &modbustest.Identity{Vendor: "Morningstar Corp.", Product: "PS-PWM-30M", Revision: "v01.04.06"},
	}
}
