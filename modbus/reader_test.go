package modbus_test

import (
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// sleepingPort is a port with its own sleep, like a serial port.
type sleepingPort struct {
	modbus.Port
	calls   *int  // reads and sleeps
	hurried *bool // whether a call was in a hurry
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

func (p sleepingPort) Hurry(on bool) { *p.hurried = *p.hurried || on }

// TestAReplyTakesFewWakeUps: a wake-up costs a gateway as much as all other work for a reply. A line with pauses
// reads the first byte, and then all others at once. A line without pauses loses no time.
func TestAReplyTakesFewWakeUps(t *testing.T) {
	const count = 52
	s := modbus.Settings{Baud: baud}
	wire := s.WireTime(8 + 5 + 2*count)
	calls, hurried := 0, false
	synctest.Test(t, func(t *testing.T) {
		pipe := modbustest.NewPipe(baud, bits, ownAddress(1))
		line := modbus.NewLine(modbus.Options{Settings: s, Timeout: timeout, Open: func() (modbus.Port, error) {
			p, err := pipe.Dial()
			return sleepingPort{p, &calls, &hurried}, err
		}})
		if err := line.Open(); err != nil {
			t.Fatal(err)
		}
		read := func() (took time.Duration) {
			start := time.Now()
			mustRead(t, line, 0x10, count)
			return time.Since(start)
		}
		read()
		hurried = false // before its first pause the line is in a hurry
		for range 15 {  // a sweep each second is no hurry; two seconds without a pause are a hurry
			<-time.After(time.Second)
			before := calls
			took := read()
			if n := calls - before; n > 5 { // two short reads, the first byte, a sleep and the rest
				t.Errorf("%d reads and sleeps for a reply of %d bytes", n, 5+2*count)
			}
			if took < wire || took > wire+2*time.Millisecond {
				t.Errorf("the read took %v, its bytes take %v", took, wire)
			}
		}
		if hurried {
			t.Error("the line was in a hurry, though it had pauses")
		}
		for range 20 {
			read()
		}
		if !hurried {
			t.Error("the line is in no hurry without pauses")
		}
		if took := read(); took-wire > s.Silence()+s.CharTime()/2 {
			t.Errorf("the read took %v in a hurry, its bytes and the silence take %v", took, wire+s.Silence())
		}
	})
}

// TestASerialPortWaitsAsItIsTold: a read ends with the first bytes or at its timeout. A sleep ends only at its end,
// and bytes that come during the sleep are there after it.
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
	const long = time.Minute // longer than any wait of this test
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
