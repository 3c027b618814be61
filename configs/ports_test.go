package configs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"noi-agent/configs"
)

// onPort returns a configuration of one line. The keys come after its port and begin on line 4.
func onPort(port string, keys ...string) string {
	return "lines:\n- name: a\n  port: " + port + "\n  " + strings.Join(keys, "\n  ")
}

func TestFaultsOfTheHardware(t *testing.T) {
	const kernel = lineHead + "  rs485: kernel\n  " // the next is line 5
	checkFaults(t, []fault{
		{"rs485", lineHead + "  rs485: kernal", `4 lines[0].rs485 "kernal" is not known; want off, kernel or rts; did you mean kernel?`},
		{"rs485 as YAML 1.1 has off", lineHead + "  rs485: false", `4 lines[0].rs485 "false" is not known; want off, kernel or rts; did you mean off?`},
		{"rs485 on", lineHead + "  rs485: on", `4 lines[0].rs485 "on" is not known; want off, kernel or rts`},
		{"rs485 without a value", lineHead + "  rs485:", "4 lines[0].rs485 has no value"},
		{"long delay before", kernel + "rs485_delay_before: 1001ms", "5 lines[0].rs485_delay_before want 0s to 1s, not 1.001s"},
		{"delay below zero", kernel + "rs485_delay_after: -1ms", "5 lines[0].rs485_delay_after want 0s to 1s, not -1ms"},
		{"delay without unit", kernel + "rs485_delay_after: 5", "5 lines[0].rs485_delay_after 5 has no unit"},
		{"polarity", kernel + "rs485_polarity: hihg", `5 lines[0].rs485_polarity "hihg" is not known; want high or low; did you mean high?`},
		{"delay for nothing", lineHead + "  rs485_delay_before: 5ms", "4 lines[0].rs485_delay_before means nothing with rs485: off; choose kernel or rts"},
		{"polarity for nothing", lineHead + "  rs485: off\n  rs485_polarity: low", "5 lines[0].rs485_polarity means nothing with rs485: off"},
		{"two masters of RTS", kernel + "rts: off", "5 lines[0].rts rs485: kernel controls RTS; leave the key out"},
		{"two masters of RTS, we one", lineHead + "  rs485: rts\n  rts: on", "5 lines[0].rts rs485: rts controls RTS"},
		{"echo", lineHead + "  echo: no", `4 lines[0].echo "no" is not known; want auto, on or off; did you mean off?`},
		{"DTR", lineHead + "  dtr: true", `4 lines[0].dtr "true" is not known; want on or off; did you mean on?`},
		{"RTS", lineHead + "  rts: auto", `4 lines[0].rts "auto" is not known; want on or off`},
		{"low latency", lineHead + "  low_latency: atuo", `4 lines[0].low_latency "atuo" is not known; want auto, on or off; did you mean auto?`},
		{"mistyped key", lineHead + "  low_latancy: on", "4 lines[0].low_latancy unknown key; did you mean low_latency?"},
		{"short timeout of a slave", slaveHead + "timeout: 9ms", "7 lines[0].slaves[0].timeout want 10ms to 30s, not 9ms; leave the key out for the line's"},
		{"long timeout of a slave", slaveHead + "timeout: 31s", "7 lines[0].slaves[0].timeout want 10ms to 30s, not 31s"},
		{"timeout of a slave below zero", slaveHead + "timeout: -1s", "7 lines[0].slaves[0].timeout want 10ms to 30s, not -1s"},
		{"long gap", slaveHead + "gap: 5001ms", "7 lines[0].slaves[0].gap want 0s to 5s, not 5.001s"},
		{"gap below zero", slaveHead + "gap: -1ms", "7 lines[0].slaves[0].gap want 0s to 5s, not -1ms"},
	})
}

