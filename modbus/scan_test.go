package modbus_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// scanOf scans lines in memory: one for each baud rate, with its slaves.
func scanOf(units []byte, lines map[int][]*modbustest.Slave, bauds ...int) *modbus.Scan {
	s := &modbus.Scan{
		Units: units, Timeout: 200 * time.Millisecond,
		Open: func(s modbus.Settings) (modbus.Port, error) {
			return modbustest.NewPipe(s.Baud, bits, lines[s.Baud]...).Dial()
		},
	}
	for _, b := range bauds {
		s.Settings = append(s.Settings, modbus.Settings{Port: "/dev/ttyTest", Baud: b})
	}
	return s
}

func unitsOf(found []modbus.Found) []byte {
	units := []byte{}
	for _, f := range found {
		units = append(units, f.Unit)
	}
	return units
}

func TestScanFindsWhoAnswersAndWhoTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nameless := &modbustest.Slave{Unit: 9, Read: modbustest.OwnAddress} // exception 01 to 0x2B and 0x11
		refusing := &modbustest.Slave{Unit: 247, Identity: &modbustest.Identity{Vendor: "Nobody", Product: "XY-1", Revision: "v1"}}
		result, err := scanOf(modbus.AllUnits(), map[int][]*modbustest.Slave{9600: {ownAddress(1), nameless, refusing}}, 9600, 19200).Run(t.Context())
		if err != nil || !slices.Equal(unitsOf(result.Found), []byte{1, 9, 247}) || result.Asked != 247 || len(result.Garbled) > 0 {
			t.Fatalf("%+v, %v", result, err)
		}
		one, nine, last := result.Found[0], result.Found[1], result.Found[2]
		if one.Identity.ProductCode != "PS-PWM-30M" || one.Exception != nil || nine.Identity.ProductCode != "" || nine.Exception != nil {
			t.Errorf("%+v %+v", one, nine)
		}
		if last.Exception == nil || last.Exception.Code != 1 || last.Identity.ProductCode != "XY-1" {
			t.Errorf("%+v", last)
		}
	})
}

func TestScanTriesOtherSettingsOnlyWhenNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := map[int][]*modbustest.Slave{19200: {ownAddress(3)}, 38400: {ownAddress(4)}}
		var rounds []int
		s := scanOf([]byte{1, 2, 3, 4, 5}, lines, 9600, 19200, 38400)
		s.Step = func(step modbus.Step) {
			if step.Asked == 0 {
				rounds = append(rounds, step.Settings.Baud)
			}
			if step.Last != 6 || step.All != 5 {
				t.Errorf("%+v", step)
			}
		}
		result, err := s.Run(t.Context())
		if err != nil || !slices.Equal(unitsOf(result.Found), []byte{3}) || result.Settings.Baud != 19200 || !slices.Equal(rounds, []int{9600, 19200}) {
			t.Errorf("%+v, %v; rounds at %v", result, err, rounds)
		}
	})
}

// Some devices do not answer functions that they do not know.
func TestScanAsksWithTheOtherFunctionWhenNobodyAnswersTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		meter := ownAddress(2)
		meter.Script = func(r modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: r.Function != 0x03} }
		result, err := scanOf([]byte{1, 2}, map[int][]*modbustest.Slave{9600: {meter}}, 9600, 19200).Run(t.Context())
		if err != nil || !slices.Equal(unitsOf(result.Found), []byte{2}) || result.Asked != 6 || result.Settings.Baud != 9600 {
			t.Errorf("%+v, %v", result, err)
		}
		if f := result.Found; len(f) == 1 && (f[0].Identity.ProductCode != "" || f[0].ServerID != "") {
			t.Errorf("the unit was identified: %+v", f[0])
		}
	})
}

// TestScanTakesAsLongAsItSays compares the estimate with a scan that finds no unit, in virtual time.
func TestScanTakesAsLongAsItSays(t *testing.T) {
	for _, baud := range []int{2400, 9600, 115200} {
		synctest.Test(t, func(t *testing.T) {
			s := scanOf(modbus.AllUnits(), nil, baud)
			s.Functions = []byte{modbus.FuncReadInput}
			began := time.Now()
			result, err := s.Run(t.Context())
			took, said := time.Since(began), s.Expected(s.Settings[0])
			if err != nil || len(result.Found) > 0 {
				t.Errorf("%+v, %v", result, err)
			}
			if diff := (took - said).Abs(); diff > said/100 {
				t.Errorf("%d baud: took %v, estimated %v", baud, took, said)
			}
		})
	}
	s := scanOf(modbus.AllUnits(), nil, 9600)
	if each := s.Expected(s.Settings[0]) / 247; each < 270*time.Millisecond || each > 290*time.Millisecond {
		t.Errorf("a silent unit costs %v at 9600 baud and 200 ms", each)
	}
	s.Settings[0].Port = "tcp://192.0.2.1"
	if each := s.Expected(s.Settings[0]) / 247; each != 232*time.Millisecond {
		t.Errorf("a silent unit costs %v over Modbus TCP", each)
	}
}

func TestScanTellsGarbageFromSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		twins := ownAddress(2) // two slaves with one unit id collide
		twins.Script = func(modbustest.Request) modbustest.Fault {
			return modbustest.Fault{Mangle: func(frame []byte) []byte {
				frame[len(frame)-1] ^= 0x55
				return frame
			}}
		}
		result, err := scanOf([]byte{1, 2, 3}, map[int][]*modbustest.Slave{9600: {twins, ownAddress(3)}}, 9600).Run(t.Context())
		if err != nil || !slices.Equal(unitsOf(result.Found), []byte{3}) || !slices.Equal(result.GarbledUnits(), []byte{2}) {
			t.Errorf("%+v, %v", result, err)
		}
	})
}

// A gateway answers for slaves that it cannot reach.
func TestScanTakesAGatewaysComplaintForSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		absent := ownAddress(1)
		absent.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Exception: 0x0B} }
		result, err := scanOf([]byte{1, 2}, map[int][]*modbustest.Slave{9600: {absent, ownAddress(2)}}, 9600).Run(t.Context())
		if err != nil || !slices.Equal(unitsOf(result.Found), []byte{2}) {
			t.Errorf("%+v, %v", result, err)
		}
	})
}

func TestScanThatIsCutShortKeepsWhatItFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := scanOf(modbus.AllUnits(), map[int][]*modbustest.Slave{9600: {ownAddress(2)}}, 9600)
		s.Step = func(step modbus.Step) {
			if step.Unit == 5 {
				cancel()
			}
		}
		result, err := s.Run(ctx)
		if !errors.Is(err, context.Canceled) || !slices.Equal(unitsOf(result.Found), []byte{2}) || result.Asked != 4 {
			t.Errorf("%+v, %v", result, err)
		}
	})
	synctest.Test(t, func(t *testing.T) { // the context ends during an identification
		ctx, cancel := context.WithCancel(t.Context())
		slave := ownAddress(2)
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			if r.Function == modbus.FuncEncapsulated {
				cancel()
			}
			return modbustest.Fault{}
		}
		result, err := scanOf([]byte{2, 3}, map[int][]*modbustest.Slave{9600: {slave}}, 9600).Run(ctx)
		if !errors.Is(err, context.Canceled) || !slices.Equal(unitsOf(result.Found), []byte{2}) {
			t.Errorf("%+v, %v", result, err)
		}
	})
	s := scanOf([]byte{1}, nil, 9600)
	s.Open = nil
	var open *modbus.OpenError
	if _, err := s.Run(t.Context()); !errors.As(err, &open) || modbus.IsBusy(err) {
		t.Errorf("a port that is not there: %v", err)
	}
}

// While an agent has the port open, a scan asks the units through the agent, and opens no port.
func TestScanAsksThroughAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := modbustest.NewPipe(9600, bits, ownAddress(2), &modbustest.Slave{Unit: 4, Script: func(modbustest.Request) modbustest.Fault {
			return modbustest.Fault{Mangle: func(frame []byte) []byte { frame[len(frame)-1] ^= 0x55; return frame }}
		}})
		line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: "/dev/ttyTest", Baud: 9600}, Open: func() (modbus.Port, error) { return pipe.Dial() }})
		if err := line.Open(); err != nil {
			t.Fatal(err)
		}
		defer line.Close()
		s := scanOf([]byte{1, 2, 3, 4}, nil, 9600)
		s.Open = func(modbus.Settings) (modbus.Port, error) { return nil, errors.New("another program has the port") }
		s.Ask = func(ctx context.Context, unit, function byte) (*modbus.Found, error) {
			return modbus.Probe(ctx, line, unit, function)
		}
		result, err := s.Run(t.Context())
		if err != nil || !slices.Equal(unitsOf(result.Found), []byte{2}) || !slices.Equal(result.GarbledUnits(), []byte{4}) || result.Asked != 4 {
			t.Errorf("%+v, %v", result, err)
		}
		for _, fault := range line.Faults() {
			if fault.Unit != 4 {
				t.Errorf("a missing unit counts as a fault of the line: %+v", fault)
			}
		}
	})
}

func TestPortThatAnotherProgramHasIsBusy(t *testing.T) {
	pty := modbustest.MustServe(t, 0, bits)
	settings := modbus.Settings{Port: pty.Path()}
	port, err := modbus.OpenSerial(settings)
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	if _, err := modbus.OpenSerial(settings); !modbus.IsBusy(err) {
		t.Errorf("%v is not busy", err)
	}
}
