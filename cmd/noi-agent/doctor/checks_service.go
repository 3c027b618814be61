package doctor

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// The lowest limits that are enough for the daemon. It needs about 36 MB, a dozen threads, and a file for each line,
// connection and client of the page.
const (
	leastMemory = 64 << 20 // GOMEMLIMIT of the unit
	leastTasks  = 32
	leastFiles  = 256
)

// limits checks the limits of the daemon's process, which kernel and systemd set.
func limits(_ context.Context, s *Site) (found []Finding) {
	p, runs := s.daemonProcess()
	if !runs {
		return notLooked("limits", "no daemon runs")
	}
	for _, l := range []struct {
		id, what string
		has      uint64
		least    uint64
	}{
		{"limit_files", "open files", s.openFiles(p), leastFiles},
		{"limit_memory", "bytes of memory (MemoryMax)", s.group(p, "memory.max"), leastMemory},
		{"limit_tasks", "threads (TasksMax)", s.group(p, "pids.max"), leastTasks},
	} {
		if l.has < l.least {
			found = append(found, Finding{
				ID: l.id, Level: Warning,
				Evidence: fmt.Sprintf("the daemon may have %d %s; it should have %d", l.has, l.what, l.least),
				Why:      "a daemon at its limit is ended by the kernel, or cannot reach its clouds",
				Command:  "systemctl cat noi-agent",
			})
		}
	}
	if n := s.killed(p); n > 0 {
		found = append(found, Finding{
			ID: "limit_killed", Level: Warning,
			Evidence: "the kernel has ended " + count(n, "process") + " of the service for lack of memory",
			Why:      "samples that the process had not committed are lost",
			Command:  "journalctl -k -g 'oom|Out of memory' -n 20; systemctl show -P MemoryMax noi-agent",
		})
	}
	return found
}

// unlimited means no limit, or a limit that cannot be read.
const unlimited = ^uint64(0)

// openFiles returns the soft limit of open files, from /proc/PID/limits.
func (s *Site) openFiles(p process) uint64 {
	for line := range strings.Lines(s.read("proc", p.pid, "limits")) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			return number(strings.TrimSpace(rest))
		}
	}
	return unlimited
}

// group reads a file of the process's control group (version 2).
func (s *Site) group(p process, file string) uint64 {
	return number(s.groupFile(p, file))
}

func (s *Site) groupFile(p process, file string) string {
	_, dir, ok := strings.Cut(s.read("proc", p.pid, "cgroup"), "0::")
	if !ok {
		return "" // version 1
	}
	dir, _, _ = strings.Cut(dir, "\n")
	return s.read("sys/fs/cgroup", path.Clean("/"+dir), file)
}

// killed returns how often the kernel has ended a process of the group because memory was short.
func (s *Site) killed(p process) int {
	for line := range strings.Lines(s.groupFile(p, "memory.events")) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			times, _ := strconv.Atoi(strings.TrimSpace(n)) // the kernel writes numbers
			return times
		}
	}
	return 0
}

// number returns the first word of a text as a number. Any other word, such as "max" or "unlimited", is unlimited.
func number(text string) uint64 {
	word, _, _ := strings.Cut(text, " ")
	n, err := strconv.ParseUint(word, 10, 64)
	if err != nil {
		return unlimited
	}
	return n
}
