package modbus_test

import (
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// sleepingPort is a port that sleeps by itself, as a serial one does.
type sleepingPort struct {
	modbus.Port
	calls *int // reads and sleeps
}

func (p sleepingPort) Read(b []byte) (int, error) {
	*p.calls++
	return p.Port.Read(b)
}

func (p sleepingPort) Sleep(d time.Duration) error {
	*p.calls++
	<-time.After(d)
	return nil
}

// TestAReplyTakesFewWakeUps: each one costs a gateway as much as all else that it does with the reply.
func TestAReplyTakesFewWakeUps(t *testing.T) {
	const count = 52
	s := modbus.Settings{Baud: baud}
	calls := 0
	synctest.Test(t, func(t *testing.T) {
		pipe := modbustest.NewPipe(baud, bits, ownAddress(1))
		line := modbus.NewLine(modbus.Options{Settings: s, Timeout: timeout, Open: func() (modbus.Port, error) {
			p, err := pipe.Dial()
			return sleepingPort{p, &calls}, err
		}})
		if err := line.Open(); err != nil {
			t.Fatal(err)
		}
		mustRead(t, line, 0x10, count)
		<-time.After(time.Second)
		start := time.Now()
		calls = 0
		mustRead(t, line, 0x10, count)
		if took, wire := time.Since(start), s.WireTime(8+5+2*count); took < wire || took > wire+s.CharTime()/2 {
			t.Errorf("the read took %v, its %d bytes take %v", took, 8+5+2*count, wire)
		}
	})
	if calls > 16 {
		t.Errorf("%d reads and sleeps for a reply of %d bytes", calls, 5+2*count)
	}
}

// TestASerialPortWaitsAsItIsTold: a read ends with the first bytes or at its timeout, a sleep only at its end. What
// comes during a sleep is there after it.
func TestASerialPortWaitsAsItIsTold(t *testing.T) {
	pty := modbustest.MustServe(t, 0, 0, ownAddress(1))
	port, err := modbus.OpenSerial(modbus.Settings{Port: pty.Path()})
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	ask := func() {
		t.Helper()
		if _, err := port.Write(modbustest.AppendCRC([]byte{1, modbus.FuncReadInput, 0, 7, 0, 1})); err != nil {
			t.Fatal(err)
		}
	}
	read := func(patience time.Duration, want int) (took time.Duration) {
		t.Helper()
		start, all := time.Now(), 0
		for {
			if err := port.SetReadTimeout(patience); err != nil {
				t.Fatal(err)
			}
			n, err := port.Read(make([]byte, 64))
			if err != nil {
				t.Fatal(err)
			}
			if all += n; n == 0 || all >= want {
				break
			}
		}
		if all != want {
			t.Fatalf("%d bytes, want %d", all, want)
		}
		return time.Since(start)
	}
	const long = time.Minute // no test waits so long for what comes
	for range 3 {
		ask()
		read(long, 7)
		if took := read(20*time.Millisecond, 0); took < 20*time.Millisecond {
			t.Errorf("a read of 20 ms ended after %v", took)
		}
		read(0, 0)
		ask()
		start := time.Now()
		if err := port.(interface{ Sleep(time.Duration) error }).Sleep(20 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 20*time.Millisecond {
			t.Errorf("a sleep of 20 ms ended after %v", took)
		}
		read(long, 7)
	}
}
