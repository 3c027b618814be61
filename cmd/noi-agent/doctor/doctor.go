package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
	"noi-agent/sinks"
	"noi-agent/status/api"
)

// A finding and the whole report have the types of the API.
type (
	Level   = api.Level
	Finding = api.Finding
	Report  = api.Diagnosis
)

// The levels. Only a fault makes the command fail.
const (
	OK      = api.LevelOK
	Warning = api.LevelWarning
	Fault   = api.LevelFault
)

// Disk is the file system under a directory.
type Disk struct {
	Free uint64 // bytes that the daemon's user may still write
	Size uint64 // size in bytes
}

// User is the user of the daemon.
type User struct {
	Name   string
	UID    uint32
	Groups []uint32 // all groups, with the main group
}

// Site is the gateway that is checked.
type Site struct {
	Root       string // root of the file system, "/"
	User       User   // user of the daemon; zero: there is no such user
	ConfigPath string
	Config     *configs.Config // nil: ConfigErr has the reason
	ConfigErr  error
	Notices    []string    // notices of `noi-agent check` on this machine
	Status     *api.Status // status of the daemon; nil: StatusErr has the reason
	StatusErr  error
	Version    string    // version of this program
	Now        time.Time // wall time
	Built      time.Time // date of the build: a right clock is never before it

	Disk func(dir string) (Disk, error)
	// Sync returns the time of a small synced write into a directory. nil: it is not measured.
	Sync func(dir string) (time.Duration, error)
	// Ask sends a read to each slave of a line, at the settings of the line. With others it tries the other usual
	// settings until a slave answers. nil: the lines are not tested.
	Ask func(ctx context.Context, line *configs.Line, others bool) (modbus.ScanResult, error)
	// Probe tests the way to an integration's topic. nil: the clouds are not tested.
	Probe func(ctx context.Context, in *configs.Integration) []sinks.Step
}

// path returns a path of the gateway below Root.
func (s *Site) path(parts ...string) string {
	return filepath.Join(append([]string{s.Root}, parts...)...)
}

// named returns a path of the configuration below Root. A relative path is relative to the working directory.
func (s *Site) named(path string) string {
	if filepath.IsAbs(path) {
		return s.path(path)
	}
	return path
}

// read returns the text of a file without blanks around it; "" if it cannot be read.
func (s *Site) read(parts ...string) string {
	text, err := os.ReadFile(s.path(parts...))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func (s *Site) exists(parts ...string) bool {
	_, err := os.Lstat(s.path(parts...))
	return err == nil
}

// usual is the time limit of a check that reads files. A file or port that hangs must not stop the report.
const usual = 10 * time.Second

// check is one check. If it returns no finding, the report has an OK line with its title.
type check struct {
	id, title   string
	needsConfig bool
	limit       time.Duration
	look        func(context.Context, *Site) []Finding
}

func checks() []check {
	return []check{
		{"config", "the configuration is valid", false, usual, configuration},
		{"config_rights", "the daemon may read the configuration", false, usual, configRights},
		{"user", "the daemon's user exists", false, usual, daemonUser},
		{"port", "the serial ports can be used", true, usual, ports},
		{"adapter", "the adapters answer at once", true, usual, adapters},
		{"port_grabber", "no program searches the ports for other devices", true, usual, grabbers},
		{"controllers", "the controllers answer", true, 2 * time.Minute, controllers},
		{"clock", "the clock is not before the date of this program", false, usual, wallClock},
		{"clock_service", "a time service runs", true, usual, clockService},
		{"state_dir", "the daemon may write its state", true, usual, stateDir},
		{"disk", "the disk has room and is writable", true, usual, disk},
		{"disk_sync", "synced writes are fast", true, usual, syncTime},
		{"disk_fast_commit", "no file system has the fault of fast_commit", true, usual, fastCommit},
		{"disk_errors", "the file systems have counted no errors", false, usual, diskErrors},
		{"disk_wear", "the flash does not report wear", false, usual, wear},
		{"unit", "the service is installed and starts at boot", false, usual, unit},
		{"daemon", "the daemon answers", false, usual, daemon},
		{"limits", "the limits of the service leave it room", false, usual, limits},
		{"problems", "the daemon reports no problem", false, usual, problems},
		{"cloud", "the clouds can be reached", true, time.Minute, clouds},
	}
}

// Examine runs all checks in order.
func Examine(ctx context.Context, s *Site) Report {
	r := Report{Findings: []Finding{}, Skipped: []string{}}
	for _, c := range checks() {
		if c.needsConfig && s.Config == nil {
			r.Skipped = append(r.Skipped, c.id)
			continue
		}
		found := c.run(ctx, s)
		if len(found) == 0 {
			found = []Finding{{ID: c.id, Level: OK, Evidence: c.title}}
		}
		for _, f := range found {
			if !known(r.Findings, f) {
				r.Findings = append(r.Findings, f)
			}
		}
	}
	for _, f := range r.Findings {
		switch f.Level {
		case Fault:
			r.Faults++
		case Warning:
			r.Warnings++
		}
	}
	r.Verdict = verdict(&r)
	return r
}

// run runs the check up to its time limit. A check that hangs in the kernel cannot be stopped, so run does not wait for
// its goroutine.
func (c *check) run(ctx context.Context, s *Site) []Finding {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	found := make(chan []Finding, 1)
	go func() { found <- c.look(ctx, s) }()
	select {
	case f := <-found:
		return f
	case <-ctx.Done():
		return []Finding{{
			ID: "check_hangs", Level: Warning, Subject: c.id,
			Evidence: fmt.Sprintf("no result within %s: whether %s", objects.Period(c.limit), c.title),
			Why:      "a disk, a port or a name server that does not answer may stop the daemon too",
			Command:  "sudo dmesg | tail -n 30",
		}}
	}
}

// known reports whether an earlier check has the same finding, because the daemon finds many of the same faults.
func known(found []Finding, f Finding) bool {
	return slices.ContainsFunc(found, func(before Finding) bool {
		return before.ID == f.ID && before.Level != OK && (before.Subject == f.Subject || before.Subject == "")
	})
}

func verdict(r *Report) string {
	text := "No fault was found."
	for _, f := range r.Findings {
		if f.Level == Fault {
			text = fmt.Sprintf("%s. Begin with the first: %s.", count(r.Faults, "fault"), f.Evidence)
			break
		}
	}
	if r.Warnings > 0 {
		text += " " + count(r.Warnings, "warning") + "."
	}
	if len(r.Skipped) > 0 {
		text += " Skipped, because there is no valid configuration: " + strings.Join(r.Skipped, ", ") + "."
	}
	return text
}

// notLooked returns the finding of a check that was not made, with the reason.
func notLooked(id, why string) []Finding {
	return []Finding{{ID: id, Level: OK, Evidence: "not checked: " + why}}
}

// count prints a number with its noun: "1 fault" or "2 faults".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
