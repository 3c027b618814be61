package modbustest_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"noi-agent/modbus/modbustest"
)

func TestChecksumIsTheSpecifications(t *testing.T) {
	// MODBUS over Serial Line V1.02 §6.2.2: the frame 02 07 has CRC 0x1241, low byte first.
	if got := modbustest.AppendCRC([]byte{2, 7}); !slices.Equal(got, []byte{2, 7, 0x41, 0x12}) {
		t.Errorf("% X", got)
	}
	if modbustest.ValidCRC([]byte{2, 7, 0x41, 0x13}) || modbustest.ValidCRC(nil) {
		t.Error("took a wrong checksum")
	}
}

func TestNoiseIsAlwaysVisible(t *testing.T) {
	noise := modbustest.Noise(rand.New(rand.NewPCG(1, 1)))
	frame := modbustest.AppendCRC([]byte{1, 4, 4, 0, 1, 0, 2})
	for range 10_000 {
		got := noise(slices.Clone(frame))
		if slices.Equal(got, frame) || modbustest.ValidCRC(got) {
			t.Fatalf("% X passes", got)
		}
	}
}

// TestRepliesOfEqualUnitIDsCollide: one reply arrives, and it is not valid, even if both slaves send the same. If one of
// them is silent, the reply of the other is valid.
func TestRepliesOfEqualUnitIDsCollide(t *testing.T) {
	for _, silent := range []bool{false, true} {
		script := func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: silent} }
		synctest.Test(t, func(t *testing.T) {
			pipe, _ := modbustest.NewPipe(9600, 11, &modbustest.Slave{Unit: 1, Read: modbustest.OwnAddress},
				&modbustest.Slave{Unit: 1, Read: modbustest.OwnAddress, Script: script}).Dial()
			reply, _ := ask(t, pipe, 1, 4, 0, 5, 0, 2)
			if len(reply) < 9 || len(reply) > 10 || modbustest.ValidCRC(reply[:9]) != silent {
				t.Errorf("second slave silent %t: % X", silent, reply)
			}
		})
	}
}

// ask sends a request and collects all bytes until there is a second of silence.
func ask(t *testing.T, pipe *modbustest.Pipe, body ...byte) (reply []byte, took time.Duration) {
	t.Helper()
	start := time.Now()
	if _, err := pipe.Write(modbustest.AppendCRC(body)); err != nil {
		t.Fatal(err)
	}
	_ = pipe.SetReadTimeout(time.Second)
	var buf [300]byte
	for {
		n, err := pipe.Read(buf[:])
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return reply, took
		}
		reply, took = append(reply, buf[:n]...), time.Since(start)
	}
}

func TestSlaveAnswers(t *testing.T) {
	full := &modbustest.Identity{Vendor: "V", Product: "PP", Revision: ""}
	known := func(_ byte, addr, count uint16) ([]uint16, byte) {
		if addr > 0x100 {
			return nil, modbustest.IllegalAddress
		}
		return modbustest.OwnAddress(0, addr, count)
	}
	cases := []struct {
		name  string
		slave *modbustest.Slave
		body  []byte
		want  []byte // without checksum; nil: silence
	}{
		{"read", &modbustest.Slave{Read: known}, []byte{1, 4, 0, 5, 0, 2}, []byte{1, 4, 4, 0, 5, 0, 6}},
		{"illegal address", &modbustest.Slave{Read: known}, []byte{1, 3, 2, 0, 0, 2}, []byte{1, 0x83, 2}},
		{"a write", &modbustest.Slave{Read: known}, []byte{1, 6, 2, 0, 0, 2}, []byte{1, 0x86, 1}},
		{"an unknown function", &modbustest.Slave{Read: known}, []byte{1, 0x41, 2}, []byte{1, 0xC1, 1}},
		{"identification", &modbustest.Slave{Identity: full}, []byte{1, 0x2B, 0x0E, 1, 0},
			[]byte{1, 0x2B, 0x0E, 1, 1, 0, 0, 3, 0, 1, 'V', 1, 2, 'P', 'P', 2, 0}},
		{"no identification", &modbustest.Slave{Read: known}, []byte{1, 0x2B, 0x0E, 1, 0}, []byte{1, 0xAB, 1}},
		{"another unit", &modbustest.Slave{Read: known}, []byte{2, 4, 0, 5, 0, 2}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.slave.Unit = 1
				pipe, err := modbustest.NewPipe(9600, 11, c.slave).Dial()
				if err != nil {
					t.Fatal(err)
				}
				got, _ := ask(t, pipe, c.body...)
				if want := c.want; want != nil && !slices.Equal(got, modbustest.AppendCRC(want)) || want == nil &&
					got != nil {
					t.Errorf("% X, want % X", got, want)
				}
			})
		})
	}
}

func TestBytesTakeTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		char := 11 * time.Second / 9600
		slave := &modbustest.Slave{Unit: 1, Read: modbustest.OwnAddress, Delay: 7 * time.Millisecond}
		pipe, _ := modbustest.NewPipe(9600, 11, slave).Dial()
		if _, took := ask(t, pipe, 1, 4, 0, 0, 0, 10); took != 8*char+slave.Delay+25*char {
			t.Errorf("took %v", took)
		}
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			return modbustest.Fault{Late: time.Millisecond, TornAt: 3, Pause: 100 * time.Millisecond,
				Duplicate: r.N == 2, Gap: char}
		}
		got, took := ask(t, pipe, 1, 4, 0, 0, 0, 1)
		if want := (8+7+1+7)*char + slave.Delay + 201*time.Millisecond; took != want || len(got) != 14 {
			t.Errorf("%d bytes in %v, want 14 in %v", len(got), took, want)
		}
	})
}

func TestUnpluggedPipeFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := modbustest.NewPipe(9600, 11)
		if _, err := pipe.Write(nil); !errors.Is(err, modbustest.ErrClosed) {
			t.Errorf("write before Dial: %v", err)
		}
		pipe, _ = pipe.Dial()
		_ = pipe.SetReadTimeout(time.Hour)
		go pipe.Unplug()
		if _, err := pipe.Read(make([]byte, 1)); !errors.Is(err, syscall.EIO) {
			t.Errorf("read: %v", err)
		}
		if _, err := pipe.Dial(); !errors.Is(err, syscall.ENODEV) {
			t.Errorf("dial: %v", err)
		}
	})
}

// TestPTYIsNeverFasterThanTheWire checks only a lower bound, so it also passes on a slow machine.
func TestPTYIsNeverFasterThanTheWire(t *testing.T) {
	defer goleak.VerifyNone(t)
	slave := &modbustest.Slave{Unit: 1, Read: modbustest.OwnAddress}
	pty, err := modbustest.OpenPTY(9600, 11)
	if err != nil {
		t.Fatal(err)
	}
	defer pty.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- pty.Serve(ctx, slave) }()
	tty, err := os.OpenFile(pty.Path(), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	for range 3 {
		start := time.Now()
		if _, err := tty.Write(modbustest.AppendCRC([]byte{1, 4, 0, 0, 0, 20})); err != nil {
			t.Fatal(err)
		}
		reply := make([]byte, 45)
		if _, err := io.ReadFull(tty, reply); err != nil {
			t.Fatal(err)
		}
		if took, least := time.Since(start), (8+45)*11*time.Second/9600; took < least {
			t.Errorf("took %v, a wire needs %v", took, least)
		}
		if !modbustest.ValidCRC(reply) {
			t.Errorf("reply % X", reply)
		}
	}
	if seen := slave.Functions(); slave.Requests() != 3 || seen[4] != 3 || len(seen) != 1 {
		t.Errorf("%d requests, functions %v", slave.Requests(), seen)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("serve: %v", err)
	}
}
