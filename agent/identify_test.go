package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
)

func TestSlaveThatDoesNotKnowIdentificationIsLeftInPeace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mute := controller(1)
		mute.Identity = nil
		silent := silenced(mute)
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, mute)})
		time.Sleep(20*time.Minute - time.Second)
		silent.Store(true) // a missed reply does not change what the slave can report
		time.Sleep(1500 * time.Millisecond)
		silent.Store(false)
		time.Sleep(20 * time.Minute)
		s.stop()
		asked := mute.Functions()
		if asked[0x2B] != 8 || asked[0x11] != 8 { // one more request after 1, 3, 7, 15 and 31 minutes
			t.Errorf("%d requests with 0x2B and %d with 0x11, want 3 and five more each", asked[0x2B], asked[0x11])
		}
		if n := len(s.messages()); n < 700 {
			t.Errorf("only %d messages", n)
		}
	})
}

func TestProductCodeInTheServerIDIsTaken(t *testing.T) {
	for _, model := range []string{"PSPWM", "auto"} {
		t.Run(model, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slave := controller(1)
				slave.Identity = nil
				slave.ServerID = []byte("\x01\xFFPS-PWM-30M v01.04")
				config := strings.Replace(oneSlave, "model: PSPWM", "model: "+model, 1)
				s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
				time.Sleep(15 * time.Second)
				s.stop()
				messages := s.messages()
				if len(messages) != 6 {
					t.Fatalf("%d messages, want 6", len(messages))
				}
				for _, m := range messages {
					if m.Slave != "PS-PWM-30M" {
						t.Errorf("%+v", m)
					}
				}
			})
		})
	}
}

func TestServerIDThatNamesNoFamilyIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		slave.Identity, slave.ServerID = nil, []byte("\x01\xFFLMB3.1.6")
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(5 * time.Second)
		s.stop()
		if m := s.messages()[0]; m.Slave != "PSPWM" || m.CCFirmware != "" {
			t.Errorf("%+v", m)
		}
	})
}

// TestSlaveThatLosesItsFrameOverIdentificationIsGivenTime: the slave does not answer 0x2B, and hears nothing for most
// of a second after it. No object is missed because of this.
func TestSlaveThatLosesItsFrameOverIdentificationIsGivenTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		var deafUntil time.Time
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			if r.Function == 0x2B || r.Function == 0x11 {
				deafUntil = time.Now().Add(1400 * time.Millisecond) // half a second of this is the timeout
			}
			return modbustest.Fault{Silent: time.Now().Before(deafUntil)}
		}
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(time.Minute)
		status := s.status()
		s.stop()
		if st := status.Lines[0].Slaves[0]; st.Missed != 0 || st.State != "ok" {
			t.Errorf("%+v", st)
		}
		if n := len(s.messages()); n < 3*6 {
			t.Errorf("%d messages in a minute", n)
		}
	})
}

// TestAnotherControllerIsNoticedWithinTenMinutes: a controller is exchanged, and no reply is missed.
func TestAnotherControllerIsNoticedWithinTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		exchanged := time.Now().Add(5500 * time.Millisecond)
		slave.Script = func(modbustest.Request) modbustest.Fault {
			if time.Now().After(exchanged) {
				slave.Identity = &modbustest.Identity{Vendor: "Morningstar Corp.", Product: "PS-PWM-15", Revision: "v02.00.01"}
			}
			return modbustest.Fault{}
		}
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(10*time.Minute + 15*time.Second)
		s.stop()
		messages := s.messages()
		if last := messages[len(messages)-1]; last.Slave != "PS-PWM-15" || last.CCFirmware != "v02.00.01" {
			t.Errorf("%+v", last)
		}
	})
}

// TestAControllerThatRefusesToIdentifyItselfHasNotTheNameOfTheOneBefore: it refuses function 0x2B and does not answer
// 0x11, and one refusal is lost.
func TestAControllerThatRefusesToIdentifyItselfHasNotTheNameOfTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		exchanged, asked := time.Now().Add(25*time.Second), 0
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			if time.Now().Before(exchanged) {
				return modbustest.Fault{}
			}
			if slave.Identity = nil; r.Function == 0x2B {
				asked++
			}
			away := time.Since(exchanged) < 20*time.Second
			return modbustest.Fault{Silent: away || r.Function == 0x11 || r.Function == 0x2B && asked == 2}
		}
		s := startOne(t, oneSlave, slave)
		time.Sleep(5 * time.Minute)
		s.stop()
		messages := s.messages()
		if last := messages[len(messages)-1]; last.Slave != "PSPWM" || last.CCFirmware != "" || last.SampledAt < "2000-01-01T00:04:40Z" {
			t.Errorf("%+v", last)
		}
		for _, m := range messages {
			if m.SampledAt > "2000-01-01T00:00:25Z" && m.CCFirmware != "" {
				t.Errorf("the new controller has the firmware of the one before: %+v", m)
			}
		}
	})
}

