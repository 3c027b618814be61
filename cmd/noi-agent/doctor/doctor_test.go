package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/creack/pty"

	"noi-agent/cmd/noi-agent/doctor"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/sinks"
	"noi-agent/status/api"
)

const stateDir = "/var/lib/noi-agent"

// sound makes a gateway without a fault in a directory.
func sound(t *testing.T) *doctor.Site {
	t.Helper()
	s := &doctor.Site{
		Root: t.TempDir(), ConfigPath: "/etc/noi-agent/config.yaml", Version: "1.0.0",
		User: doctor.User{Name: "noi-agent", UID: uint32(os.Getuid()), Groups: []uint32{uint32(os.Getgid())}},
		Config: &configs.Config{
			StateDir:     stateDir,
			Lines:        []configs.Line{{Name: "rs485", Enabled: true, Port: "/dev/ttyUSB0", LowLatency: "auto"}},
			Integrations: []configs.Integration{{ID: "a", Name: "main", Enabled: true, Type: configs.AWS}},
			Buffer:       configs.Buffer{MaxSize: 256 << 20},
			Clock:        configs.Clock{Source: "auto"},
		},
		Status: &api.Status{Version: "1.0.0"},
		Now:    time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), Built: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC),
		Sync: syncing(4*time.Millisecond, nil),
		Disk: func(string) (doctor.Disk, error) { return doctor.Disk{Free: 1 << 30, Size: 4 << 30}, nil },
		Probe: func(context.Context, *configs.Integration) []sinks.Step {
			return []sinks.Step{sinks.Good("topic", "it is there")}
		},
	}
	for path, text := range map[string]string{
		s.ConfigPath: "lines: []\n", "/run/systemd/system/x": "", "/usr/lib/systemd/system/noi-agent.service": "",
		"/etc/systemd/system/multi-user.target.wants/noi-agent.service": "", stateDir + "/noi.db": "", "/proc/10/comm": "chronyd\n",
		"/proc/20/comm": "noi-agent\n", "/proc/20/cmdline": "noi-agent\x00run\x00", "/proc/21/comm": "noi-agent\n",
		"/proc/21/cmdline": "noi-agent\x00doctor\x00", "/proc/mounts": "/dev/root / ext4 rw,relatime 0 0\n",
		"/sys/bus/usb-serial/devices/ttyUSB0/latency_timer": "1\n", "/sys/block/mmcblk0/device/life_time": "0x01 0x02\n",
		"/sys/block/mmcblk0/device/pre_eol_info": "0x01\n", "/sys/fs/ext4/sda1/errors_count": "0\n",
		"/proc/20/limits": files("1024"), "/proc/20/cgroup": "0::/system.slice/noi-agent.service\n",
		group + "memory.max": "268435456\n", group + "pids.max": "128\n", group + "memory.events": "oom 0\noom_kill 0\n",
	} {
		put(t, s, path, text)
	}
	serialPort(t, s)
	return s
}

// serialPort puts the device of a pseudo-terminal at /dev/ttyUSB0. /dev/pts/N is linked as ttyUSB0, so checks of
// names see the name in the tree.
func serialPort(t *testing.T, s *doctor.Site) {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = master.Close(), slave.Close() })
	if err := slave.Chmod(0o600); err != nil {
		t.Fatal(err)
	}
	link(t, s, "/dev/ttyUSB0", slave.Name())
}

