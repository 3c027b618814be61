package modbus

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// TestKernelRS485IsTheStructOfTheKernel compares with the bytes that a C compiler makes from linux/serial.h.
func TestKernelRS485IsTheStructOfTheKernel(t *testing.T) {
	for _, c := range []struct {
		r    RS485
		want [3]uint32 // flags, ms before, ms after
	}{
		{RS485{Polarity: "high"}, [3]uint32{0b011, 0, 0}},
		{RS485{Polarity: "low"}, [3]uint32{0b101, 0, 0}},
		{RS485{Polarity: "high", Before: time.Millisecond, After: 100 * time.Millisecond}, [3]uint32{0b011, 1, 100}},
		{RS485{Polarity: "low", Before: 1, After: 1001 * time.Microsecond}, [3]uint32{0b101, 1, 2}},
	} {
		want := make([]byte, 32)
		for i, word := range c.want {
			binary.NativeEndian.PutUint32(want[4*i:], word)
		}
		got := c.r.kernelForm()
		if b := unsafe.Slice((*byte)(unsafe.Pointer(&got)), unsafe.Sizeof(got)); !slices.Equal(b, want) {
			t.Errorf("%+v:\ngot  % X\nwant % X", c.r, b, want)
		}
	}
}

// driver is a serial driver with RS-485. It ignores the settings that its chip does not support.
type driver struct {
	now      serialRS485
	unknown  error  // error of both calls
	refuses  error  // error of setRS485
	flags    uint32 // flags that it knows
	before   uint32 // longest delays, in ms
	after    uint32
	silently bool // succeeds and changes nothing
}

func (d *driver) getRS485(s *serialRS485) error {
	*s = d.now
	return d.unknown
}

func (d *driver) setRS485(s *serialRS485) error {
	if err := errors.Join(d.unknown, d.refuses); err != nil {
		return err
	}
	s.flags &= d.flags
	s.delayBefore, s.delayAfter = min(s.delayBefore, d.before), min(s.delayAfter, d.after)
	if d.silently {
		*s = d.now
	}
	d.now = *s
	return nil
}

func TestKernelRS485IsSetAndGivenBack(t *testing.T) {
	before := serialRS485{flags: rs485RTSAfterSend | 1<<4, delayAfter: 7}
	d := &driver{now: before, flags: 0xFFFF, before: 100, after: 100}
	restore, err := startKernelRS485(d, RS485{Mode: "kernel", Polarity: "high", Before: 3 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if want := (serialRS485{flags: rs485Enabled | rs485RTSOnSend, delayBefore: 3}); d.now != want {
		t.Errorf("the driver has %+v, want %+v", d.now, want)
	}
	restore()
	if d.now != before {
		t.Errorf("the driver was left with %+v, want %+v", d.now, before)
	}
}

func TestKernelRS485ThatTheDriverLeavesOutIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		driver driver
		want   error
	}{
		"no such call":       {driver{unknown: unix.ENOTTY, flags: 0xFFFF, before: 100, after: 100}, errNoRS485},
		"refused":            {driver{refuses: unix.EINVAL, flags: 0xFFFF, before: 100, after: 100}, errNoRS485},
		"taken and not done": {driver{silently: true}, errNoRS485},
		"no such level":      {driver{flags: rs485Enabled, before: 100, after: 100}, errRS485Refused},
		"short delay before": {driver{flags: 0xFFFF, before: 4, after: 100}, errRS485Refused},
		"short delay after":  {driver{flags: 0xFFFF, before: 100, after: 5}, errRS485Refused},
	} {
		_, err := startKernelRS485(&c.driver, RS485{Polarity: "high", Before: 5 * time.Millisecond, After: 6 * time.Millisecond})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if c.driver.now != (serialRS485{}) {
			t.Errorf("%s: the driver was left with %+v", name, c.driver.now)
		}
	}
}

func TestKernelRS485EndsBeforeWeMoveRTS(t *testing.T) {
	on := serialRS485{flags: rs485Enabled | rs485RTSOnSend, delayAfter: 2}
	d := &driver{now: on, flags: 0xFFFF, before: 100, after: 100}
	if err := stopKernelRS485(d); err != nil || d.now != (serialRS485{flags: rs485RTSOnSend, delayAfter: 2}) {
		t.Errorf("%+v, %v", d.now, err)
	}
	if err := stopKernelRS485(&driver{unknown: unix.ENOTTY}); err != nil {
		t.Errorf("a driver without: %v", err)
	}
	if err := stopKernelRS485(&driver{now: on, refuses: unix.EPERM}); !errors.Is(err, unix.EPERM) {
		t.Errorf("a driver that refuses: %v", err)
	}
}

