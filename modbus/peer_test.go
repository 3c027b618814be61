package modbus_test

import (
	"errors"
	mathbits "math/bits"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// The slaves in testdata/peers use libraries of other projects, and share no code with this package and modbustest.
// So they show a mistake that is the same in both packages. They have imageCount registers from imageFirst in both
// tables.
const (
	peerUnit   = 7
	absentUnit = 8
	imageFirst = 0x0100
	imageCount = 0x0200
	imageEnd   = imageFirst + imageCount

	// patience is the timeout for reads that must get an answer: long enough for any busy machine.
	patience = 20 * time.Second
	// impatience is the timeout for reads that get no answer. A late answer costs only another try. The timeout is
	// short, so that the line asks again while libmodbus waits half a second for another unit's answer.
	impatience = 150 * time.Millisecond
)

// imageAt returns the value of a register: a number of its table, and its address.
func imageAt(function byte, addr uint16) uint16 { return uint16(function)<<12 | addr }

// realSlave is one of these slaves.
type realSlave struct {
	name     string
	start    func(t *testing.T, tty string)
	serverID string // the text in its answer to "report server id"
}

func libmodbus() realSlave { return realSlave{"libmodbus", startLibmodbus, "LMB"} } // followed by its version

// pymodbus is the slave that knows identification.
func pymodbus() realSlave {
	return realSlave{"pymodbus", startPymodbus, "Morningstar Corp.-PS-PWM-30M-v01.04.06"}
}

// startLibmodbus starts the slave in C on tty.
func startLibmodbus(t *testing.T, tty string) {
	modbustest.NeedPeer(t, "libmodbus", "libmodbus-dev pkg-config", "pkg-config", "--exists", "--print-errors", "libmodbus")
	modbustest.NeedPeer(t, "a C compiler", "gcc libc6-dev", "cc", "--version")
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "libmodbus").Output()
	if err != nil {
		t.Fatalf("pkg-config: %v", err)
	}
	slave := filepath.Join(t.TempDir(), "slave")
	args := append([]string{"-Wall", "-Wextra", "-o", slave, "testdata/peers/libmodbus_slave.c"}, strings.Fields(string(flags))...)
	if out, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	modbustest.StartPeer(t, slave, slaveArgs(tty)...).Await(t, "ready")
}

// startPymodbus starts the slave in Python on tty, with Debian's interpreter: another interpreter does not find
// Debian's modules.
func startPymodbus(t *testing.T, tty string) {
	const python = "/usr/bin/python3"
	modbustest.NeedPeer(t, "pymodbus", "python3-pymodbus python3-serial-asyncio", python, "-c", "import pymodbus.server")
	args := append([]string{"testdata/peers/pymodbus_slave.py"}, slaveArgs(tty)...)
	modbustest.StartPeer(t, python, args...).Await(t, "ready")
}

func slaveArgs(tty string) []string {
	return []string{tty, strconv.Itoa(peerUnit), strconv.Itoa(baud), strconv.Itoa(imageFirst), strconv.Itoa(imageCount)}
}

// eachSlave runs check with a line to each slave.
func eachSlave(t *testing.T, timeout time.Duration, check func(*testing.T, *modbus.Line, realSlave)) {
	for _, slave := range []realSlave{libmodbus(), pymodbus()} {
		t.Run(slave.name, func(t *testing.T) { check(t, lineTo(t, slave, timeout), slave) })
	}
}

// lineTo starts a slave and returns an open line to it, through the real serial port code.
func lineTo(t *testing.T, slave realSlave, timeout time.Duration) *modbus.Line {
	t.Helper()
	here, there := modbustest.MustCable(t)
	slave.start(t, there)
	line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: here, Baud: baud}, Timeout: timeout})
	if err := line.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := line.Close(); err != nil {
			t.Error(err)
		}
	})
	return line
}

// checkImage compares a reply with the slave's registers.
func checkImage(t *testing.T, function byte, addr, count uint16, reply modbus.Reply) {
	t.Helper()
	if len(reply.Registers) != int(count) {
		t.Fatalf("%d registers, want %d", len(reply.Registers), count)
	}
	for i, got := range reply.Registers {
		if want := imageAt(function, addr+uint16(i)); got != want {
			t.Fatalf("function %02X at 0x%04X+%d, register %d: %04X, want %04X", function, addr, count, i, got, want)
		}
	}
}

// mustReadImage reads from a slave that must answer.
func mustReadImage(t *testing.T, line *modbus.Line, function byte, addr, count uint16) {
	t.Helper()
	reply, err := line.Read(t.Context(), peerUnit, function, addr, count)
	if err != nil {
		t.Fatal(err)
	}
	checkImage(t, function, addr, count, reply)
}

// untilAnswered reads until the slave answers. The values must be right, and the only allowed errors are those of an
// exchange. The limit only ends a broken test.
func untilAnswered(t *testing.T, line *modbus.Line, addr, count uint16) {
	t.Helper()
	for limit := time.Now().Add(60 * time.Second); ; {
		reply, err := line.Read(t.Context(), peerUnit, modbus.FuncReadInput, addr, count)
		switch {
		case err == nil:
			checkImage(t, modbus.FuncReadInput, addr, count, reply)
			return
		case !errors.Is(err, modbus.ErrTimeout) && !errors.Is(err, modbus.ErrFrame):
			t.Fatal(err)
		case time.Now().After(limit):
			t.Fatalf("no read succeeds: %v; %+v", err, line.Counters())
		}
	}
}