// TestRegistersTellWhoTheSlaveIs: a family may name the objects that identify its devices, if no function does.
func TestRegistersTellWhoTheSlaveIs(t *testing.T) {
	dir := t.TempDir()
	family := `family: METER
max_registers: 10
identity: {product_code: label, firmware: version}
objects:
  - {address: 0x0000, name: power, table: input, encoding: u16, unit: W, interval: 10s}
  - {address: 0x0020, name: label, table: holding, encoding: ascii_hilo, registers: 2, interval: 1h}
  - {address: 0x0030, name: version, table: holding, encoding: version16, interval: 1h}
`
	if err := os.WriteFile(filepath.Join(dir, "meter.yaml"), []byte(family), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		slave.Identity = nil
		slave.Read = func(_ byte, addr, count uint16) ([]uint16, byte) {
			regs := make([]uint16, count)
			copy(regs, map[uint16][]uint16{0: {1500}, 0x20: {0x4D31, 0x3200}, 0x30: {0x0203}}[addr])
			return regs, 0
		}
		config := "lines:\n  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: METER}]}\n" +
			"integrations:\n  - {name: x, type: gcp, topic: projects/test-project/topics/Main}\n"
		s := startWith(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)}, dir)
		time.Sleep(5 * time.Second)
		s.stop()
		messages := s.messages()
		if len(messages) != 1 || messages[0].Slave != "M12" || messages[0].CCFirmware != "02.03" {
			t.Errorf("%+v", messages)
		}
	})
}

// TestIdentityHealsAfterTroubleWhileItWasAsked: noise, a busy controller or a short absence during an identification
// proves nothing about what the controller can report.
func TestIdentityHealsAfterTroubleWhileItWasAsked(t *testing.T) {
	flip := func(f []byte) []byte { f[len(f)-1] ^= 1; return f }
	for name, trouble := range map[string]func(modbustest.Request) modbustest.Fault{
		"noise": func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Mangle: flip} },
		"long frames damaged": func(r modbustest.Request) modbustest.Fault {
			if r.Function == 0x2B {
				return modbustest.Fault{Mangle: flip}
			}
			return modbustest.Fault{}
		},
		"busy":   func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Exception: 6} },
		"absent": func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: true} },
	} {
		for _, model := range []string{"PSPWM", "auto"} {
			for _, length := range []time.Duration{3 * time.Second, 8 * time.Second, 19 * time.Second} {
				t.Run(fmt.Sprintf("%s, %s, %v", name, model, length), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						slave := controller(1)
						var from time.Time // begins with the second identification
						asked := 0
						slave.Script = func(r modbustest.Request) modbustest.Fault {
							if r.Function == 0x2B {
								asked++
							}
							if asked < 2 {
								return modbustest.Fault{}
							}
							if from.IsZero() {
								from = time.Now()
							}
							if time.Since(from) > length {
								return modbustest.Fault{}
							}
							return trouble(r)
						}
						s := start(t, strings.Replace(oneSlave, "model: PSPWM", "model: "+model, 1), map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
						time.Sleep(21 * time.Minute)
						s.stop()
						messages := s.messages()
						last := messages[len(messages)-1]
						if last.Slave != "PS-PWM-30M" || last.CCFirmware != "v01.04.06" || last.SampledAt < "2000-01-01T00:20:40Z" {
							t.Errorf("%+v", last)
						}
					})
				})
			}
		}
	}
}

// TestReadingsDoNotOutliveThePort: readings wait for the identity of a controller, and the port closes. The
// controller that answers afterwards does not get these readings.
func TestReadingsDoNotOutliveThePort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, other := controller(1), controller(2)
		var pipe *modbustest.Pipe
		var resting, unplugged time.Time
		first.Script = func(r modbustest.Request) modbustest.Fault {
			if r.Function == 0x2B {
				resting = time.Now().Add(time.Second) // half of it is the timeout
			}
			return modbustest.Fault{Silent: r.Function == 0x2B}
		}
		other.Script = func(modbustest.Request) modbustest.Fault {
			if unplugged.IsZero() && !resting.IsZero() && time.Now().After(resting) {
				unplugged = time.Now()
				go pipe.Unplug()
			}
			return modbustest.Fault{}
		}
		pipe = modbustest.NewPipe(9600, 11, first, other)
		config := strings.Replace(oneSlave, "slaves: [{", `slaves: [{id: 2, model: PSPWM, objects: Et_float, intervals: {"*": 100ms}}, {`, 1)
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": pipe})
		time.Sleep(time.Hour)
		synctest.Wait()
		first.Script = nil
		first.Identity = &modbustest.Identity{Vendor: "Morningstar Corp.", Product: "PS-PWM-15", Revision: "v02.00.01"}
		pipe.Plug()
		time.Sleep(time.Minute)
		s.stop()
		for _, m := range s.messages() {
			at, _ := time.Parse(time.RFC3339, m.SampledAt)
			if m.Slave == "PS-PWM-15" && at.Before(unplugged.Add(time.Minute)) {
				t.Errorf("%+v is from before the exchange", m)
			}
		}
	})
}

// TestModelAutoOfASlaveThatIsSilentToIdentification: the slave does not answer function 0x2B, instead of refusing it.
// Its server id identifies it.
func TestModelAutoOfASlaveThatIsSilentToIdentification(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		slave.ServerID = []byte("\x01\xFFPS-PWM-30M")
		slave.Script = func(r modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: r.Function == 0x2B} }
		config := strings.Replace(oneSlave, "model: PSPWM", "model: auto", 1)
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(time.Minute)
		s.stop()
		if n := len(s.messages()); n == 0 || s.messages()[0].Slave != "PS-PWM-30M" {
			t.Errorf("%d messages", n)
		}
	})
}