// TestWordsAreTheSameBareAndQuoted: YAML 1.1 reads off and on without quotes as booleans.
func TestWordsAreTheSameBareAndQuoted(t *testing.T) {
	for _, quote := range []string{"", "'", `"`} {
		q := func(word string) string { return quote + word + quote }
		l := mustParse(t, onPort("p", "rs485: "+q("off"), "echo: "+q("on"), "dtr: "+q("on"), "rts: "+q("off"), "low_latency: "+q("off"))).Lines[0]
		if l.RS485 != "off" || l.Echo != "on" || l.DTR != "on" || l.RTS != "off" || l.LowLatency != "off" {
			t.Errorf("in %q: %+v", quote, l)
		}
	}
}

func TestHardwareIsDecoded(t *testing.T) {
	l := mustParse(t, onPort("p", "rs485: rts", "rs485_delay_before: 1s", "rs485_delay_after: 300us", "rs485_polarity: low",
		"dtr: off", `rts: ""`, "slaves: [{id: 1, timeout: 10ms, gap: 5s}, {id: 2, timeout: 0, gap: 0}]")).Lines[0]
	if l.RS485 != "rts" || l.RS485DelayBefore != time.Second || l.RS485DelayAfter != 300*time.Microsecond || l.RS485Polarity != "low" || l.DTR != "off" {
		t.Errorf("%+v", l)
	}
	if s := l.Slaves[0]; s.Timeout != 10*time.Millisecond || s.Gap != 5*time.Second {
		t.Errorf("%+v", s)
	}
	if s := l.Slaves[1]; s.Timeout != 0 || s.Gap != 0 {
		t.Errorf("%+v", s)
	}
}

func TestFaultsOfNetworkPorts(t *testing.T) {
	at := func(port string) string { return onPort("'" + port + "'") }
	const forms = "3 lines[0].port want the path of a serial port, as in /dev/ttyUSB0, or tcp://host:502 for Modbus TCP, or rtu+tcp://host:port"
	checkFaults(t, []fault{
		{"unknown scheme", at("udp://10.0.0.5:502"), forms},
		{"upper-case scheme", at("TCP://10.0.0.5"), forms},
		{"no slashes", at("tcp:10.0.0.5"), forms},
		{"no slashes, RTU", at("rtu+tcp:gateway:4001"), forms},
		{"no host", at("tcp://:502"), `3 lines[0].port "" is no host`},
		{"nothing", at("tcp://"), `3 lines[0].port "" is no host`},
		{"a path behind", at("tcp://host:502/1"), `3 lines[0].port "502/1" is no port`},
		{"a path and no port", at("tcp://host/1"), `3 lines[0].port "host/1" is no host`},
		{"a user", at("tcp://me@host"), `3 lines[0].port "me@host" is no host`},
		{"a blank", at("tcp://my host"), `3 lines[0].port "my host" is no host`},
		{"a mistyped address", at("tcp://10.0.0.256"), `3 lines[0].port "10.0.0.256" is no host`},
		{"half an address", at("tcp://10.0.0:502"), `3 lines[0].port "10.0.0" is no host`},
		{"a name in brackets", at("tcp://[host]:502"), `3 lines[0].port "host" is no host`},
		{"IPv4 in brackets", at("tcp://[10.0.0.5]:502"), `3 lines[0].port "10.0.0.5" is no host`},
		{"IPv6 without brackets", at("tcp://fe80::1"), "3 lines[0].port an IPv6 address stands in brackets; write tcp://[fe80::1]:502"},
		{"IPv6 without brackets, RTU", at("rtu+tcp://fe80::1"), "3 lines[0].port an IPv6 address stands in brackets; write rtu+tcp://[fe80::1]:port"},
		{"open bracket", at("tcp://[::1"), "3 lines[0].port want tcp://host:502, not "},
		{"two ports", at("tcp://host:1:2"), "3 lines[0].port want tcp://host:502, not "},
		{"empty port", at("tcp://host:"), `3 lines[0].port "" is no port`},
		{"port 0", at("tcp://host:0"), `3 lines[0].port "0" is no port; want 1 to 65535`},
		{"large port", at("tcp://host:65536"), `3 lines[0].port "65536" is no port`},
		{"port with a zero", at("tcp://host:0502"), `3 lines[0].port "0502" is no port`},
		{"RTU without a port", at("rtu+tcp://gateway"), "3 lines[0].port the port is missing; write rtu+tcp://gateway:port"},
		{"long host", at("tcp://" + strings.Repeat("a.", 127)), "3 lines[0].port "},
	})
}

