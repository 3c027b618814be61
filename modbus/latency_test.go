package modbus

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestSerialStructIsTheStructOfTheKernel: the offsets are those of a C compiler for linux/serial.h, on x86-64, and on
// 32-bit ARM, MIPS and x86, which are equal.
func TestSerialStructIsTheStructOfTheKernel(t *testing.T) {
	var s serialStruct
	got := [...]uintptr{
		unsafe.Sizeof(s), unsafe.Offsetof(s.flags), unsafe.Offsetof(s.closeDelay), unsafe.Offsetof(s.hub6), unsafe.Offsetof(s.closingWait),
		unsafe.Offsetof(s.iomemBase), unsafe.Offsetof(s.iomemRegShift), unsafe.Offsetof(s.portHigh), unsafe.Offsetof(s.iomapBase),
	}
	want := [...]uintptr{72, 16, 32, 36, 40, 48, 56, 60, 64}
	if unsafe.Sizeof(uintptr(0)) == 4 {
		want = [...]uintptr{60, 16, 32, 36, 40, 44, 48, 52, 56}
	}
	if got != want {
		t.Errorf("size and offsets %v, want %v", got, want)
	}
}

// The compiler checks the same for every architecture of go vet: an array of another length is a type error.
const wide = unsafe.Sizeof(uintptr(0)) / 8 // 1 on 64-bit machines, 0 on 32-bit ones

var (
	_ [60 + 12*wide]byte = [unsafe.Sizeof(serialStruct{})]byte{}
	_ [56 + 8*wide]byte  = [unsafe.Offsetof(serialStruct{}.iomapBase)]byte{}
	_ [32]byte           = [unsafe.Sizeof(serialRS485{})]byte{}
)

// chip is a serial driver. It may keep the low-latency flag, and like FTDI's driver it may set a timer with it.
type chip struct {
	now     serialStruct
	unknown error
	refuses error
	keeps   bool // keeps the flag
	moves   bool // sets the timer to 1 ms
	timer   string
	sets    int
}

func (c *chip) getSerial(s *serialStruct) error {
	*s = c.now
	return c.unknown
}

func (c *chip) setSerial(s *serialStruct) error {
	c.sets++
	if c.refuses != nil {
		return c.refuses
	}
	c.now = *s
	if !c.keeps {
		c.now.flags &^= asyncLowLatency
	}
	if c.moves {
		return os.WriteFile(c.timer, []byte("1\n"), 0o600)
	}
	return nil
}

// sysFolder is a device of sysfs on a bus. It has a latency timer unless timer is empty.
func sysFolder(t *testing.T, bus, timer string) string {
	t.Helper()
	sys := t.TempDir()
	if err := os.Symlink("../bus/"+bus, filepath.Join(sys, "subsystem")); err != nil {
		t.Fatal(err)
	}
	if timer == "" {
		return sys
	}
	if err := os.WriteFile(filepath.Join(sys, "latency_timer"), []byte(timer), 0o600); err != nil {
		t.Fatal(err)
	}
	return sys
}

func TestLowLatencySetsTheFlagAndNothingElse(t *testing.T) {
	before := serialStruct{kind: 4, line: 3, irq: 4, flags: 0x10C0, baudBase: 115200, closingWait: 3000, iomemBase: 77}
	c := &chip{now: before, keeps: true}
	if err := lowLatency("on", c, sysFolder(t, "platform", "")); err != nil {
		t.Fatal(err)
	}
	want := before
	want.flags = 0x30C0
	if c.now != want {
		t.Errorf("the driver has %+v, want %+v", c.now, want)
	}
	if err := lowLatency("on", c, sysFolder(t, "platform", "")); err != nil || c.sets != 1 {
		t.Errorf("%d sets, %v: set already", c.sets, err)
	}
}

func TestLowLatencyTimer(t *testing.T) {
	for name, c := range map[string]struct {
		chip        chip
		timer, want string
	}{
		"driver without the flag":         {chip{unknown: unix.ENOTTY}, "16\n", "1"},
		"driver that moves it itself":     {chip{keeps: true, moves: true}, "16\n", "1\n"},
		"driver that forgets":             {chip{}, "16\n", "1"},
		"set before, by a rule of udev's": {chip{refuses: unix.EPERM}, "1\n", "1\n"},
	} {
		for _, mode := range []string{"auto", "on"} {
			one := c.chip
			sys := sysFolder(t, "usb-serial", c.timer)
			one.timer = filepath.Join(sys, "latency_timer")
			if err := lowLatency(mode, &one, sys); err != nil {
				t.Errorf("%s, %s: %v", name, mode, err)
			}
			text, err := os.ReadFile(one.timer)
			if err != nil || string(text) != c.want {
				t.Errorf("%s, %s: the timer has %q, %v", name, mode, text, err)
			}
		}
	}
}

func TestLowLatencyThatTheDriverLacks(t *testing.T) {
	lacks := map[string]*chip{
		"no such call": {unknown: unix.ENOTTY},
		"refused":      {refuses: unix.EPERM},
		"not kept":     {},
	}
	for name, c := range lacks {
		if err := lowLatency("on", c, sysFolder(t, "usb-serial", "")); !errors.Is(err, errNoLowLatency) {
			t.Errorf("on, %s: %v", name, err)
		}
		if err := lowLatency("auto", c, sysFolder(t, "usb-serial", "")); err != nil {
			t.Errorf("auto, %s: %v", name, err)
		}
	}
	// Where the file should be is a folder, so that even root cannot write it: many tests run as root.
	sys := sysFolder(t, "usb-serial", "")
	if err := os.Mkdir(filepath.Join(sys, "latency_timer"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := lowLatency("on", &chip{keeps: true}, sys); !errors.Is(err, errLatencyTimer) {
		t.Errorf("a timer that cannot be set: %v", err)
	}
	if err := lowLatency("auto", &chip{keeps: true}, sys); err != nil {
		t.Errorf("auto, a timer that cannot be set: %v", err)
	}
}

func TestLowLatencyLeavesOtherPortsAlone(t *testing.T) {
	for mode, bus := range map[string]string{"auto": "platform", "off": "usb-serial"} {
		c := &chip{keeps: true}
		if err := lowLatency(mode, c, sysFolder(t, bus, "")); err != nil || c.sets != 0 {
			t.Errorf("%s on %s: %d sets, %v", mode, bus, c.sets, err)
		}
	}
}
