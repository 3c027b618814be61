package clock

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Source has the sources about time, in addition to the clocks. The zero Source has none: it is not known whether the
// wall clock is right, and each run counts as a boot.
type Source struct {
	Boot   string                          // id of the boot of the machine; "": not known
	Uptime func() time.Duration            // time since that boot, with suspend time; nil: not known
	Built  time.Time                       // date of the build: a right clock is never before it; zero: not known
	Probe  func(ctx context.Context) Synch // asks the time services, which may take seconds; nil: there are none
}

// Synch is the report of a time service about the wall clock.
type Synch struct {
	Service string    // name of the service; "": none was found
	Synched bool      // the service has synchronised the clock
	At      time.Time // time of the last measurement, by the clock at that time; zero: not known
}

// The time services that report whether the clock is right. The state of other services (busybox ntpd, openntpd,
// ntpdate, a GPS script) cannot be read without privileges. With them the clock is judged only by its time.
const (
	timesyncd = "timesyncd"
	chrony    = "chrony"
)

// System returns the sources of this machine: its boot, systemd-timesyncd and chrony.
func System(built time.Time) Source {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // without it, each run counts as a boot
	s := services{timesyncDir: "/run/systemd/timesync", chronyc: askChronyc, uptime: uptimeOfSystem}
	return Source{Boot: strings.TrimSpace(string(boot)), Uptime: uptimeOfSystem, Built: built, Probe: s.probe}
}

// uptimeOfSystem returns the time since the boot, with suspend time (clock_gettime(2)). The system call is raw because
// it never waits. Another call would also wake up the runtime's thread that watches waiting threads.
func uptimeOfSystem() time.Duration {
	var t unix.Timespec
	_, _, errno := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_BOOTTIME, uintptr(unsafe.Pointer(&t)), 0)
	if errno != 0 {
		panic("clock: CLOCK_BOOTTIME: " + errno.Error()) // Linux has this clock since 2.6.39
	}
	return time.Duration(t.Nano())
}

// services asks the time services of the machine.
type services struct {
	timesyncDir string
	chronyc     func(ctx context.Context) ([]byte, error)
	uptime      func() time.Duration
}

// probe returns the report of the first service that has synchronised the clock. If none has, it returns the report of
// the first existing service. A service that is no longer used may have left its files, so both are asked.
func (s services) probe(ctx context.Context) Synch {
	first := s.askTimesyncd()
	if first.Synched {
		return first
	}
	if second := s.askChrony(ctx); second.Synched || first.Service == "" {
		return second
	}
	return first
}

// askTimesyncd checks the file that systemd-timesyncd touches each time it has set the clock. The directory of the file
// exists while the service runs (systemd-timesyncd.service(8)).
func (s services) askTimesyncd() Synch {
	if _, err := os.Stat(s.timesyncDir); err != nil {
		return Synch{}
	}
	flag, err := os.Stat(filepath.Join(s.timesyncDir, "synchronized"))
	if err != nil {
		return Synch{Service: timesyncd}
	}
	return Synch{Service: timesyncd, Synched: true, At: flag.ModTime()}
}

const (
	// chronycLimit limits the request to chronyd. The answer takes about ten milliseconds, on a slow gateway a few
	// hundred.
	chronycLimit = 5 * time.Second
	// youngBoot is the time after a boot in which an installed chrony without an answer counts as not started yet.
	youngBoot = 2 * time.Minute
)

// askChronyc runs `chronyc tracking`. Without privileges, chronyc asks chronyd by UDP on loopback.
func askChronyc(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, chronycLimit)
	defer cancel()
	path, err := exec.LookPath("chronyc")
	if err != nil {
		return nil, errors.Join(fs.ErrNotExist, err)
	}
	return exec.CommandContext(ctx, path, "-n", "-c", "tracking").Output()
}

func (s services) askChrony(ctx context.Context) Synch {
	out, err := s.chronyc(ctx)
	switch {
	case err == nil:
		return parseTracking(out)
	case !errors.Is(err, fs.ErrNotExist) && s.uptime() < youngBoot:
		return Synch{Service: chrony}
	default:
		return Synch{} // chrony is not installed, or does not run
	}
}

// parseTracking reads chronyc's CSV: 14 fields, the fourth the time of the last measurement in Unix seconds, the last
// the leap status in words (chrony 4.3 client.c, process_cmd_tracking). Any other output is of an unknown version, and
// counts as no report.
func parseTracking(csv []byte) Synch {
	fields := strings.Split(string(bytes.TrimSpace(csv)), ",")
	if len(fields) != 14 {
		return Synch{}
	}
	at, err := strconv.ParseFloat(fields[3], 64)
	if err != nil || math.IsNaN(at) || math.Abs(at) > math.MaxInt32*10 {
		return Synch{}
	}
	s := Synch{Service: chrony, Synched: fields[13] != "Not synchronised"}
	if s.Synched && at > 0 {
		s.At = time.UnixMilli(int64(at * 1000))
	}
	return s
}
