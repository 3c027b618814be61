package modbus_test

import (
	"encoding/binary"
	"testing"

	goburrow "github.com/goburrow/modbus"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

const plainReads = 300

// TestPlainTransporterBeside runs goburrow's own TCP transporter behind a gateway that sends replies to the newest
// connection, in real time, and then a line. Both start again after each failed read, like a program that a
// supervisor restarts. The test reports how many wrong values each takes. A line takes none.
func TestPlainTransporterBeside(t *testing.T) {
	t.Parallel()
	seed := stormSeed(t)
	wrong, values := plainStorm(t, seed)
	t.Logf("goburrow's transporter: %d wrong values of %d in %d reads", wrong, values, plainReads)
	s, address := plainWeather(t, seed)
	settings, good := modbus.Settings{Port: "tcp://" + address}, 0
	var line *modbus.Line
	for range plainReads {
		if line == nil {
			line = modbus.NewLine(modbus.Options{Settings: settings, Timeout: realTimeout})
			_ = line.Open() // may fail on a busy machine: then the read opens the line
		}
		if s.poll(t, line, s.ask()) == nil {
			good++
			continue
		}
		_ = line.Close()
		line = nil
	}
	if line != nil {
		_ = line.Close()
	}
	t.Logf("a line: no wrong value of %d in %d reads", good, plainReads)
}

// plainWeather serves a storm on loopback.
func plainWeather(t *testing.T, seed uint64) (s *storm, address string) {
	t.Helper()
	s = newStorm(seed, realTimeout)
	s.network = true
	return s, serveGateway(t, &modbustest.Gateway{Slaves: s.slaves, Route: modbustest.ToNewest})
}

func plainHandler(address string) *goburrow.TCPClientHandler {
	handler := goburrow.NewTCPClientHandler(address)
	handler.Timeout = realTimeout
	return handler
}

// plainStorm counts the wrong values that goburrow's transporter returns. Each life begins with the same transaction
// id.
func plainStorm(t *testing.T, seed uint64) (wrong, values int) {
	t.Helper()
	s, address := plainWeather(t, seed)
	handler := plainHandler(address)
	defer func() { handler.Close() }()
	for range plainReads {
		q := s.ask()
		handler.SlaveId = q.unit
		s.read.Add(1)
		read := goburrow.NewClient(handler).ReadInputRegisters
		if q.function == modbus.FuncReadHolding {
			read = goburrow.NewClient(handler).ReadHoldingRegisters
		}
		p, err := read(q.addr, q.count)
		if err != nil {
			handler.Close()
			handler = plainHandler(address)
			continue
		}
		values++
		for i := range len(p) / 2 {
			if binary.BigEndian.Uint16(p[2*i:]) != stamp(q.unit, q.function, q.addr+uint16(i), s.read.Load()) {
				wrong++
				break
			}
		}
	}
	return wrong, values
}