func TestRealSlavesRegistersAreTheAskedOnes(t *testing.T) {
	eachSlave(t, patience, func(t *testing.T, line *modbus.Line, _ realSlave) {
		for _, function := range []byte{modbus.FuncReadHolding, modbus.FuncReadInput} {
			for _, count := range []uint16{1, 2, 52, 125} {
				for _, addr := range []uint16{imageFirst, imageFirst + 77, imageEnd - count} {
					mustReadImage(t, line, function, addr, count)
				}
			}
		}
		// All reads succeeded at the first try. A frame that needed a retry, or a byte too many, is a fault of this
		// package or of the slave.
		c := line.Counters()
		if c.Replies != c.Requests || c.Timeouts+c.CRCErrors+c.FrameErrors+c.Exceptions+c.ForeignFrames+c.DiscardedBytes != 0 {
			t.Errorf("there were failed exchanges or bytes too many: %+v", c)
		}
	})
}

// Another project's program packs bits as in the specification, and this package must unpack them in the same order.
func TestRealSlavesBitsAreTheAskedOnes(t *testing.T) {
	line := lineTo(t, pymodbus(), patience)
	for _, function := range []byte{modbus.FuncReadCoils, modbus.FuncReadDiscrete} {
		for _, count := range []uint16{1, 7, 8, 9, 16, 20, 25, 100} {
			addr := uint16(imageFirst + 3)
			reply, err := line.Read(t.Context(), peerUnit, function, addr, count)
			if err != nil || len(reply.Registers) != int(count) {
				t.Fatalf("function %02X, %d bits: %v", function, count, err)
			}
			for i, got := range reply.Registers {
				if want := uint16(mathbits.OnesCount16(imageAt(function, addr+uint16(i))) % 2); got != want {
					t.Fatalf("function %02X, bit %d of %d: %d, want %d", function, i, count, got, want)
				}
			}
		}
	}
}

func TestRealSlavesRefusalIsTypedAndTheLineGoesOn(t *testing.T) {
	eachSlave(t, patience, func(t *testing.T, line *modbus.Line, _ realSlave) {
		for _, function := range []byte{modbus.FuncReadHolding, modbus.FuncReadInput} {
			for _, c := range []struct{ addr, count uint16 }{
				{imageEnd, 1}, {imageEnd - 1, 2}, {imageEnd - 124, 125}, {imageFirst - 1, 1}, {0xFFFF, 1},
			} {
				_, err := line.Read(t.Context(), peerUnit, function, c.addr, c.count)
				var refusal *modbus.Exception
				if !errors.As(err, &refusal) || refusal.Function != function || refusal.Code != 0x02 {
					t.Errorf("function %02X at 0x%04X+%d: %v, want exception 02", function, c.addr, c.count, err)
				}
				mustReadImage(t, line, function, imageFirst+5, 8)
			}
		}
	})
}

// libmodbus ignores the request to another unit. Then it waits half a second for that unit's answer, and ignores the
// next frame, which is the next request to libmodbus itself. So the first read after the timeout needs another try.
func TestAbsentUnitTimesOutAndTheLineHeals(t *testing.T) {
	eachSlave(t, impatience, func(t *testing.T, line *modbus.Line, _ realSlave) {
		untilAnswered(t, line, imageFirst, 8)
		for range 3 {
			if _, err := line.Read(t.Context(), absentUnit, modbus.FuncReadInput, imageFirst, 8); !errors.Is(err, modbus.ErrTimeout) {
				t.Errorf("a unit that is not there: %v, want a timeout", err)
			}
			untilAnswered(t, line, imageFirst+30, 8)
		}
	})
}

func TestRealSlaveIsIdentified(t *testing.T) {
	line := lineTo(t, pymodbus(), patience)
	mustReadImage(t, line, modbus.FuncReadInput, imageFirst, 3)
	for range 2 {
		id, err := line.Identify(t.Context(), peerUnit)
		if err != nil || id.Vendor != "Morningstar Corp." || id.ProductCode != "PS-PWM-30M" || id.Revision != "v01.04.06" {
			t.Fatalf("identified as %+v, %v", id, err)
		}
		mustReadImage(t, line, modbus.FuncReadInput, imageFirst, 3)
	}
}

// libmodbus does not know the length of an identification request. It takes half of the request for the whole, finds
// a wrong checksum and does not answer. To identify such a slave must cost no more than this timeout.
func TestSlaveThatDoesNotKnowIdentificationIsReadOn(t *testing.T) {
	line := lineTo(t, libmodbus(), impatience)
	untilAnswered(t, line, imageFirst, 8)
	for range 2 {
		if id, err := line.Identify(t.Context(), peerUnit); !errors.Is(err, modbus.ErrTimeout) {
			t.Errorf("identified as %+v, %v; want a timeout", id, err)
		}
		untilAnswered(t, line, imageFirst+30, 52)
	}
}

func TestRealSlavesServerIDArrivesWhole(t *testing.T) {
	eachSlave(t, patience, func(t *testing.T, line *modbus.Line, slave realSlave) {
		frame, err := line.Send(modbustest.AppendCRC([]byte{peerUnit, modbus.FuncReportServerID}))
		if err != nil {
			t.Fatal(err)
		}
		text := string(frame[3 : len(frame)-2])
		if !modbustest.ValidCRC(frame) || len(text) != int(frame[2]) || !strings.Contains(text, slave.serverID) {
			t.Errorf("server id % X, want %q in it", frame, slave.serverID)
		}
		mustReadImage(t, line, modbus.FuncReadInput, imageFirst, 52)
	})
}
