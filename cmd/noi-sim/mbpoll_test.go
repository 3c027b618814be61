package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
	"noi-agent/objects"
	"noi-agent/sim"
)

// masterBaud is the pace of the line for other masters. A short reply is less likely to be torn on a busy machine.
const masterBaud = 115200

// stillWorld runs noi-sim as a process with a sun that does not move, so that its registers equal those of the
// returned controller. tty is the line, without a master.
func stillWorld(t *testing.T) (tty string, twin *sim.Controller) {
	t.Helper()
	dir := t.TempDir()
	noiSim := modbustest.StartPeer(t, self(t, "noi-sim"), "run", "--speed", "1e-9", "--baud", strconv.Itoa(masterBaud),
		"--sns", "127.0.0.1:0", "--pubsub", "127.0.0.1:0", "--status", "127.0.0.1:1", "--dir", dir, "--",
		"sh", "-c", "echo ready; while kill -0 $PPID; do sleep 0.2; done") // ends even after a kill of noi-sim
	noiSim.Await(t, "ready")
	catalog, err := objects.LoadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	family, _ := catalog.Family("PSPWM")
	twin, err = sim.New(sim.Options{Family: family, Seed: weather, Start: sim.MidMorning})
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, linkName), twin
}

// mbpoll sends one request with mbpoll, a master of another project with libmodbus, and returns its output. err is
// its exit code.
func mbpoll(tty string, args ...string) (string, error) {
	all := append([]string{"-m", "rtu", "-b", strconv.Itoa(masterBaud), "-P", "none", "-s", "2", "-1"}, args...)
	out, err := exec.Command("mbpoll", append(all, tty)...).CombinedOutput()
	return string(out), err
}

// mbpollAnswered is mbpoll with a long timeout. After a timeout, which a busy machine may cause, it tries again.
func mbpollAnswered(tty string, args ...string) (string, error) {
	for limit := time.Now().Add(2 * time.Minute); ; {
		out, err := mbpoll(tty, append([]string{"-o", "5"}, args...)...)
		if !strings.Contains(out, "timed out") || time.Now().After(limit) {
			return out, err
		}
	}
}

// mbpollRegister is a line of mbpoll's output: the register's number, which is its address plus one, and its value.
var mbpollRegister = regexp.MustCompile(`(?m)^\[(\d+)\]:\s+0x([0-9A-F]{4})$`)

// mbpollRead reads registers with mbpoll.
func mbpollRead(t *testing.T, tty string, function byte, addr, count uint16) []uint16 {
	t.Helper()
	args := []string{"-a", strconv.Itoa(unitID), "-t", fmt.Sprintf("%d:hex", mbpollTable(function)),
		"-r", strconv.Itoa(int(addr) + 1), "-c", strconv.Itoa(int(count))}
	out, err := mbpollAnswered(tty, args...)
	if err != nil {
		t.Fatalf("mbpoll %s: %v\n%s", args, err, out)
	}
	var registers []uint16
	for i, found := range mbpollRegister.FindAllStringSubmatch(out, -1) {
		value, _ := strconv.ParseUint(found[2], 16, 16) // cannot fail: the pattern has four digits
		if found[1] != strconv.Itoa(int(addr)+1+i) {
			t.Fatalf("mbpoll shows register %s, want %d:\n%s", found[1], int(addr)+1+i, out)
		}
		registers = append(registers, uint16(value))
	}
	return registers
}

// mbpollTable is mbpoll's number of the table of a function: 3 is the table of the input registers, whose numbers
// once began with 3.
func mbpollTable(function byte) int {
	if function == modbus.FuncReadInput {
		return 3
	}
	return 4
}

func TestAnotherMasterReadsWhatTheLineReads(t *testing.T) {
	modbustest.NeedPeer(t, "mbpoll", "mbpoll", "mbpoll", "-V")
	tty, twin := stillWorld(t)
	for _, c := range []struct {
		function    byte
		addr, count uint16
	}{
		{modbus.FuncReadInput, 0x0012, 1}, // adc_vbterm
		{modbus.FuncReadInput, 0x0012, 2},
		{modbus.FuncReadHolding, 0x0012, 2},
		{modbus.FuncReadInput, 0x0000, 0x4F}, // all live registers
		{modbus.FuncReadHolding, 0xE000, 0x50},
		{modbus.FuncReadHolding, 0xE080, 6},
	} {
		want, exception := twin.Read(c.function, c.addr, c.count)
		if exception != 0 {
			t.Fatalf("the twin refuses %+v with %02X", c, exception)
		}
		if got := mbpollRead(t, tty, c.function, c.addr, c.count); !slices.Equal(got, want) {
			t.Errorf("%+v: mbpoll reads\n%04X, want\n%04X", c, got, want)
		}
		if got := lineRead(t, tty, c.function, c.addr, c.count); !slices.Equal(got, want) {
			t.Errorf("%+v: the line reads\n%04X, want\n%04X", c, got, want)
		}
	}
}

// lineRead reads registers with the agent's own line, and closes the port afterwards.
func lineRead(t *testing.T, tty string, function byte, addr, count uint16) []uint16 {
	t.Helper()
	line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: tty, Baud: masterBaud}, Timeout: time.Minute})
	if err := line.Open(); err != nil {
		t.Fatal(err)
	}
	reply, err := line.Read(t.Context(), unitID, function, addr, count)
	if err := errors.Join(err, line.Close()); err != nil {
		t.Fatal(err)
	}
	return reply.Registers
}

func TestAnotherMasterUnderstandsARefusal(t *testing.T) {
	modbustest.NeedPeer(t, "mbpoll", "mbpoll", "mbpoll", "-V")
	tty, _ := stillWorld(t)
	check := func(what, want, out string) {
		if !strings.Contains(out, want) {
			t.Errorf("%s: mbpoll does not say %q:\n%s", what, want, out)
		}
		if got := mbpollRead(t, tty, modbus.FuncReadInput, 0x0012, 1); len(got) != 1 {
			t.Errorf("after %s: registers %04X, want one", what, got)
		}
	}
	for _, c := range []struct {
		what, want string
		args       []string
	}{
		{"an unknown register", "Illegal data address", []string{"-a", "1", "-t", "3", "-r", "4097"}},
		{"a server id, which these controllers do not tell", "Illegal function", []string{"-a", "1", "-u"}},
	} {
		out, _ := mbpollAnswered(tty, c.args...) // with -u the exit code is always 0
		check(c.what, c.want, out)
	}
	out, _ := mbpoll(tty, "-a", "2", "-o", "0.2", "-t", "3", "-r", "19")
	check("another unit", "timed out", out)
}
