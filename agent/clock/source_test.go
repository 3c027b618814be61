package clock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The output of chronyc 4.3: first of a chronyd with a local reference, then of one without a source.
const (
	trackingNormal   = "7F7F0101,,10,1795573212.795267252,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,0.000000000,0.000000000,0.0,Normal\n"
	trackingUnsynced = "00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,1.000000000,1.000000000,0.0,Not synchronised\n"
)

func TestChronyIsUnderstood(t *testing.T) {
	at := time.UnixMilli(1795573212795)
	for _, c := range []struct {
		csv  string
		want Synch
	}{
		{trackingNormal, Synch{Service: chrony, Synched: true, At: at}},
		{trackingUnsynced, Synch{Service: chrony}},
		{"", Synch{}},
		{"506 Cannot talk to daemon\n", Synch{}},
		{"a,b,c,NaN,e,f,g,h,i,j,k,l,m,Normal", Synch{}},
		{"a,b,c,1e300,e,f,g,h,i,j,k,l,m,Normal", Synch{}},
		{"a,b,c,d,e,f,g,h,i,j,k,l,m,n,Normal", Synch{}},
	} {
		if got := parseTracking([]byte(c.csv)); !got.At.Equal(c.want.At) || got.Service != c.want.Service || got.Synched != c.want.Synched {
			t.Errorf("%q: %+v, want %+v", c.csv, got, c.want)
		}
	}
}

func TestWhoKeepsTheClock(t *testing.T) {
	touched := time.Date(2022, 6, 28, 8, 20, 29, 0, time.UTC)
	none, silent := fmt.Errorf("look: %w", fs.ErrNotExist), errors.New("exit status 1")
	for _, c := range []struct {
		name     string
		dir      bool // timesyncd runs
		flag     bool // and has set the clock
		csv      string
		err      error
		up       time.Duration
		service  string
		synched  bool
		answered time.Time
	}{
		{name: "no time service", err: none, up: time.Minute},
		{name: "timesyncd, not yet", dir: true, err: none, service: timesyncd},
		{name: "timesyncd", dir: true, flag: true, err: none, service: timesyncd, synched: true, answered: touched},
		{name: "chrony, not yet", csv: trackingUnsynced, service: chrony},
		{name: "chrony", csv: trackingNormal, service: chrony, synched: true, answered: time.UnixMilli(1795573212795)},
		{name: "chrony, beside a timesyncd that knows nothing", dir: true, csv: trackingNormal, service: chrony, synched: true, answered: time.UnixMilli(1795573212795)},
		{name: "both, not yet", dir: true, csv: trackingUnsynced, service: timesyncd},
		{name: "chrony yet to start", err: silent, up: time.Minute, service: chrony},
		{name: "chrony that does not run", err: silent, up: time.Hour},
	} {
		dir := filepath.Join(t.TempDir(), "timesync")
		if c.dir {
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if flag := filepath.Join(dir, "synchronized"); c.flag {
			if err := errors.Join(os.WriteFile(flag, nil, 0o600), os.Chtimes(flag, touched, touched)); err != nil {
				t.Fatal(err)
			}
		}
		s := services{
			timesyncDir: dir, chronyc: func(context.Context) ([]byte, error) { return []byte(c.csv), c.err }, uptime: func() time.Duration { return c.up },
		}
		if got := s.probe(t.Context()); got.Service != c.service || got.Synched != c.synched || !got.At.Equal(c.answered) {
			t.Errorf("%s: %+v, want %s, synchronised %t at %v", c.name, got, c.service, c.synched, c.answered)
		}
	}
}

// TestRealChronySaysWhatWeRead runs a chronyd that does not set the clock (-x), on loopback. The tests do not install
// its package: on a developer's machine it would replace the time service.
func TestRealChronySaysWhatWeRead(t *testing.T) {
	chronyd, err := exec.LookPath("chronyd")
	if err != nil {
		t.Skip("chronyd is missing, and installing it would replace this machine's own time service; the recorded answers are tested in any case")
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0") // finds a free port
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(conn.LocalAddr().String())
	_ = conn.Close()
	for _, local := range []string{"local stratum 10\n", ""} {
		dir := t.TempDir()
		config := filepath.Join(dir, "chrony.conf")
		text := local + "port 0\ncmdport " + port + "\nbindcmdaddress 127.0.0.1\nbindcmdaddress /\npidfile " + filepath.Join(dir, "pid") + "\n"
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		daemon := exec.CommandContext(t.Context(), chronyd, "-x", "-U", "-d", "-u", "root", "-f", config)
		if err := daemon.Start(); err != nil {
			t.Fatal(err)
		}
		s := services{uptime: uptimeOfSystem, timesyncDir: filepath.Join(dir, "none"), chronyc: func(ctx context.Context) ([]byte, error) {
			return exec.CommandContext(ctx, "chronyc", "-n", "-c", "-h", "127.0.0.1", "-p", port, "tracking").Output()
		}}
		var got Synch
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
			if got = s.probe(t.Context()); got.Service != "" && got.Synched == (local != "") {
				break
			}
		}
		if got.Service != chrony || got.Synched != (local != "") {
			t.Errorf("with %q: %+v", local, got)
		}
		if off := time.Since(got.At); got.Synched && (off < -time.Minute || off > time.Minute) {
			t.Errorf("the last measurement was at %v", got.At)
		}
		if err := daemon.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = daemon.Wait() // killed
	}
}

func TestSystemTimeKnowsBootAndUptime(t *testing.T) {
	s := System(time.Time{})
	first := s.Uptime()
	if len(s.Boot) != 36 || first <= 0 || s.Uptime() < first {
		t.Errorf("boot %q, up %v", s.Boot, first)
	}
	s.Probe(t.Context()) // with any time service it ends, and needs no permissions
}
