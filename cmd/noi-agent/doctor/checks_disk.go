package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"noi-agent/internal/shell"
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

func stateDir(_ context.Context, s *Site) []Finding {
	dir := s.Config.StateDir
	info, err := os.Stat(s.named(dir))
	switch {
	case err != nil, s.User.Name == "": // the service makes it; the user has a check of its own
		return nil
	case !info.IsDir():
		return []Finding{{
			ID: "state_dir", Level: Fault, Evidence: dir + " is no directory", Why: "the daemon cannot keep samples",
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
		ID: "store_kept_aside", Level: Warning, Evidence: count(len(aside), "damaged store") + " kept in " + dir,
		Why:     "the store was damaged once: the disk or the power supply may fail again",
		Command: "ls -l " + shell.Quote(dir) + "; journalctl -u noi-agent -p warning",
	}}
}

// leastFree is what the store needs to go on deleting and sending.
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

// existing is the directory, or the nearest one above it that exists.
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

// wear reads what eMMC flash reports of itself: JEDEC JESD84-B51, EXT_CSD registers 267 to 269. A life time of 0x09
// means that 80 to 90 % are used; a pre-end-of-life of 0x02 means that 80 % of the reserve blocks are used.
func wear(_ context.Context, s *Site) (found []Finding) {
	devices, _ := filepath.Glob(s.path("sys/block/mmcblk*")) // the pattern is well formed
	for _, path := range devices {
		name := filepath.Base(path)
		most := int64(0)
		for _, field := range strings.Fields(s.read("sys/block", name, "device/life_time")) {
			if used, err := strconv.ParseInt(field, 0, 64); err == nil {
				most = max(most, used)
			}
		}
		end, _ := strconv.ParseInt(s.read("sys/block", name, "device/pre_eol_info"), 0, 64) // not reported: 0
		if most >= 9 || end >= 2 {
			found = append(found, Finding{
				ID: "disk_wear", Level: Warning,
				Evidence: fmt.Sprintf("the flash %s reports life time %#02x (0x0b: all used) and end of life %#02x "+
					"(0x01: normal)",
					name, most, end),
				Why:     "worn flash loses data and then fails",
				Command: "cat /sys/block/" + name + "/device/life_time",
			})
		}
	}
	return found
}
