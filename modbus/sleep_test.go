package modbus_test

import (
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// countingPort counts the reads of a port.
type countingPort struct {
	modbus.Port
	reads *int
}

func (p countingPort) Read(b []byte) (int, error) {
	*p.reads++
	return p.Port.Read(b)
}

// timedRead reads count registers over a wire of wireBaud, with a line that is set to 9600 baud. It reads twice, and
// returns how long the second read took, and how many reads of the port it needed.
func timedRead(t *testing.T, wireBaud int, count uint16) (took time.Duration, reads int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		pipe := modbustest.NewPipe(wireBaud, bits, ownAddress(1))
		line := modbus.NewLine(modbus.Options{
			Settings: modbus.Settings{Baud: baud}, Timeout: timeout,
			Open: func() (modbus.Port, error) {
				p, err := pipe.Dial()
				return countingPort{p, &reads}, err
			},
		})
		if err := line.Open(); err != nil {
			t.Fatal(err)
		}
		mustRead(t, line, 0x10, count)
		<-time.After(time.Second)
		start := time.Now()
		reads = 0
		mustRead(t, line, 0x10, count)
		took = time.Since(start)
	})
	return took, reads
}

// TestLineSleepsThroughAReply: a UART delivers byte by byte, and the line sleeps in the meantime. It still detects
// the end of the reply at once.
func TestLineSleepsThroughAReply(t *testing.T) {
	const count = 52
	s := modbus.Settings{Baud: baud}
	took, reads := timedRead(t, baud, count)
	if wire := s.WireTime(8 + 5 + 2*count); (took - wire).Abs() > s.CharTime() {
		t.Errorf("the read took %v, its %d bytes take %v", took, 8+5+2*count, wire)
	}
	t.Logf("%d reads of the port", reads)
	if reads > 25 {
		t.Errorf("%d reads of the port for a reply of %d bytes", reads, 5+2*count)
	}
}

// TestLineDoesNotSleepWhereTheReplyHasCome: adapters and gateways deliver whole frames, at any time.
func TestLineDoesNotSleepWhereTheReplyHasCome(t *testing.T) {
	if took, _ := timedRead(t, 0, 125); took > time.Millisecond {
		t.Errorf("the read took %v after the reply had come", took)
	}
}
