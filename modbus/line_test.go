package modbus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	goburrow "github.com/goburrow/modbus"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

func TestReadReturnsRegistersAndTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := ownAddress(1)
		frozen := time.Date(2022, 6, 28, 8, 20, 29, 0, time.UTC)
		pipe := modbustest.NewPipe(baud, bits, slave)
		line := modbus.NewLine(modbus.Options{
			Open: func() (modbus.Port, error) { return pipe.Dial() },
			Now:  func() time.Time { return frozen },
		})
		if err := line.Open(); err != nil {
			t.Fatal(err)
		}
		reply, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0x0012, 4)
		if err != nil {
			t.Fatal(err)
		}
		if want := []uint16{0x12, 0x13, 0x14, 0x15}; !slices.Equal(reply.Registers, want) {
			t.Errorf("registers %04X, want %04X", reply.Registers, want)
		}
		if !reply.At.Equal(frozen) {
			t.Errorf("at %v, want the injected clock's %v", reply.At, frozen)
		}
	})
}

func TestRequestBytesAreTheSpecifications(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line, pipe := pipeLine(t, ownAddress(1))
		read := func() {
			if _, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0x0012, 8); err != nil {
				t.Fatal(err)
			}
		}
		read() // brings the unit in step first
		before := len(pipe.Written())
		read()
		want := modbustest.AppendCRC([]byte{1, 4, 0x00, 0x12, 0x00, 0x08})
		if got := pipe.Written()[before:]; !slices.Equal(got, want) {
			t.Errorf("sent % X, want % X", got, want)
		}
	})
}

func TestAtMostSixFunctionsReachTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := ownAddress(1)
		line, pipe := pipeLine(t, slave)
		for code := range 256 {
			before := len(pipe.Written())
			for _, body := range [][]byte{{}, {0x0E, 0x01, 0x00}, {0, 0, 0, 1}, {0, 0, 0xFF, 0}, {0, 0, 0, 1, 2, 0, 0}} {
				had := len(pipe.Written())
				_, err := line.Send(modbustest.AppendCRC(append([]byte{1, byte(code)}, body...)))
				if wrote := len(pipe.Written()) > had; wrote && errors.Is(err, modbus.ErrRefused) {
					t.Errorf("function 0x%02X % X: refused after bytes were written", code, body)
				}
			}
			switch wrote := len(pipe.Written()) > before; byte(code) {
			case modbus.FuncReadCoils, modbus.FuncReadDiscrete, modbus.FuncReadHolding, modbus.FuncReadInput,
				modbus.FuncReportServerID, modbus.FuncEncapsulated:
				if !wrote {
					t.Errorf("function 0x%02X is refused", code)
				}
			default:
				if wrote {
					t.Errorf("function 0x%02X reached the wire", code)
				}
			}
		}
		for code := range slave.Functions() {
			if !slices.Contains([]byte{0x01, 0x02, 0x03, 0x04, 0x11, 0x2B}, code) {
				t.Errorf("the slave saw function 0x%02X", code)
			}
		}
	})
}

func TestMalformedRequestsAreRefused(t *testing.T) {
	line, pipe := pipeLine(t, ownAddress(1))
	frames := map[string][]byte{
		"empty":             nil,
		"short":             {1, 4},
		"broadcast":         modbustest.AppendCRC([]byte{0, 4, 0, 0, 0, 1}),
		"reserved unit":     modbustest.AppendCRC([]byte{248, 4, 0, 0, 0, 1}),
		"no registers":      modbustest.AppendCRC([]byte{1, 4, 0, 0, 0, 0}),
		"too many":          modbustest.AppendCRC([]byte{1, 4, 0, 0, 0, 126}),
		"past the end":      modbustest.AppendCRC([]byte{1, 4, 0xFF, 0xFF, 0, 2}),
		"wrong CRC":         {1, 4, 0, 0, 0, 1, 0, 0},
		"CANopen tunnel":    modbustest.AppendCRC([]byte{1, 0x2B, 0x0D, 0x01, 0x00}),
		"extended identity": modbustest.AppendCRC([]byte{1, 0x2B, 0x0E, 0x03, 0x00}),
		"trailing bytes":    modbustest.AppendCRC([]byte{1, 0x11, 0, 0}),
	}
	for name, frame := range frames {
		if _, err := line.Send(frame); !errors.Is(err, modbus.ErrRefused) {
			t.Errorf("%s: %v, want ErrRefused", name, err)
		}
	}
	calls := map[string]func() error{
		"read function 6": func() error { _, err := line.Read(t.Context(), 1, 6, 0, 1); return err },
		"read unit 0":     func() error { _, err := line.Read(t.Context(), 0, 4, 0, 1); return err },
		"read 126":        func() error { _, err := line.Read(t.Context(), 1, 4, 0, 126); return err },
		"identify 248":    func() error { _, err := line.Identify(t.Context(), 248); return err },
		"goburrow write": func() error {
			handler := goburrow.NewRTUClientHandler("")
			handler.SlaveId = 1
			_, err := goburrow.NewClient2(handler, line).WriteSingleRegister(0, 1)
			return err
		},
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, modbus.ErrRefused) {
			t.Errorf("%s: %v, want ErrRefused", name, err)
		}
	}
	if n := len(pipe.Written()); n != 0 {
		t.Errorf("%d bytes reached the wire", n)
	}
}