func put(t *testing.T, s *doctor.Site, path, text string) {
	t.Helper()
	path = filepath.Join(s.Root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, s *doctor.Site, path, to string) {
	t.Helper()
	path = filepath.Join(s.Root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, s *doctor.Site, path string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(s.Root, path)); err != nil {
		t.Fatal(err)
	}
}

// behind returns the target of the port's name.
func behind(t *testing.T, s *doctor.Site) string {
	t.Helper()
	device, err := filepath.EvalSymlinks(filepath.Join(s.Root, "/dev/ttyUSB0"))
	if err != nil {
		t.Fatal(err)
	}
	return device
}

// file replaces the port by a file with the name of a USB adapter, for checks of names only.
func file(t *testing.T, s *doctor.Site) {
	remove(t, s, "/dev/ttyUSB0")
	put(t, s, "/dev/ttyUSB0", "")
}

func free(bytes uint64) func(string) (doctor.Disk, error) {
	return func(string) (doctor.Disk, error) { return doctor.Disk{Free: bytes}, nil }
}

func failing(step string) func(context.Context, *configs.Integration) []sinks.Step {
	return func(context.Context, *configs.Integration) []sinks.Step {
		return []sinks.Step{{Name: step, Verdict: sinks.StepFailed, Text: "no", Remedy: "do"}, sinks.Skip("message", "no")}
	}
}

func problem(code string, severity api.Severity) func(*testing.T, *doctor.Site) {
	return func(_ *testing.T, s *doctor.Site) {
		s.Status.Problems = []api.Problem{{Code: code, Severity: severity, Subject: "rs485", Title: "Something", Effect: api.Delayed, Remedy: "Do."}}
	}
}

type site = doctor.Site

// planted has each fault with the only finding that doctor must report for it, as "level id".
var planted = map[string]struct {
	plant func(t *testing.T, s *site)
	want  string
}{
	"nothing":                {func(*testing.T, *site) {}, ""},
	"no configuration":       {func(_ *testing.T, s *site) { s.Config, s.ConfigErr = nil, fs.ErrNotExist }, "fault config"},
	"a faulty configuration": {func(_ *testing.T, s *site) { s.Config, s.ConfigErr = nil, errors.New("x:1: no") }, "fault config"},
	"a notice of check":      {func(_ *testing.T, s *site) { s.Notices = []string{"x:3: the example's value"} }, "warning config_notice"},
	"a secret configuration": {func(t *testing.T, s *site) { foreign(t, s, s.ConfigPath, 0o600) }, "fault config_rights"},
	"no user":                {func(_ *testing.T, s *site) { s.User = doctor.User{} }, "fault user"},
	"no port":                {func(t *testing.T, s *site) { remove(t, s, "/dev/ttyUSB0") }, "fault line_port_missing"},
	"a file as port":         {func(t *testing.T, s *site) { file(t, s) }, "fault port_no_device"},
	"a port of others":       {func(t *testing.T, s *site) { s.User.UID, s.User.Groups = 4242, nil; open(t, s) }, "fault line_port_denied"},
	"a port in use": {func(t *testing.T, s *site) {
		put(t, s, "/proc/30/comm", "mbpoll")
		link(t, s, "/proc/30/fd/3", behind(t, s))
	}, "fault line_port_busy"},
	"another agent":          {func(t *testing.T, s *site) { s.Status = nil; link(t, s, "/proc/20/fd/3", behind(t, s)) }, "fault line_port_busy, fault daemon_no_answer"},
	"ModemManager":           {func(t *testing.T, s *site) { file(t, s); put(t, s, "/proc/31/comm", "ModemManager") }, "fault port_no_device, warning port_grabber"},
	"gpsd":                   {func(t *testing.T, s *site) { file(t, s); put(t, s, "/proc/31/comm", "gpsd") }, "fault port_no_device, warning port_grabber"},
	"a slow adapter":         {func(t *testing.T, s *site) { file(t, s); put(t, s, timer, "16\n") }, "fault port_no_device, warning adapter_latency"},
	"an adapter that sleeps": {func(t *testing.T, s *site) { file(t, s); asleep(t, s) }, "fault port_no_device, warning adapter_autosuspend"},
	"no time service":        {func(t *testing.T, s *site) { remove(t, s, "/proc/10") }, "warning clock_service"},
	"a state of others":      {func(t *testing.T, s *site) { foreign(t, s, stateDir, 0o700) }, "fault state_dir"},
	"a state that is no dir": {func(t *testing.T, s *site) { remove(t, s, stateDir); put(t, s, stateDir, "") }, "fault state_dir"},
	"a damaged store":        {func(t *testing.T, s *site) { put(t, s, stateDir+"/noi.db.damaged-0001", "") }, "warning store_kept_aside"},
	"a full disk":            {func(_ *testing.T, s *site) { s.Disk = free(1 << 20) }, "fault disk_full"},
	"a small disk":           {func(_ *testing.T, s *site) { s.Disk = free(100 << 20) }, "warning disk_low"},
	"a disk that cannot tell": {func(_ *testing.T, s *site) {
		s.Disk = func(string) (d doctor.Disk, err error) { return d, fs.ErrInvalid }
	}, "warning disk"},
	"a read-only disk":       {func(t *testing.T, s *site) { put(t, s, "/proc/mounts", "/dev/x /var ext4 ro 0 0\n") }, "fault disk_read_only"},
	"a state in memory":      {func(t *testing.T, s *site) { put(t, s, "/proc/mounts", "x / ext4 rw 0 0\nx /var tmpfs rw 0 0\n") }, "warning disk_in_memory"},
	"used flash":             {func(t *testing.T, s *site) { put(t, s, "/sys/block/mmcblk0/device/life_time", "0x02 0x0a\n") }, "warning disk_wear"},
	"flash at its end":       {func(t *testing.T, s *site) { put(t, s, "/sys/block/mmcblk0/device/pre_eol_info", "0x02\n") }, "warning disk_wear"},
	"no unit":                {func(t *testing.T, s *site) { remove(t, s, "/usr/lib/systemd/system/noi-agent.service") }, "warning unit_missing"},
	"a disabled unit":        {func(t *testing.T, s *site) { remove(t, s, "/etc/systemd/system/multi-user.target.wants") }, "warning unit_disabled"},
	"no daemon":              {func(t *testing.T, s *site) { s.Status = nil; remove(t, s, "/proc/20") }, "fault daemon_down"},
	"a daemon that hangs":    {func(_ *testing.T, s *site) { s.Status, s.StatusErr = nil, errors.New("no answer") }, "fault daemon_no_answer"},
	"an old daemon":          {func(_ *testing.T, s *site) { s.Status.Version = "0.9.0" }, "warning version_differs"},
	"a silent slave":         {problem("slave_silent", api.Fault), "fault slave_silent"},
	"a garbled slave":        {problem("slave_garbled", api.Warning), "warning slave_garbled"},
	"a notice of the daemon": {problem("samples_lost", api.Notice), ""},
	"no credentials":         {func(_ *testing.T, s *site) { s.Probe = failing("credentials") }, "fault integration_no_credentials"},
	"no name or TLS":         {func(_ *testing.T, s *site) { s.Probe = failing("endpoint") }, "fault integration_unreachable"},
	"no permission":          {func(_ *testing.T, s *site) { s.Probe = failing("permission") }, "fault integration_no_permission"},
	"credentials of others":  {func(_ *testing.T, s *site) { s.Probe = unsure }, "warning integration_no_credentials"},
	"no topic":               {func(_ *testing.T, s *site) { s.Probe = failing("topic") }, "fault integration_no_topic"},
	"a refused test message": {func(_ *testing.T, s *site) { s.Probe = failing("message") }, "fault cloud_message"},
	"what the daemon sees too": {func(t *testing.T, s *site) {
		remove(t, s, "/dev/ttyUSB0")
		problem("line_port_missing", api.Fault)(t, s)
	}, "fault line_port_missing"},
	"a clock of the past":       {func(_ *testing.T, s *site) { s.Now = time.Unix(0, 0) }, "warning clock_unset"},
	"a slow disk":               {func(_ *testing.T, s *site) { s.Sync = syncing(2*time.Second, nil) }, "warning disk_sync"},
	"a disk that is not asked":  {func(_ *testing.T, s *site) { s.Sync = syncing(0, fs.ErrPermission) }, ""},
	"errors of the disk":        {func(t *testing.T, s *site) { put(t, s, "/sys/fs/ext4/sda1/errors_count", "3\n") }, "warning disk_errors"},
	"fast_commit on Linux 5.10": {func(t *testing.T, s *site) { fast(t, s, "5.10.63-v7+", "2") }, "warning disk_fast_commit"},
	"fast_commit on Linux 5.15": {func(t *testing.T, s *site) { fast(t, s, "5.15.16", "1") }, "warning disk_fast_commit"},
	"fast_commit, repaired":     {func(t *testing.T, s *site) { fast(t, s, "5.10.94", "2"); fast(t, s, "6.1.0-13-arm64", "2") }, ""},
	"fast_commit, not used":     {func(t *testing.T, s *site) { fast(t, s, "5.10.63", "0") }, ""},
	"worn raw flash":            {func(t *testing.T, s *site) { ubi(t, s, "95000", "0", "20") }, "warning disk_wear"},
	"raw flash with no reserve": {func(t *testing.T, s *site) { ubi(t, s, "100", "20", "0") }, "warning disk_wear"},
	"few open files":            {func(t *testing.T, s *site) { put(t, s, "/proc/20/limits", files("64")) }, "warning limit_files"},
	"little memory":             {func(t *testing.T, s *site) { put(t, s, group+"memory.max", "33554432\n") }, "warning limit_memory"},
	"few threads":               {func(t *testing.T, s *site) { put(t, s, group+"pids.max", "8\n") }, "warning limit_tasks"},
	"a killed process":          {func(t *testing.T, s *site) { put(t, s, group+"memory.events", "oom 2\noom_kill 2\n") }, "warning limit_killed"},
	"a silent line":             {func(_ *testing.T, s *site) { deaf(s, nothing, nothing) }, downAnd("fault slave_silent, fault slave_silent")},
	"one silent slave":          {func(_ *testing.T, s *site) { deaf(s, only1, nothing) }, downAnd("fault slave_silent")},
	"noise on a line":           {func(_ *testing.T, s *site) { deaf(s, noise, nothing) }, downAnd("fault slave_garbled, fault slave_garbled")},
	"another baud rate":         {func(_ *testing.T, s *site) { deaf(s, nothing, only1) }, downAnd("fault line_settings")},
	"a line that cannot open":   {func(_ *testing.T, s *site) { deaf(s, broken, nothing) }, downAnd("fault line_down")},
	"a check that hangs":        {hang, "warning check_hangs"},
	"a line over the network":   {func(t *testing.T, s *site) { s.Config.Lines[0].Port = "tcp://10.0.0.1"; remove(t, s, "/dev") }, ""},
	"a line that is not in use": {func(t *testing.T, s *site) { s.Config.Lines[0].Enabled = false; remove(t, s, "/dev") }, ""},
}

// group is the control group of the daemon.
const group = "/sys/fs/cgroup/system.slice/noi-agent.service/"

func files(soft string) string {
	return "Limit                     Soft Limit           Hard Limit           Units\n" +
		"Max open files            " + soft + "                  524288               files\n"
}

func syncing(took time.Duration, err error) func(string) (time.Duration, error) {
	return func(string) (time.Duration, error) { return took, err }
}

// fast makes so many commits of the root file system fast.
func fast(t *testing.T, s *site, kernel, commits string) {
	put(t, s, "/proc/sys/kernel/osrelease", kernel+"\n")
	put(t, s, "/proc/fs/ext4/sda1/fc_info", "fc stats:\n"+commits+" commits\n0 ineligible\n7 numblks\n")
}

func ubi(t *testing.T, s *site, most, badBlocks, reserve string) {
	for file, text := range map[string]string{"max_ec": most, "bad_peb_count": badBlocks, "reserved_for_bad": reserve} {
		put(t, s, "/sys/class/ubi/ubi0/"+file, text+"\n")
	}
	put(t, s, "/sys/class/ubi/ubi0_0/name", "rootfs\n")
}

// The answers of a line to a probe.
func nothing() (modbus.ScanResult, error) { return modbus.ScanResult{}, nil }
func only1() (modbus.ScanResult, error) {
	return modbus.ScanResult{Settings: modbus.Settings{Baud: 19200, Parity: "even"}, Found: []modbus.Found{{Unit: 1}}}, nil
}
func noise() (modbus.ScanResult, error) {
	return modbus.ScanResult{Garbled: []modbus.Garbled{{Unit: 1}}}, nil
}
func broken() (modbus.ScanResult, error) {
	return modbus.ScanResult{}, errors.New("open: no such thing")
}

// deaf stops the daemon, so that doctor probes the line with the units 1 and 2: first at its settings, then at
// others.
func deaf(s *site, own, others func() (modbus.ScanResult, error)) {
	s.Status, s.StatusErr = nil, errors.New("no answer")
	s.Config.Lines[0].Slaves = []configs.Slave{{ID: 1}, {ID: 2}}
	s.Ask = func(_ context.Context, _ *configs.Line, other bool) (modbus.ScanResult, error) {
		if other {
			return others()
		}
		return own()
	}
}

// downAnd returns the findings without a daemon, together with further ones.
func downAnd(found string) string { return found + ", fault daemon_no_answer" }

// unsure is a probe by another user than the daemon's: the probe cannot know whether the daemon has a key.
func unsure(context.Context, *configs.Integration) []sinks.Step {
	return []sinks.Step{{Name: "credentials", Verdict: sinks.StepUnknown, Text: "no key", Remedy: "try as the daemon"}}
}

// hang makes a name server never answer, even after its context has ended.
func hang(t *testing.T, s *site) {
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	s.Probe = func(context.Context, *configs.Integration) []sinks.Step { <-end; return nil }
}

const timer = "/sys/bus/usb-serial/devices/ttyUSB0/latency_timer"

// asleep allows the system to switch off the USB device of the adapter.
func asleep(t *testing.T, s *site) {
	put(t, s, "/sys/devices/usb1/1-1/power/control", "auto\n")
	put(t, s, "/sys/devices/usb1/1-1/idVendor", "0403\n")
	put(t, s, "/sys/devices/usb1/1-1/1-1:1.0/ttyUSB0/x", "")
	link(t, s, "/sys/class/tty/ttyUSB0/device", filepath.Join(s.Root, "/sys/devices/usb1/1-1/1-1:1.0/ttyUSB0"))
}

// foreign makes the daemon's user different from the owner of a path. Only the owner has permissions.
func foreign(t *testing.T, s *site, path string, mode fs.FileMode) {
	t.Helper()
	s.User.UID, s.User.Groups = 4242, nil
	open(t, s)
	for p, m := range map[string]fs.FileMode{s.ConfigPath: 0o644, stateDir: 0o777, "/dev/ttyUSB0": 0o666, path: mode} {
		if err := os.Chmod(filepath.Join(s.Root, p), m); err != nil {
			t.Fatal(err)
		}
	}
}

// open gives all users access to the state directory, so that it is not a second fault.
func open(t *testing.T, s *site) {
	t.Helper()
	if err := os.Chmod(filepath.Join(s.Root, stateDir), 0o777); err != nil {
		t.Fatal(err)
	}
}

func TestDoctorFindsEachPlantedFaultAndNothingElse(t *testing.T) {
	faults := map[string]bool{}
	for _, c := range planted {
		faults[c.want] = true
	}
	if len(faults) < 40 {
		t.Fatalf("only %d different faults are planted", len(faults))
	}
	for name, c := range planted {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // in virtual time the limits of the checks take no time
				s := sound(t)
				c.plant(t, s)
				expect(t, doctor.Examine(t.Context(), s), c.want)
			})
		})
	}
}

