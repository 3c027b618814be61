package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"noi-agent/modbus/modbustest"
	"noi-agent/sinks/sinktest/standin"
)

// faults has the current faults of the clouds and of the line. `noi-sim fault` sets them. Each request of the agent
// reads them.
type faults struct {
	mu          sync.Mutex // guards the fields below
	sns, pubsub string     // a word of cloudFaults
	line        map[byte]string
	noise       func([]byte) []byte
}

// Words of `noi-sim fault cloud` and `noi-sim fault line`. "ok" ends a fault.
const (
	faultOK      = "ok"
	faultStop    = "stop"
	faultSlow    = "slow"
	faultReject  = "reject"
	faultRefuse  = "refuse"
	faultSilent  = "silent"
	faultGarbage = "garbage"
	faultNoisy   = "noisy" // each eighth reply is garbage
	faultLoose   = "loose" // each eighth request gets no reply
)

func cloudFaults() []string { return []string{faultOK, faultStop, faultSlow, faultReject, faultRefuse} }

func lineFaults() []string {
	return []string{faultOK, faultSilent, faultGarbage, faultNoisy, faultLoose, faultSlow}
}

// slowness is the delay of each answer of a slow cloud; slowLine is the delay of each answer of a slow controller.
const (
	slowness = 5 * time.Second
	slowLine = 300 * time.Millisecond
)

func newFaults() *faults {
	return &faults{sns: faultOK, pubsub: faultOK, line: map[byte]string{},
		noise: modbustest.Noise(rand.New(rand.NewPCG(weather, weather)))}
}

// ofSNS returns the fault for one request to SNS; nil: none. It waits if the cloud is slow.
func (f *faults) ofSNS() *standin.Fault {
	f.mu.Lock()
	word := f.sns
	f.mu.Unlock()
	switch word {
	case faultRefuse:
		denied := standin.SNSDenied(topicARN)
		return &denied
	case faultReject:
		return &standin.Fault{Code: "InvalidParameter", Text: "Invalid parameter: noi-sim rejects this message"}
	}
	return slowed(word)
}

func (f *faults) ofPubSub() *standin.Fault {
	f.mu.Lock()
	word := f.pubsub
	f.mu.Unlock()
	switch word {
	case faultRefuse:
		denied := standin.PubSubDenied()
		return &denied
	case faultReject:
		return &standin.Fault{Code: "InvalidArgument", Text: "noi-sim rejects this message"}
	}
	return slowed(word)
}

// slowed waits if the cloud is slow. It returns nil.
func slowed(word string) *standin.Fault {
	if word == faultSlow {
		<-time.After(slowness)
	}
	return nil
}

// setCloud sets the fault of a cloud: sns, pubsub, or all.
func (f *faults) setCloud(w *world, cloud, word string) error {
	if cloud != "sns" && cloud != "pubsub" && cloud != "all" {
		return fmt.Errorf("want sns, pubsub or all, not %q", cloud)
	}
	if err := known(word, cloudFaults()); err != nil {
		return err
	}
	f.mu.Lock()
	if cloud != "pubsub" {
		f.sns = word
	}
	if cloud != "sns" {
		f.pubsub = word
	}
	f.mu.Unlock()
	var errs []error
	if cloud != "pubsub" {
		errs = append(errs, w.sns.SetDown(word == faultStop))
	}
	if cloud != "sns" {
		errs = append(errs, w.pubsub.SetDown(word == faultStop))
	}
	return errors.Join(errs...)
}

// setLine sets the fault of a controller. Unit 0: of all controllers.
func (f *faults) setLine(w *world, unit byte, word string) error {
	if err := known(word, lineFaults()); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	found := false
	for _, u := range w.fleet.units {
		if unit == 0 || u.id == unit {
			f.line[u.id], found = word, true
		}
	}
	if !found {
		return fmt.Errorf("there is no unit %d; there are %s", unit, w.fleet.ids())
	}
	return nil
}

func known(word string, words []string) error {
	for _, w := range words {
		if word == w {
			return nil
		}
	}
	return fmt.Errorf("want one of %s, not %q", strings.Join(words, ", "), word)
}

// onLine returns the script of a controller: its fault, and the fault of a port whose setting differs from the line. At
// another parity a controller is silent: it discards a request in which the parity of a character is wrong. At another
// baud rate it answers garbage. A pty passes bytes on at any setting, but keeps the setting that a program has made.
func (f *faults) onLine(unit byte, port string, o runOptions) func(modbustest.Request) modbustest.Fault {
	return func(r modbustest.Request) modbustest.Fault {
		set := settingOf(port)
		f.mu.Lock()
		defer f.mu.Unlock()
		eighth := r.N%8 == 0
		switch word := f.line[unit]; {
		case word == faultSilent, word == faultLoose && eighth, set != nil && parityOf(set) != o.Parity:
			return modbustest.Fault{Silent: true}
		case word == faultGarbage, word == faultNoisy && eighth, set != nil && wrongRate(set, o.Baud):
			return modbustest.Fault{Mangle: f.noise}
		case word == faultSlow:
			return modbustest.Fault{Late: slowLine}
		default:
			return modbustest.Fault{}
		}
	}
}

// settingOf returns the setting of a port; nil if it is not known.
func settingOf(port string) *unix.Termios {
	tty, err := os.OpenFile(port, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer tty.Close()
	t, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		return nil
	}
	return t
}

// wrongRate reports whether a port is set to another rate than baud. It returns false if rates does not have baud.
func wrongRate(set *unix.Termios, baud int) bool {
	want, ok := rates()[baud]
	return ok && set.Cflag&unix.CBAUD != want
}

// Parities of the line.
const (
	parityNone = "none"
	parityEven = "even"
	parityOdd  = "odd"
)

func parities() []string { return []string{parityNone, parityEven, parityOdd} }

// parityOf returns the parity of a port. A pty clears PARENB. But a program that switches parity on also sets INPCK, so
// that the driver checks the parity.
func parityOf(set *unix.Termios) string {
	switch {
	case set.Iflag&unix.INPCK == 0:
		return parityNone
	case set.Cflag&unix.PARODD != 0:
		return parityOdd
	default:
		return parityEven
	}
}

func rates() map[int]uint32 {
	return map[int]uint32{
		300: unix.B300, 1200: unix.B1200, 2400: unix.B2400, 4800: unix.B4800, 9600: unix.B9600, 19200: unix.B19200,
		38400: unix.B38400, 57600: unix.B57600, 115200: unix.B115200, 230400: unix.B230400,
	}
}