func TestFaultsHaveTheirErrors(t *testing.T) {
	cases := []struct {
		name  string
		fault modbustest.Fault
		want  error
		text  string
	}{
		{"silent", modbustest.Fault{Silent: true}, modbus.ErrTimeout, "read unit 1 0x0012+8: timeout"},
		{"late", modbustest.Fault{Late: 2 * time.Second}, modbus.ErrTimeout, ""},
		{"wrong unit", modbustest.Fault{Unit: 2}, modbus.ErrTimeout, ""},
		{"more registers", modbustest.Fault{More: 1}, modbus.ErrTimeout, ""},
		{"fewer registers", modbustest.Fault{More: -1}, modbus.ErrTimeout, ""},
		{"flipped bit", mangle(func(f []byte) []byte { f[5] ^= 4; return f }), modbus.ErrFrame, ""},
		{"lost byte", mangle(func(f []byte) []byte { return append(f[:4], f[5:]...) }), modbus.ErrFrame, ""},
		{"torn for ever", modbustest.Fault{TornAt: 7, Pause: 3 * time.Second}, modbus.ErrFrame, "read unit 1 0x0012+8: bad frame: torn after 7 bytes"},
		{"other function", mangle(func(f []byte) []byte { f[1] = 3; return modbustest.AppendCRC(f[:len(f)-2]) }), modbus.ErrTimeout, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slave := ownAddress(1)
				line, _ := pipeLine(t, slave)
				mustRead(t, line, 0x0012, 8)
				slave.Script = func(modbustest.Request) modbustest.Fault { return c.fault }
				_, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0x0012, 8)
				if !errors.Is(err, c.want) || c.text != "" && err.Error() != c.text {
					t.Errorf("error %v, want %v %s", err, c.want, c.text)
				}
				slave.Script = nil
				for range 5 { // a slave that is slow to answer cannot answer anything else
					if _, err = line.Read(t.Context(), 1, modbus.FuncReadInput, 0x0012, 8); err == nil {
						break
					}
				}
				mustRead(t, line, 0x0012, 8)
			})
		})
	}
}

// TestReplyIsFoundBehindNoise: bytes before a reply are discarded, and the reply is used.
func TestReplyIsFoundBehindNoise(t *testing.T) {
	late := modbustest.AppendCRC([]byte{1, 4, 2, 0xBA, 0xD0})
	cases := map[string][]byte{
		"a glitch":                        {0xFF},
		"a byte like the unit id":         {1},
		"the head of a long reply":        {1, 4, 0xF0},
		"the head of another unit's":      {9, 3, 0x20, 0, 0},
		"garbage":                         {0, 0xFF, 0x55, 0xAA, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
		"another unit's reply":            modbustest.AppendCRC([]byte{2, 4, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}),
		"a damaged frame":                 {1, 4, 2, 0xBA, 0xD0, 0, 0},
		"another unit's, and half of one": append(modbustest.AppendCRC([]byte{2, 4, 2, 0, 1}), late[:4]...),
	}
	for name, noise := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slave := ownAddress(1)
				line, _ := pipeLine(t, slave)
				mustRead(t, line, 0x12, 8)
				slave.Script = func(r modbustest.Request) modbustest.Fault {
					if r.Count != 8 {
						return modbustest.Fault{} // probes get a good reply
					}
					return mangle(func(f []byte) []byte { return append(noise[:len(noise):len(noise)], f...) })
				}
				mustRead(t, line, 0x12, 8)
				if c := line.Counters(); c.DiscardedBytes+c.ForeignFrames == 0 {
					t.Error("the noise was not counted")
				}
			})
		})
	}
}