// expect compares the findings of a report, each as "level id", with the wanted ones.
func expect(t *testing.T, r doctor.Report, want string) {
	t.Helper()
	var bad []string
	for _, f := range r.Findings {
		if f.Level != doctor.OK {
			bad = append(bad, fmt.Sprintf("%s %s", f.Level, f.ID))
		}
		if f.Evidence == "" || f.Level != doctor.OK && (f.Why == "" || f.Command == "") {
			t.Errorf("the finding lacks something: %+v", f)
		}
	}
	if got := strings.Join(bad, ", "); got != want {
		t.Errorf("found %q, want %q", got, want)
	}
	if n := strings.Count(want, "fault "); r.Faults != n || (n == 0) != strings.HasPrefix(r.Verdict, "No fault was found.") {
		t.Errorf("%d faults, verdict %q", r.Faults, r.Verdict)
	}
}

// TestDoctorSaysWhatASilentControllerSuggests: the findings name the causes of a silent controller, as far as they
// can be distinguished.
func TestDoctorSaysWhatASilentControllerSuggests(t *testing.T) {
	for name, c := range map[string]struct {
		plant func(s *site)
		want  string
	}{
		"nothing arrives":              {func(s *site) { deaf(s, nothing, nothing) }, "whether A and B are swapped"},
		"noise":                        {func(s *site) { deaf(s, noise, nothing) }, "check baud rate and parity first"},
		"others answer":                {func(s *site) { deaf(s, only1, nothing) }, "its power and its unit id"},
		"polled, others answer":        {polled("slave_silent", "ok"), "its power and its unit id"},
		"polled, noise":                {polled("slave_garbled", "silent"), "check baud rate and parity first"},
		"polled, nothing":              {polled("slave_silent", "silent"), "Nothing at all arrives"},
		"polled, all silent":           {polled("slave_silent", "silent"), "also tries other baud rates and parities"},
		"polled, two with its unit id": {polled("slave_garbled", "ok"), "two controllers have this unit id"},
	} {
		s := sound(t)
		c.plant(s)
		r := doctor.Examine(t.Context(), s)
		if !slices.ContainsFunc(r.Findings, func(f doctor.Finding) bool { return f.Subject == "rs485/2" && strings.Contains(f.Why, c.want) }) {
			t.Errorf("%s: no finding has the text %q: %+v", name, c.want, r.Findings)
		}
	}
}

