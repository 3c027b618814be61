package configs_test

import (
	"strings"
	"testing"

	"noi-agent/configs"
)

func TestOneGatewayByTwoNames(t *testing.T) {
	known := map[string][]string{"gw.example": {"192.0.2.7", "2001:db8::7"}, "old.example": {"192.0.2.7"}, "far.example": {"192.0.2.8"}}
	lookUp := func(host string) []string { return known[host] }
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"localhost:502", "127.0.0.1:502", true},
		{"127.0.0.1:502", "[::1]:502", true},
		{"localhost:502", "127.0.0.1:503", false},
		{"gw.example:502", "old.example:502", true},
		{"gw.example:502", "[2001:db8::7]:502", true},
		{"gw.example.:502", "192.0.2.7:502", true},
		{"gw.example:502", "far.example:502", false},
		{"unknown.example:502", "gone.example:502", false},
		{"127.0.0.1:502", "127.0.0.2:502", false},
	} {
		if configs.SameGateway(c.a, c.b, lookUp) != c.same || configs.SameGateway(c.b, c.a, lookUp) != c.same {
			t.Errorf("%s and %s: want %v", c.a, c.b, c.same)
		}
	}
}

func TestTwoLinesOnOneGatewayAreAFault(t *testing.T) {
	for _, ports := range [][2]string{{"tcp://localhost", "tcp://127.0.0.1:502"}, {"tcp://[::1]:502", "rtu+tcp://localhost:502"}} {
		err := parseFaults(t, "lines:\n- {name: a, port: \""+ports[0]+"\", slaves: [{id: 1}]}\n- {name: b, port: \""+ports[1]+"\", slaves: [{id: 1}]}\n")
		if !strings.Contains(err, "same gateway") {
			t.Errorf("%v: %v", ports, err)
		}
	}
}

func TestUnitIDsOfNetworkLines(t *testing.T) {
	line := func(port, id, more string) string {
		return "lines:\n- {name: a, port: \"" + port + "\", slaves: [{id: " + id + "}]" + more + "}\n"
	}
	for _, c := range []struct{ text, want string }{
		{line("tcp://gw", "0", ""), ""},
		{line("tcp://gw", "255", ", connect_delay: 2s, transaction_id: ignore"), ""},
		{line("tcp://gw", "248", ""), "or 0 or 255"},
		{line("rtu+tcp://gw:4001", "0", ""), "0 and 255 are for tcp:// only"},
		{line("/dev/ttyUSB0", "255", ""), "0 and 255 are for tcp:// only"},
		{line("rtu+tcp://gw:4001", "1", ", transaction_id: ignore"), "RTU frames have no transaction id"},
		{line("/dev/ttyUSB0", "1", ", connect_delay: 1s"), "means nothing for a serial port"},
		{line("tcp://gw", "1", ", transaction_id: maybe"), "check"},
		{line("tcp://gw", "1", ", connect_delay: 1m"), "30s"},
	} {
		if got := parseFaults(t, c.text); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.text, got, c.want)
		}
	}
}

// parseFaults returns all faults of a configuration as one text.
func parseFaults(t *testing.T, text string) string {
	t.Helper()
	_, faults := configs.Parse([]byte(text), mustCatalog(t))
	if len(faults) == 0 {
		return ""
	}
	return faults.Error()
}