func mangle(f func([]byte) []byte) modbustest.Fault { return modbustest.Fault{Mangle: f} }

// mustRead reads and checks registers that hold their own addresses.
func mustRead(t *testing.T, line *modbus.Line, addr, count uint16) {
	t.Helper()
	reply, err := line.Read(t.Context(), 1, modbus.FuncReadInput, addr, count)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := modbustest.OwnAddress(0, addr, count)
	if !slices.Equal(reply.Registers, want) {
		t.Fatalf("registers %04X, want %04X", reply.Registers, want)
	}
}

func TestTornFrameWithinTheDeadlineIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := ownAddress(1)
		slave.Script = func(modbustest.Request) modbustest.Fault {
			return modbustest.Fault{TornAt: 5, Pause: 100 * time.Millisecond} // as some USB adapters do
		}
		line, _ := pipeLine(t, slave)
		mustRead(t, line, 0, 20)
	})
}

func TestDribblingSlaveCannotHoldTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := ownAddress(1)
		line, pipe := pipeLine(t, slave)
		mustRead(t, line, 0, 8)
		slave.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: true} }
		done := make(chan struct{})
		go func() { // one byte each 100 ms: no silence as long as a timeout, and no garbage
			defer close(done)
			for _, b := range append([]byte{1, 4, 16}, make([]byte, 50)...) {
				<-time.After(100 * time.Millisecond)
				pipe.Inject([]byte{b})
			}
		}()
		start := time.Now()
		_, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0, 8)
		if took := time.Since(start); !errors.Is(err, modbus.ErrFrame) || took > time.Second {
			t.Errorf("error %v after %v", err, took)
		}
		<-done
	})
}

func TestLineThatNeverFallsSilentIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line, pipe := pipeLine(t, ownAddress(1))
		mustRead(t, line, 0, 8)
		pipe.Inject(make([]byte, 5000)) // five seconds of zeros
		start := time.Now()
		_, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0, 8)
		if took := time.Since(start); !errors.Is(err, modbus.ErrFrame) || took > time.Second {
			t.Errorf("error %v after %v", err, took)
		}
	})
}

func TestExceptionIsTyped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := ownAddress(1)
		slave.Read = func(_ byte, addr, count uint16) ([]uint16, byte) {
			if addr >= 0x1000 {
				return nil, modbustest.IllegalAddress
			}
			return modbustest.OwnAddress(0, addr, count)
		}
		line, _ := pipeLine(t, slave)
		mustRead(t, line, 0, 8)
		_, err := line.Read(t.Context(), 1, modbus.FuncReadHolding, 0x1000, 2)
		var refusal *modbus.Exception
		if !errors.As(err, &refusal) || *refusal != (modbus.Exception{Function: 3, Code: 2}) {
			t.Fatalf("error %v", err)
		}
		if want := "read unit 1 0x1000+2: illegal data address (02)"; err.Error() != want {
			t.Errorf("text %q, want %q", err, want)
		}
		mustRead(t, line, 0, 8)
		if n := line.Counters().Probes; n != 1 {
			t.Errorf("%d probes, want only the first contact's: an exception is an answer", n)
		}
	})
}

func TestExceptionAfterTimeoutsIsStillReported(t *testing.T) {
	for _, silent := range []int{0, 1, 2, 7, 20, 100} {
		t.Run(fmt.Sprintf("%d timeouts", silent), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slave := ownAddress(1)
				slave.Read = func(_ byte, addr, count uint16) ([]uint16, byte) {
					if addr >= 0x1000 {
						return nil, modbustest.IllegalAddress
					}
					return modbustest.OwnAddress(0, addr, count)
				}
				line, _ := pipeLine(t, slave)
				slave.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: true} }
				illegal := func() error {
					_, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0x1000, 1)
					return err
				}
				for range silent {
					_ = illegal()
					_, _ = line.Read(t.Context(), 1, modbus.FuncReadInput, 0, 1)
				}
				slave.Script = nil
				_ = illegal() // the first poll brings line and unit in step
				mustRead(t, line, 0, 1)
				var refusal *modbus.Exception
				if err := illegal(); !errors.As(err, &refusal) {
					t.Error(err)
				}
				mustRead(t, line, 0, 1)
			})
		})
	}
}