func TestThereAreNoDelaysWithoutAMode(t *testing.T) {
	delays := RS485{Before: time.Second, After: time.Second, Polarity: "low"}
	if got := (Settings{RS485: delays}).withDefaults().RS485; got != (RS485{Mode: "off", Polarity: "low"}) {
		t.Errorf("%+v", got)
	}
}

// rtsLog is a port that records each call with its time.
type rtsLog struct {
	start  time.Time
	events []event
	drain  time.Duration    // how long Drain takes
	fails  map[string]error // by operation; EINTR only once
}

type event struct {
	what string
	at   time.Duration
}

func (l *rtsLog) note(what string) error {
	l.events = append(l.events, event{what, time.Since(l.start)})
	err := l.fails[what]
	if errors.Is(err, unix.EINTR) {
		delete(l.fails, what)
	}
	return err
}

func (l *rtsLog) SetRTS(set bool) error {
	if set {
		return l.note("set")
	}
	return l.note("clear")
}

func (l *rtsLog) Write(p []byte) (int, error) {
	if err := l.note("write"); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (l *rtsLog) Drain() error {
	pause(l.drain)
	return l.note("drain")
}

// wire8 is how long the eight characters of a request take at 9600 8N2: 88 bits.
const wire8 = 88 * time.Second / 9600

func TestRTSFramesTheWriteInTime(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		rs485 RS485
		drain time.Duration
		want  []event
	}{
		"a UART, which drains when the bits have left": {
			RS485{}, wire8 + ms,
			[]event{{"set", 0}, {"write", 0}, {"drain", wire8 + ms}, {"clear", wire8 + ms}},
		},
		"a USB adapter, which drains at once": {
			RS485{}, 0,
			[]event{{"set", 0}, {"write", 0}, {"drain", 0}, {"clear", wire8}},
		},
		"delays": {
			RS485{Before: 2 * ms, After: 3 * ms}, ms,
			[]event{{"set", 0}, {"write", 2 * ms}, {"drain", 3 * ms}, {"clear", 2*ms + wire8 + 3*ms}},
		},
		"the other polarity": {
			RS485{Polarity: "low", After: ms}, 0,
			[]event{{"clear", 0}, {"write", 0}, {"drain", 0}, {"set", wire8 + ms}},
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			c.rs485.Mode = "rts"
			log := &rtsLog{start: time.Now(), drain: c.drain}
			sender := &rtsSender{port: log, settings: Settings{RS485: c.rs485}.withDefaults()}
			if n, err := sender.Write(make([]byte, 8)); n != 8 || err != nil {
				t.Errorf("%s: %d, %v", name, n, err)
			}
			if d := cmp.Diff(c.want, log.events, cmp.AllowUnexported(event{})); d != "" {
				t.Errorf("%s: %s", name, d)
			}
		})
	}
}

func TestRTSFreesTheLineWhateverFails(t *testing.T) {
	for what, want := range map[string][]string{
		"set":   {"set", "clear"},
		"write": {"set", "write", "clear"},
		"drain": {"set", "write", "drain", "clear"},
		"clear": {"set", "write", "drain", "clear"},
	} {
		synctest.Test(t, func(t *testing.T) {
			log := &rtsLog{start: time.Now(), fails: map[string]error{what: unix.EIO}}
			sender := &rtsSender{port: log, settings: Settings{RS485: RS485{Mode: "rts"}}.withDefaults()}
			if _, err := sender.Write(make([]byte, 8)); !errors.Is(err, unix.EIO) {
				t.Errorf("%s fails: %v", what, err)
			}
			var got []string
			for _, e := range log.events {
				got = append(got, e.what)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s fails: %v, want %v", what, got, want)
			}
		})
	}
}

func TestDrainGoesOnAfterASignal(t *testing.T) {
	log := &rtsLog{fails: map[string]error{"drain": unix.EINTR}}
	if err := drain(log); err != nil || len(log.events) != 2 {
		t.Errorf("%d drains, %v", len(log.events), err)
	}
}
