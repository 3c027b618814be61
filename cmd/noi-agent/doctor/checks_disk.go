package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"noi-agent/internal/shell"
	"noi-agent/status/api"
)

func clockService(_ context.Context, s *Site) []Finding {
	// the kernel cuts names to 15 characters
	_, runs := s.runs("systemd-timesyn", "chronyd", "ntpd", "ntpd-rs", "openntpd")
	if runs || s.Config.Clock.Source == "system" {
		return nil
	}
	return []Finding{{
		ID: "clock_service", Level: Warning, Evidence: "no time service runs",
		Why:     "after a power cut the clock is wrong, and samples wait up to clock.max_wait for their time",
		Command: "sudo apt install systemd-timesyncd && timedatectl status",
	}}
}

// wallClock compares the clock with the date of this program, as the daemon does.
func wallClock(_ context.Context, s *Site) []Finding {
	if s.Now.IsZero() || !s.Now.Before(s.Built) {
		return nil
	}
	return []Finding{{
		ID: api.ClockUnset.Code, Level: Warning, Subject: "agent",
		Evidence: fmt.Sprintf("the clock shows %s, and this program was made on %s", s.Now.UTC().Format(time.DateOnly),
			s.Built.UTC().Format(time.DateOnly)),
		Why:     "samples wait up to clock.max_wait for a right clock, and clouds refuse a wrong one",
		Command: "timedatectl status; sudo timedatectl set-ntp true",
	}}
}

func stateDir(_ context.Context, s *Site) []Finding {
	dir := s.Config.StateDir
	info, err := os.Stat(s.named(dir))
	switch {
	case err != nil, s.User.Name == "": // the service makes the directory; the user has its own check
		return nil
	case !info.IsDir():
		return []Finding{{
			ID: "state_dir", Level: Fault, Evidence: dir + " is not a directory", Why: "the daemon cannot keep samples",
			Command: "ls -ld " + shell.Quote(dir),
		}}
	case !s.may(info, 0o7):
		return []Finding{{
			ID: "state_dir", Level: Fault,
			Evidence: fmt.Sprintf("%s may not write in %s (%v)", s.User.Name, dir, info.Mode()),
			Why:      "the daemon cannot keep samples",
			Command:  fmt.Sprintf("sudo chown -R %[1]s:%[1]s %s", s.User.Name, shell.Quote(dir)),
		}}
	}
	aside, _ := filepath.Glob(filepath.Join(s.named(dir), "noi.db.damaged-*")) // the pattern is well formed
	if len(aside) == 0 {
		return nil
	}
	return []Finding{{
		ID: api.StoreKept.Code, Level: Warning, Evidence: count(len(aside), "damaged store") + " kept in " + dir,
		Why:     "the store was damaged once: the disk or the power supply may fail again",
		Command: "ls -l " + shell.Quote(dir) + "; journalctl -u noi-agent -p warning",
	}}
}

// leastFree is the free space that the store needs in order to delete and send samples.
const leastFree = 8 << 20

func disk(_ context.Context, s *Site) (found []Finding) {
	dir := s.Config.StateDir
	command := "df -h " + shell.Quote(dir)
	if kind, options := s.mount(dir); slices.Contains(options, "ro") {
		found = append(found, Finding{
			ID: "disk_read_only", Level: Fault, Evidence: "the file system of " + dir + " is mounted read-only",
			Why:     "no sample can be kept; the kernel does this after errors of the disk",
			Command: "findmnt --target " + shell.Quote(dir) + "; dmesg | tail",
		})
	} else if kind == "tmpfs" || kind == "ramfs" || kind == "overlay" {
		found = append(found, Finding{
			ID: "disk_in_memory", Level: Warning, Evidence: dir + " is on " + kind,
			Why: "waiting samples may be lost when the power fails", Command: "findmnt --target " + shell.Quote(dir),
		})
	}
	d, err := s.Disk(existing(s.named(dir)))
	switch {
	case err != nil:
		found = append(found, Finding{ID: "disk", Level: Warning, Evidence: err.Error(),
			Why: "the free space is not known", Command: command})
	case d.Free < leastFree:
		found = append(found, Finding{
			ID: "disk_full", Level: Fault, Evidence: fmt.Sprintf("%d MiB are free under %s", d.Free>>20, dir),
			Why: "samples that wait for a cloud are deleted or not stored", Command: command,
		})
	case d.Free < uint64(s.Config.Buffer.MaxSize):
		found = append(found, Finding{
			ID: "disk_low", Level: Warning,
			Evidence: fmt.Sprintf("%d MiB are free under %s, buffer.max_size is %d MiB",
				d.Free>>20, dir, s.Config.Buffer.MaxSize>>20),
			Why: "in a long outage the disk is full before the buffer", Command: command,
		})
	}
	return found
}

// existing returns the directory if it exists, otherwise the nearest existing one above it.
func existing(dir string) string {
	for dir != "/" && dir != "." {
		if _, err := os.Stat(dir); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	return dir
}

// mount returns type and options of the file system of a path, from /proc/mounts.
func (s *Site) mount(path string) (kind string, options []string) {
	longest := -1
	for line := range strings.Lines(s.read("proc/mounts")) {
		fields := strings.Fields(line)
		if len(fields) < 4 || len(fields[1]) < longest {
			continue
		}
		at := strings.TrimSuffix(fields[1], "/") + "/"
		if strings.HasPrefix(path+"/", at) { // a later mount covers an earlier one
			longest, kind, options = len(fields[1]), fields[2], strings.Split(fields[3], ",")
		}
	}
	return kind, options
}