// TestPortsThatLinuxNeverHas: the error says what to write instead. A device that is missing at the moment is not an
// error.
func TestPortsThatLinuxNeverHas(t *testing.T) {
	const windows = " is a port of Windows; on Linux write the path of the adapter, as in /dev/serial/by-id/usb-"
	const address = "3 lines[0].port want the path of a serial port, as in /dev/ttyUSB0, or tcp://host:502 for Modbus TCP"
	var tests []fault
	for port, want := range map[string]string{
		"COM3": "3 lines[0].port COM3" + windows, "com12:": "3 lines[0].port com12:" + windows, `\\.\COM10`: `3 lines[0].port \\.\COM10` + windows,
		"ttyUSB0":  "3 lines[0].port ttyUSB0 is not a path; did you mean /dev/ttyUSB0? Better is its name under /dev/serial/by-id",
		"10.0.0.5": address, "10.0.0.5:502": address, "gateway.local:4001": address, "[fe80::1]:502": address, "fe80::1": address,
	} {
		tests = append(tests, fault{port, onPort("'" + port + "'"), want})
	}
	checkFaults(t, tests)
	for _, port := range []string{"/dev/ttyUSB9", "run/COM3", "company", "/dev/serial/by-id/usb-gone-if00-port0", "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0"} {
		mustParse(t, onPort(port))
	}
}

func TestHardwareMeansNothingOnTheNetwork(t *testing.T) {
	var tests []fault
	for _, key := range []string{
		"rs485: kernel", "rs485_delay_before: 1ms", "rs485_delay_after: 1ms", "rs485_polarity: low", "echo: on", "echo: off",
		"dtr: on", "rts: off", "low_latency: on", "low_latency: off",
	} {
		name, _, _ := strings.Cut(key, ":")
		for _, port := range []string{"tcp://host", "rtu+tcp://host:4001"} {
			tests = append(tests, fault{port + " " + key, onPort(port, key), "4 lines[0]." + name + " means nothing for a network port; leave the key out"})
		}
	}
	checkFaults(t, tests)
	mustParse(t, onPort("tcp://host", "rs485: off", "rs485_delay_before: 0s", "rs485_delay_after: 0", "rs485_polarity: high", "echo: auto",
		`dtr: ""`, "rts: ''", "low_latency: auto", "baud: 19200", "timeout: 2s"))
}

func TestNetworkPorts(t *testing.T) {
	for port, want := range map[string][2]string{
		"/dev/ttyUSB0":            {},
		"run/ttyNOI":              {},
		"/dev/serial/by-path/x:1": {}, // a colon alone does not make it an address
		"tcp://10.0.0.5":          {"tcp", "10.0.0.5:502"},
		"tcp://10.0.0.5:1502":     {"tcp", "10.0.0.5:1502"},
		"tcp://Gateway.local":     {"tcp", "gateway.local:502"},
		"tcp://my_plc-1.lan.:502": {"tcp", "my_plc-1.lan.:502"},
		"tcp://[FE80:0::1]":       {"tcp", "[fe80::1]:502"},
		"tcp://[fe80::1%eth0]":    {"tcp", "[fe80::1%eth0]:502"},
		"rtu+tcp://[::1]:4001":    {"rtu+tcp", "[::1]:4001"},
		"rtu+tcp://gw2:65535":     {"rtu+tcp", "gw2:65535"},
		"tcp://7of9:1":            {"tcp", "7of9:1"},
	} {
		scheme, address := mustParse(t, onPort("'"+port+"'")).Lines[0].Network()
		if got := [2]string{scheme, address}; got != want {
			t.Errorf("%s: %q, want %q", port, got, want)
		}
	}
	if scheme, address := (&configs.Line{Port: "udp://x"}).Network(); scheme != "" || address != "" {
		t.Errorf("a port that Parse refuses: %q, %q", scheme, address)
	}
}

