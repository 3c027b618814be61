package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"noi-agent/internal/shell"
	"noi-agent/objects"
)

// slowSync is half of the default commit window. A slower disk delays the commits.
const slowSync = 500 * time.Millisecond

// syncTime measures the time of a synced write, for which each commit of the store waits.
func syncTime(_ context.Context, s *Site) []Finding {
	if s.Sync == nil {
		return notLooked("disk_sync", "only the command measures it: sudo noi-agent doctor")
	}
	dir := s.Config.StateDir
	took, err := s.Sync(existing(s.named(dir)))
	switch {
	case err != nil:
		return notLooked("disk_sync", err.Error())
	case took > slowSync:
		return []Finding{{
			ID: "disk_sync", Level: Warning,
			Evidence: fmt.Sprintf("a synced write under %s takes %s", dir, objects.Period(took)),
			Why:      "commits come late: a power cut loses more samples. Cards become slow before they fail",
			Command:  "iostat -x 1 5; sudo dmesg | grep -iE 'mmc|nvme|i/o error' | tail",
		}}
	}
	return []Finding{{ID: "disk_sync", Level: OK,
		Evidence: fmt.Sprintf("a synced write under %s takes %.1f ms", dir, float64(took.Microseconds())/1000)}}
}

// fastCommit looks for ext4 with fast_commit on a kernel that can lose data with it. These are the kernels from 5.10,
// which introduced it, to 5.16. The stable kernels 5.10.94 and 5.15.17 have the fix. /proc/fs/ext4/DEVICE/fc_info
// counts such commits.
func fastCommit(_ context.Context, s *Site) (found []Finding) {
	kernel := s.read("proc/sys/kernel/osrelease")
	kind, _ := s.mount(s.Config.StateDir)
	if kind != "ext4" || !losesFastCommits(kernel) {
		return nil
	}
	for _, name := range s.names("proc/fs/ext4/*") {
		for line := range strings.Lines(s.read("proc/fs/ext4", name, "fc_info")) {
			word, what, _ := strings.Cut(strings.TrimSpace(line), " ")
			if n, err := strconv.Atoi(word); err != nil || n == 0 || what != "commits" && what != "ineligible" {
				continue
			}
			return []Finding{{
				ID: "disk_fast_commit", Level: Warning,
				Evidence: fmt.Sprintf("%s uses fast_commit of ext4, and the kernel is %s", name, kernel),
				Why:      "these kernels can lose committed data in a power cut, and with it the store",
				Command:  "sudo tune2fs -O ^fast_commit /dev/" + shell.Quote(name) + "   # or a newer kernel",
			}}
		}
	}
	return nil
}

// losesFastCommits reports whether a kernel has this fault. release is a text such as "5.10.63-v7+".
func losesFastCommits(release string) bool {
	var major, minor, patch int
	if n, _ := fmt.Sscanf(release, "%d.%d.%d", &major, &minor, &patch); n < 2 || major != 5 {
		return false
	}
	switch {
	case minor == 10:
		return patch < 94
	case minor == 15:
		return patch < 17
	default:
		return minor > 10 && minor < 17
	}
}

// diskErrors reads the number of errors that ext4 has counted since the last check of the file system.
func diskErrors(_ context.Context, s *Site) (found []Finding) {
	for _, name := range s.names("sys/fs/ext4/*") {
		if n, err := strconv.Atoi(s.read("sys/fs/ext4", name, "errors_count")); err == nil && n > 0 {
			found = append(found, Finding{
				ID: "disk_errors", Level: Warning,
				Evidence: fmt.Sprintf("the file system on %s has counted %s", name, count(n, "error")),
				Why:      "the disk or the power supply has damaged the file system before",
				Command:  "sudo tune2fs -l /dev/" + shell.Quote(name) + " | grep -i error; sudo dmesg | tail -n 30",
			})
		}
	}
	return found
}

// names returns the last parts of the paths that match a pattern.
func (s *Site) names(pattern string) []string {
	paths, _ := filepath.Glob(s.path(pattern)) // the patterns are well formed
	for i := range paths {
		paths[i] = filepath.Base(paths[i])
	}
	return paths
}

// wear reads the wear that flash reports. For eMMC the source is JEDEC JESD84-B51, EXT_CSD registers 267 to 269. A life
// time of 0x09 means that 80 to 90 % are used. A pre-end-of-life value of 0x02 means that 80 % of the reserve blocks
// are used.
func wear(_ context.Context, s *Site) (found []Finding) {
	for _, name := range s.names("sys/block/mmcblk*") {
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
	return append(found, s.ubiWear()...)
}

// worn is nine tenths of the erasures that SLC flash is specified for. MLC flash has fewer.
const worn = 90_000

// ubiWear checks raw flash with UBI, which OpenWrt uses.
func (s *Site) ubiWear() (found []Finding) {
	for _, name := range s.names("sys/class/ubi/ubi*") {
		value := func(file string) int {
			n, err := strconv.Atoi(s.read("sys/class/ubi", name, file))
			if err != nil {
				return -1 // a volume, or an older kernel
			}
			return n
		}
		most, bad, reserve := value("max_ec"), value("bad_peb_count"), value("reserved_for_bad")
		if most >= worn || bad > 0 && reserve == 0 {
			found = append(found, Finding{
				ID: "disk_wear", Level: Warning,
				Evidence: fmt.Sprintf("the flash %s: a block was erased %d times, %d blocks are bad, %d are in reserve",
					name, most, bad, reserve),
				Why:     "worn flash loses data and then fails",
				Command: "ubinfo -a || grep . /sys/class/ubi/" + name + "/*",
			})
		}
	}
	return found
}
