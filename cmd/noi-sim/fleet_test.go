package main

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"noi-agent/modbus"
	"noi-agent/objects"
	"noi-agent/sim"
)

func TestMisuseOfSlavesAndFaults(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"--slaves 1", "want UNIT=FAMILY"},
		{"--slaves 0=PSPWM", "not \"0=PSPWM\""},
		{"--slaves 248=PSPWM", "not \"248=PSPWM\""},
		{"--slaves 1=PSPWM,", `not ""`},
		{"--slaves 1=pspwm", `there is no family "pspwm"; did you mean PSPWM?`},
		{"--slaves 1=Enphase", "GENSTAR, PSMPPT, PSPWM"},
		{"--parity mark", `--parity: want one of none, even, odd, not "mark"`},
		{"--fault array_fault", "want [UNIT/]OBJECT:VALUE@FROM[-UNTIL]"},
		{"--fault array_fault@1s", "want [UNIT/]OBJECT"},
		{"--fault array_fault:@1s", "want [UNIT/]OBJECT"},
		{"--fault x/array_fault:rts_shorted@1s", "want [UNIT/]OBJECT"},
		{"--fault 0/array_fault:rts_shorted@1s", "want [UNIT/]OBJECT"},
		{"--fault array_fault:rts_shorted@soon", `want a time as in 30s or 5m, not "soon"`},
		{"--fault array_fault:rts_shorted@", `want a time as in 30s or 5m, not ""`},
		{"--fault array_fault:rts_shorted@5s-5s", `want an end after 5s, as in 30s-90s, not "5s"`},
		{"--fault array_falt:rts_shorted@1s", `object "array_falt"; did you mean array_fault?`},
		{"--fault array_fault:rts_short@1s", `array_fault has no bit "rts_short"; did you mean rts_shorted?`},
		{"--faults alarm:rts_open@1s,load_state:LVDD@2s", `load_state has no state "LVDD"; did you mean LVD?`},
		{"--fault charge_state:nonsense@1s", "there are ABSORPTION, BULK, DISCONNECT"},
		{"--fault adc_ia:much@1s", `adc_ia takes a number, or none; not "much"`},
		{"--fault 2/array_fault:rts_shorted@1s", "there is no unit 2; there are 1"},
		{"--slaves 1=PSPWM,2=TSMPPT --fault 2/array_fault:rts_shorted@1s", `TSMPPT has no object "array_fault"`},
		{"--slaves 1=PSPWM,2=TSMPPT --fault charge_state:BULK@1s", `charge_state has no state "BULK"`},
	} {
		stdout, stderr := newOutput(), newOutput()
		args := append(append([]string{"run"}, strings.Fields(c.args)...), "--", "true")
		if code := run(args, stdout, stderr, nil); code != exitMisuse || !strings.Contains(stderr.String(), c.says) || stdout.String() != "" {
			t.Errorf("%s: exit code %d, want %d and %q\n%s%s", c.args, code, exitMisuse, c.says, stderr, stdout)
		}
	}
}

// built returns the fleet of a command line.
func built(t *testing.T, slaves string, faults ...string) *fleet {
	t.Helper()
	f, err := newFleet(runOptions{Speed: 60, Slaves: slaves, Fault: faults})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAFaultIsForTheUnitsThatHaveIt(t *testing.T) {
	for _, c := range []struct {
		fault string
		units []byte
	}{
		{"array_fault:rts_shorted@0s", []byte{1, 3}},
		{"3/array_fault:rts_shorted@0s", []byte{3}},
		{"fault:rts_shorted@0s", []byte{2}},
		{"charge_state:NIGHT@0s", []byte{1, 2, 3}},
		{"charge_state:NIGHT@1h", nil},
	} {
		var changed []byte
		plain, faulty := built(t, "3=PSPWM,1=PSMPPT,2=TSMPPT"), built(t, "3=PSPWM,1=PSMPPT,2=TSMPPT", c.fault)
		for i := range plain.units {
			a, _ := plain.units[i].slave.Read(0x04, 0x0021, 0x20)
			b, _ := faulty.units[i].slave.Read(0x04, 0x0021, 0x20)
			if !slices.Equal(a, b) {
				changed = append(changed, faulty.units[i].id)
			}
		}
		if !slices.Equal(changed, c.units) {
			t.Errorf("%s changed units %v, want %v", c.fault, changed, c.units)
		}
	}
}

// The times of a fault are real times. The simulator counts in simulated time.
func TestTimesOfFaultsAreReal(t *testing.T) {
	fast, slow := &fleet{speed: 60}, &fleet{speed: 1e-9}
	if from, until := fast.simulated(time.Minute, 2*time.Minute); from != time.Hour || until != 2*time.Hour {
		t.Errorf("at 60 times: from %v until %v", from, until)
	}
	if from, until := fast.simulated(time.Minute, 0); from != time.Hour || until != 0 {
		t.Errorf("without an end: from %v until %v", from, until)
	}
	if from, until := slow.simulated(0, time.Millisecond); from != 0 || until <= 0 {
		t.Errorf("at a very low speed: from %v until %v; 0 would mean: without end", from, until)
	}
	if far := accelerate(1e6*time.Hour, 10_000); far != math.MaxInt64 {
		t.Errorf("beyond the range of a time: %v", far)
	}
}

func TestSkiesDiffer(t *testing.T) {
	f := built(t, "1=PSPWM,2=PSPWM")
	a, _ := f.units[0].slave.Read(0x04, 0x0011, 3)
	b, _ := f.units[1].slave.Read(0x04, 0x0011, 3)
	if slices.Equal(a, b) {
		t.Errorf("both units have %04X", a)
	}
}

// openLine opens the line of a world at the link. The line is closed with the test.
func openLine(t *testing.T, dir string, baud int) *modbus.Line {
	t.Helper()
	line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: filepath.Join(dir, linkName), Baud: baud}})
	if err := line.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = line.Close() })
	return line
}