// twoLines is a configuration of two lines, both enabled; the second port is on line 5.
func twoLines(first, second string) string {
	return "lines:\n- name: a\n  port: '" + first + "'\n- name: b\n  port: '" + second + "'\n"
}

func TestTwoLinesOnOneNetworkPort(t *testing.T) {
	same := func(name, first, second string) fault {
		return fault{name, twoLines(first, second), "5 lines[1].port " + second + " is the port of lines[0] too; list all slaves of a port on one line"}
	}
	checkFaults(t, []fault{
		same("the same", "tcp://host:1502", "tcp://host:1502"),
		same("the usual port", "tcp://host:502", "tcp://host"),
		same("upper case", "tcp://host", "tcp://HOST"),
		same("IPv4 in IPv6", "tcp://10.0.0.5", "tcp://[::ffff:10.0.0.5]"),
		same("IPv6", "tcp://[::1]", "tcp://[0:0::1]"),
		same("the other protocol", "tcp://host:4001", "rtu+tcp://host:4001"),
	})
	for _, second := range []string{"tcp://host:503", "tcp://other", "/host:502", "//host:502"} {
		mustParse(t, twoLines("tcp://host", second))
	}
}

// device opens a terminal and returns its path.
func device(t *testing.T) string {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(master.Close(), slave.Close()); err != nil {
			t.Error(err)
		}
	})
	return slave.Name()
}

func TestTwoLinesOnOneDevice(t *testing.T) {
	tty, other := device(t), device(t)
	dir := t.TempDir()
	link := func(name, target string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	byID := link("by-id", tty)
	byPath := link("by-path", byID)
	folder := link("folder", filepath.Dir(tty))
	nowhere := link("nowhere", filepath.Join(dir, "unplugged"))
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	leads := func(name, first, second string) fault {
		return fault{name, twoLines(first, second), "5 lines[1].port " + second + " leads to the same device as " + first + ", the port of lines[0]; list all"}
	}
	same := func(name, first, second string) fault {
		return fault{name, twoLines(first, second), "5 lines[1].port " + second + " is the port of lines[0] too; list all"}
	}
	checkFaults(t, []fault{
		leads("link", tty, byID),
		leads("link first", byID, tty),
		leads("link to a link", byID, byPath),
		leads("linked folder", tty, filepath.Join(folder, filepath.Base(tty))),
		leads("links to what is no device yet", link("one", file), link("two", file)),
		same("link twice", byID, byID),
		same("link that leads nowhere", nowhere, nowhere),
		same("nothing there", "/dev/ttyNone", "/dev/./ttyNone"),
		same("relative", "run/ttyNone", filepath.Join(wd, "run/ttyNone")),
	})
	for _, second := range []string{other, nowhere, "/dev/ttyNone"} {
		mustParse(t, twoLines(byID, second))
	}
	mustParse(t, twoLines(tty, byID)+"  enabled: false")
	mustParse(t, strings.Replace(twoLines(tty, byID), "name: a", "name: a\n  enabled: false", 1))
	third := twoLines(tty, other) + "- name: c\n  port: " + byID + "\n"
	checkFaults(t, []fault{{"third of three", third, "7 lines[2].port " + byID + " leads to the same device as " + tty + ", the port of lines[0]"}})
}

// TestTwoNodesOfOneDevice: in a container, one device may have two names that are not links.
func TestTwoNodesOfOneDevice(t *testing.T) {
	tty := device(t)
	var st unix.Stat_t
	if err := unix.Stat(tty, &st); err != nil {
		t.Fatal(err)
	}
	node := filepath.Join(t.TempDir(), "ttyUSB0")
	if err := unix.Mknod(node, unix.S_IFCHR|0o600, int(st.Rdev)); errors.Is(err, fs.ErrPermission) {
		t.Skipf("make a device: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	checkFaults(t, []fault{{"node", twoLines(tty, node), "5 lines[1].port " + node + " leads to the same device as " + tty + ", the port of lines[0]"}})
}