func TestIdentify(t *testing.T) {
	for _, perReply := range []int{0, 1, 2} {
		t.Run(fmt.Sprintf("%d per reply", perReply), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slave := ownAddress(1)
				slave.Identity.PerReply = perReply
				slave.Identity.Vendor += "\x00 "
				line, _ := pipeLine(t, slave)
				id, err := line.Identify(t.Context(), 1)
				id.At = time.Time{}
				want := modbus.Identity{Vendor: "Morningstar Corp.", ProductCode: "PS-PWM-30M", Revision: "v01.04.06"}
				if err != nil || id != want {
					t.Errorf("%+v %v", id, err)
				}
			})
		})
	}
}

func TestIdentifyFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := ownAddress(1)
		slave.Identity = nil
		line, _ := pipeLine(t, slave)
		_, err := line.Identify(t.Context(), 1)
		var refusal *modbus.Exception
		if !errors.As(err, &refusal) || refusal.Code != 1 || err.Error() != "identify unit 1: illegal function (01)" {
			t.Errorf("error %v", err)
		}
		slave.Identity = &modbustest.Identity{Vendor: "V"}
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			return mangle(func(f []byte) []byte { // the reply says that the same object follows, without end
				f[5], f[6] = 0xFF, 0
				return modbustest.AppendCRC(f[:len(f)-2])
			})
		}
		if _, err = line.Identify(t.Context(), 1); !errors.Is(err, modbus.ErrFrame) {
			t.Errorf("error %v, want ErrFrame", err)
		}
	})
}

func TestPortFaultNeedsReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line, pipe := pipeLine(t, ownAddress(1))
		mustRead(t, line, 0, 8)
		pipe.Unplug()
		_, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0, 8)
		if !errors.Is(err, modbus.ErrPort) || !errors.Is(err, syscall.EIO) {
			t.Errorf("unplugged: %v, want ErrPort and EIO", err)
		}
		if _, err = line.Read(t.Context(), 1, modbus.FuncReadInput, 0, 8); !errors.Is(err, modbus.ErrPort) {
			t.Errorf("closed: %v, want ErrPort", err)
		}
		if err = line.Open(); !errors.Is(err, syscall.ENODEV) {
			t.Errorf("open unplugged: %v", err)
		}
		pipe.Plug()
		for range 2 { // Open is idempotent
			if err = line.Open(); err != nil {
				t.Fatal(err)
			}
		}
		mustRead(t, line, 0, 8)
		if n := line.Counters().Reopens; n != 1 {
			t.Errorf("%d reopens, want 1", n)
		}
		if err := errors.Join(line.Close(), line.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestCancelledContextEndsARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := ownAddress(1)
		line, _ := pipeLine(t, slave)
		mustRead(t, line, 0, 8)
		slave.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Late: 200 * time.Millisecond} }
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := line.Read(ctx, 1, modbus.FuncReadInput, 0, 8)
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > 200*time.Millisecond {
			t.Errorf("error %v after %v", err, took)
		}
		mustRead(t, line, 100, 8) // the reply to the cancelled request is not taken for this one's
	})
}

func TestSilenceBeforeEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line, _ := pipeLine(t, ownAddress(1))
		mustRead(t, line, 0, 8)
		start := time.Now()
		const n = 10
		for range n {
			mustRead(t, line, 0, 8)
		}
		s := modbus.Settings{}
		want := n * (s.WireTime(8+5+16) + s.Silence())
		if took := time.Since(start); took < want-time.Microsecond || took > want+want/100 {
			t.Errorf("ten reads took %v, the wire needs %v", took, want)
		}
		if c := line.Counters(); c.Requests != n+2 || c.Replies != n+2 || c.BusTime < want-time.Microsecond {
			t.Errorf("counters %+v", c)
		}
	})
}