func TestSeveralControllersStandOnOneLine(t *testing.T) {
	stop := filepath.Join(t.TempDir(), "stop")
	r := begin(t, []string{"--baud", "115200", "--slaves", "1=PSPWM,2=TSMPPT,17=SURESINE"}, patient(stop, 0)...)
	r.stderr.await(t, "1=PSPWM (PS-PWM-30M), 2=TSMPPT (TS-MPPT-60), 17=SURESINE")
	r.stderr.await(t, "ready")
	line := openLine(t, r.dir, 115200)
	for unit, product := range map[byte]string{1: "PS-PWM-30M", 2: "TS-MPPT-60"} {
		if id, err := line.Identify(t.Context(), unit); err != nil || id.Vendor != sim.Vendor || id.ProductCode != product {
			t.Errorf("unit %d is %+v, %v", unit, id, err)
		}
	}
	var exception *modbus.Exception
	if _, err := line.Identify(t.Context(), 17); !errors.As(err, &exception) {
		t.Errorf("the SureSine identified itself: %v", err)
	}
	for unit, addr := range map[byte]uint16{1: 0x0012, 2: 0x0018, 17: 0x0000} { // battery voltages
		if reply, err := line.Read(t.Context(), unit, 0x04, addr, 1); err != nil || reply.Registers[0] == 0 {
			t.Errorf("unit %d: %v, %v", unit, reply, err)
		}
	}
	if _, err := line.Read(t.Context(), 17, 0x04, 0x0018, 1); !errors.As(err, &exception) || exception.Code != 2 {
		t.Errorf("a register of another family gave %v, want exception 02", err)
	}
	if _, err := line.Read(t.Context(), 3, 0x04, 0x0012, 1); !errors.Is(err, modbus.ErrTimeout) {
		t.Errorf("a missing unit gave %v", err)
	}
	if err := line.Close(); err != nil {
		t.Error(err)
	}
	r.endAt(stop)
	for _, part := range []string{"unit 1, PSPWM: ", "unit 2, TSMPPT: ", "unit 17, SURESINE: ", "requests answered, 1 of them refused"} {
		if !strings.Contains(r.stdout.String(), part) {
			t.Errorf("the summary lacks %q:\n%s", part, r.stdout)
		}
	}
}

func TestAForcedFaultComesAndGoes(t *testing.T) {
	r := begin(t, []string{"--speed", "100", "--baud", "115200", "--fault", "array_fault:rts_shorted@1s-2s"}, "sh", "-c", "echo ready; exec sleep 1000")
	r.stderr.await(t, "ready")
	line := openLine(t, r.dir, 115200)
	catalog, err := objects.LoadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	family, _ := catalog.Family("PSPWM")
	object, _ := family.Object("array_fault")
	for _, want := range []string{"rts_shorted", ""} {
		for got, limit := "?", time.Now().Add(30*time.Second); got != want; {
			reply, err := line.Read(t.Context(), unitID, 0x04, object.Address, 1)
			if err != nil {
				t.Fatal(err)
			}
			v, err := object.Decode(reply.Registers)
			if got = v.String(); err != nil || time.Now().After(limit) {
				t.Fatalf("array_fault stays %q, want %q (%v)", got, want, err)
			}
		}
	}
	if err := line.Close(); err != nil {
		t.Error(err)
	}
	r.interrupt()
	r.wantEnd(0)
}
