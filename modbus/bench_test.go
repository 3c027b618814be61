package modbus_test

import (
	"fmt"
	"testing"
	"time"

	goburrow "github.com/goburrow/modbus"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// liveSpans are the live input registers of a ProStar PWM, 0x0000 to 0x004E, as runs of adjacent objects. The
// registers between the runs are reserved in its map.
func liveSpans() []modbus.Span {
	var spans []modbus.Span
	add := func(count uint16, from, to uint16) {
		for addr := from; addr <= to; addr += count {
			spans = append(spans, modbus.Span{Function: modbus.FuncReadInput, Addr: addr, Count: count})
		}
	}
	add(1, 0x0000, 0x0001)
	add(1, 0x0004, 0x000A)
	add(1, 0x0011, 0x0014)
	add(1, 0x0016, 0x001D)
	add(1, 0x0021, 0x0024)
	add(2, 0x0026, 0x0028)
	add(1, 0x002A, 0x0031)
	add(2, 0x0032, 0x0038)
	add(1, 0x003A, 0x003B)
	add(1, 0x0041, 0x0046)
	add(2, 0x0047, 0x0047)
	add(1, 0x0049, 0x004E)
	return spans
}

// wireLimit is the least time of a plan: all its characters, and one silence for each exchange.
func wireLimit(s modbus.Settings, plan []modbus.Read) time.Duration {
	var limit time.Duration
	for _, read := range plan {
		limit += s.WireTime(8+5+2*int(read.Count)) + s.Silence()
	}
	return limit
}

// BenchmarkSweep reads all live objects back to back on a paced line, with this package and with goburrow's own
// transporter. It reports the speed of each as a share of the wire's limit. The slave answers at once.
func BenchmarkSweep(b *testing.B) {
	for _, speed := range []int{9600, 19200, 115200} {
		s := modbus.Settings{Baud: speed}
		plan := modbus.NewPlanner(s, 52, nil).Plan(liveSpans())
		b.Run(fmt.Sprintf("%d/line", speed), func(b *testing.B) { benchLine(b, s, plan) })
		b.Run(fmt.Sprintf("%d/goburrow", speed), func(b *testing.B) { benchPlain(b, s, plan) })
	}
}

func benchLine(b *testing.B, s modbus.Settings, plan []modbus.Read) {
	pty := modbustest.MustServe(b, s.Baud, s.CharBits(), ownAddress(1))
	s.Port = pty.Path()
	line := modbus.NewLine(modbus.Options{Settings: s})
	if err := line.Open(); err != nil {
		b.Fatal(err)
	}
	defer line.Close()
	sweep(b, s, plan, func(r modbus.Read) error {
		_, err := line.Read(b.Context(), 1, r.Function, r.Addr, r.Count)
		return err
	})
}

func benchPlain(b *testing.B, s modbus.Settings, plan []modbus.Read) {
	pty := modbustest.MustServe(b, s.Baud, s.CharBits(), ownAddress(1))
	handler := goburrow.NewRTUClientHandler(pty.Path())
	handler.SlaveId, handler.BaudRate, handler.StopBits, handler.Parity = 1, s.Baud, 2, "N"
	handler.Timeout = time.Second
	defer handler.Close()
	client := goburrow.NewClient(handler)
	sweep(b, s, plan, func(r modbus.Read) error {
		_, err := client.ReadInputRegisters(r.Addr, r.Count)
		return err
	})
}

// sweep measures b.N rounds of the plan, after one round that does not count.
func sweep(b *testing.B, s modbus.Settings, plan []modbus.Read, read func(modbus.Read) error) {
	round := func() {
		for _, r := range plan {
			if err := read(r); err != nil {
				b.Fatal(err)
			}
		}
	}
	round()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		round()
	}
	limit := wireLimit(s, plan) * time.Duration(b.N)
	b.ReportMetric(limit.Seconds()/b.Elapsed().Seconds(), "of-wire-limit")
	b.ReportMetric(float64(len(plan)), "reads/sweep")
}