// polled makes the daemon report a problem of unit 2, and a state of unit 1. There was noise on the line long ago.
func polled(code, other string) func(*site) {
	return func(s *site) {
		s.Status.Lines = []api.Line{{Name: "rs485", Port: "/dev/ttyUSB0", Counters: api.Counters{CRCErrors: 9},
			Slaves: []api.Slave{{UnitID: 1, State: other}, {UnitID: 2, State: "silent"}}}}
		s.Status.Problems = []api.Problem{{Code: code, Severity: api.Fault, Subject: "rs485/2", Title: "Unit 2 does not answer"}}
	}
}

// TestDoctorStartsTheServiceByItsScript: Alpine and OpenWrt have no systemd.
func TestDoctorStartsTheServiceByItsScript(t *testing.T) {
	for script, want := range map[string]string{"": "sudo systemctl start noi-agent; ", "/etc/init.d/noi-agent": "/etc/init.d/noi-agent start"} {
		s := sound(t)
		s.Status = nil
		remove(t, s, "/proc/20")
		if script != "" {
			put(t, s, script, "")
		}
		r := doctor.Examine(t.Context(), s)
		if !slices.ContainsFunc(r.Findings, func(f doctor.Finding) bool { return f.ID == "daemon_down" && strings.HasPrefix(f.Command, want) }) {
			t.Errorf("script %q: %+v", script, r.Findings)
		}
	}
}

