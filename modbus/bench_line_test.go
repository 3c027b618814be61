package modbus_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	goburrow "github.com/goburrow/modbus"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// BenchmarkStorm counts the wrong values of this package and of goburrow's own transporter, under the scripts of the
// storm, over a pty in real time. For this package a test requires zero; the benchmark is for comparison.
func BenchmarkStorm(b *testing.B) {
	b.Run("line", func(b *testing.B) {
		s, path := stormPTY(b)
		line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: path, Baud: 115200}, Timeout: realTimeout})
		if err := line.Open(); err != nil {
			b.Fatal(err)
		}
		defer line.Close()
		countWrong(b, s, func(q question) ([]uint16, error) {
			reply, err := line.Read(b.Context(), q.unit, q.function, q.addr, q.count)
			return reply.Registers, err
		})
	})
	b.Run("goburrow", func(b *testing.B) {
		s, path := stormPTY(b)
		handler := goburrow.NewRTUClientHandler(path)
		handler.BaudRate, handler.StopBits, handler.Parity, handler.Timeout = 115200, 2, "N", realTimeout
		defer handler.Close()
		client := goburrow.NewClient(handler)
		countWrong(b, s, func(q question) ([]uint16, error) {
			handler.SlaveId = q.unit
			ask := client.ReadHoldingRegisters
			if q.function == modbus.FuncReadInput {
				ask = client.ReadInputRegisters
			}
			p, err := ask(q.addr, q.count)
			registers := make([]uint16, len(p)/2)
			for i := range registers {
				registers[i] = uint16(p[2*i])<<8 | uint16(p[2*i+1])
			}
			return registers, err
		})
	})
}

func stormPTY(b *testing.B) (*storm, string) {
	s := newStorm(4, realTimeout)
	return s, modbustest.MustServe(b, 115200, bits, s.slaves...).Path()
}

// countWrong reads b.N times and reports how many reads gave values, and how many of those were wrong.
func countWrong(b *testing.B, s *storm, read func(question) ([]uint16, error)) {
	good, wrong := 0, 0
	for b.Loop() {
		q := s.ask()
		s.read.Add(1)
		registers, err := read(q)
		if err != nil {
			continue
		}
		right := len(registers) == int(q.count)
		for i, v := range registers {
			right = right && v == stamp(q.unit, q.function, q.addr+uint16(i), s.read.Load())
		}
		good++
		if !right {
			wrong++
		}
	}
	if wrong > 0 && strings.HasSuffix(b.Name(), "/line") {
		b.Errorf("%d wrong values", wrong)
	}
	b.ReportMetric(float64(good)/float64(b.N), "values/read")
	b.ReportMetric(float64(wrong), "wrong-values")
}

// BenchmarkIdle reads a full sweep each second and reports the share of one core that it takes.
func BenchmarkIdle(b *testing.B) {
	s := modbus.Settings{}
	plan := modbus.NewPlanner(s, 52, nil).Plan(liveSpans())
	pipe := modbustest.MustServe(b, 9600, bits, ownAddress(1))
	s.Port = pipe.Path()
	line := modbus.NewLine(modbus.Options{Settings: s})
	if err := line.Open(); err != nil {
		b.Fatal(err)
	}
	defer line.Close()
	runtime.LockOSThread() // the line uses its caller's thread, the simulated slave others
	defer runtime.UnlockOSThread()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var used time.Duration
	for b.Loop() {
		<-tick.C
		before := cpuTime(b)
		for _, r := range plan {
			if _, err := line.Read(b.Context(), 1, r.Function, r.Addr, r.Count); err != nil {
				b.Fatal(err)
			}
		}
		used += cpuTime(b) - before
	}
	b.ReportMetric(100*used.Seconds()/b.Elapsed().Seconds(), "%-of-a-core")
}

// cpuTime is the CPU time that this thread has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_THREAD, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkManyUnits reads ten units at 19200 baud in random order, and reports the speed as a share of the wire's
// limit.
func BenchmarkManyUnits(b *testing.B) {
	s := modbus.Settings{Baud: 19200}
	var slaves []*modbustest.Slave
	for unit := byte(1); unit <= 10; unit++ {
		slaves = append(slaves, ownAddress(unit))
	}
	pty := modbustest.MustServe(b, s.Baud, s.CharBits(), slaves...)
	s.Port = pty.Path()
	line := modbus.NewLine(modbus.Options{Settings: s})
	if err := line.Open(); err != nil {
		b.Fatal(err)
	}
	defer line.Close()
	plan := modbus.NewPlanner(s, 52, nil).Plan(liveSpans())
	rng := rand.New(rand.NewPCG(1, 1))
	read := func(unit byte) {
		for _, r := range plan {
			if _, err := line.Read(b.Context(), unit, r.Function, r.Addr, r.Count); err != nil {
				b.Fatal(fmt.Errorf("unit %d: %w", unit, err))
			}
		}
	}
	for unit := byte(1); unit <= 10; unit++ {
		read(unit) // the first read of each unit costs a probe
	}
	for b.Loop() {
		read(byte(1 + rng.IntN(10)))
	}
	limit := wireLimit(s, plan) * time.Duration(b.N)
	b.ReportMetric(limit.Seconds()/b.Elapsed().Seconds(), "of-wire-limit")
}

// BenchmarkTCPRoundTrip reads eight registers over loopback, with this package and with goburrow's client alone. They
// take short turns, and change their order with each pair. The median of the pairs' ratios counts: a busy moment of
// the machine spoils one pair, or slows both down alike.
func BenchmarkTCPRoundTrip(b *testing.B) {
	address := modbustest.ServeTCP(b, ownAddress(1))
	line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: "tcp://" + address}, Timeout: patience})
	if err := line.Open(); err != nil {
		b.Fatal(err)
	}
	defer line.Close()
	handler := goburrow.NewTCPClientHandler(address)
	handler.SlaveId, handler.Timeout = 1, patience
	defer handler.Close()
	client := goburrow.NewClient(handler)
	const turn = 50
	took := func(read func() error) time.Duration {
		start := time.Now()
		for range turn {
			if err := read(); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(start)
	}
	byLine := func() error {
		_, err := line.Read(b.Context(), 1, modbus.FuncReadInput, 0x10, 8)
		return err
	}
	byClient := func() error {
		_, err := client.ReadInputRegisters(0x10, 8)
		return err
	}
	var ours, theirs, ratios []float64 // round trips per second; the ratio of ours to theirs
	for first := true; b.Loop(); first = !first {
		var a, g time.Duration
		if first {
			a, g = took(byLine), took(byClient)
		} else {
			g, a = took(byClient), took(byLine)
		}
		ours, theirs = append(ours, turn/a.Seconds()), append(theirs, turn/g.Seconds())
		ratios = append(ratios, g.Seconds()/a.Seconds())
	}
	b.ReportMetric(median(ours), "round-trips/s")
	b.ReportMetric(median(theirs), "goburrow-round-trips/s")
	ratio := median(ratios)
	b.ReportMetric(ratio, "of-goburrow")
	if ratio < 0.9 && len(ratios) > 100 { // fewer pairs prove nothing
		b.Errorf("%.3f of goburrow's round trips, wanted 0.9", ratio)
	}
}

// median sorts the values and returns the middle one.
func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