func TestDoctorSkipsWhatNeedsAConfiguration(t *testing.T) {
	s := sound(t)
	s.Config, s.ConfigErr = nil, errors.New("config.yaml:1: no")
	r := doctor.Examine(t.Context(), s)
	if !slices.Contains(r.Skipped, "port") || !strings.Contains(r.Verdict, "1 fault. Begin with the first: config.yaml:1: no. Skipped") {
		t.Errorf("skipped %v, verdict %q", r.Skipped, r.Verdict)
	}
}

// TestDoctorNamesTheCertificate: the certificate is named only if the page is served with TLS.
func TestDoctorNamesTheCertificate(t *testing.T) {
	const print = "9F:3A:C2"
	s := sound(t)
	named := func() bool {
		return slices.ContainsFunc(doctor.Examine(t.Context(), s).Findings, func(f doctor.Finding) bool {
			return f.ID == "certificate" && f.Level == doctor.OK && f.Evidence == "https://10.0.0.1:8443 has the certificate "+print
		})
	}
	s.Status.Endpoint = &api.Endpoint{Addresses: []string{"http://127.0.0.1:8780"}}
	if named() {
		t.Error("the report names a certificate, but there is none")
	}
	s.Status.Endpoint = &api.Endpoint{Addresses: []string{"https://10.0.0.1:8443"}, Fingerprint: print}
	if !named() {
		t.Error("the report does not name the certificate")
	}
}

// TestAnOKNeverCountsSilentControllers: a line marked ok names the number of its controllers only if all of them answer. The
// problems of the daemon, which are findings of their own, name the others.
func TestAnOKNeverCountsSilentControllers(t *testing.T) {
	for states, want := range map[string]string{
		"ok ok":     "2 of 2 controllers answer as configured; the line is busy for 12 % of the time",
		"ok silent": "the daemon reads the line, which is busy for 12 % of the time; the problems below are of 1 of 2 controllers",
	} {
		line := api.Line{Name: "rs485", Load: 0.12}
		for state := range strings.FieldsSeq(states) {
			line.Slaves = append(line.Slaves, api.Slave{State: state})
		}
		s := sound(t)
		s.Status.Lines = []api.Line{line}
		for _, f := range doctor.Examine(t.Context(), s).Findings {
			if f.ID == "controllers" && (f.Level != doctor.OK || f.Evidence != want) {
				t.Errorf("%s: %+v", states, f)
			}
		}
	}
}
