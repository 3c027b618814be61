package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"noi-agent/configs"
	"noi-agent/sinks"
	"noi-agent/status/api"
)

// Level says how much a finding matters.
type Level string

// The levels. Only a fault makes the command fail.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Fault   Level = "fault"
)

// Finding is one line of the report. Why and Command are empty if Level is OK.
type Finding struct {
	ID       string `json:"id"` // stable; that of the problem table where it means the same
	Level    Level  `json:"level"`
	Subject  string `json:"subject,omitempty"` // a line, an integration; "" for the gateway
	Evidence string `json:"evidence"`          // what was seen
	Why      string `json:"why,omitempty"`     // why it matters
	Command  string `json:"command,omitempty"` // to paste into a shell
}

// Report is the JSON of `noi-agent doctor --json`.
type Report struct {
	Findings []Finding `json:"findings"`
	Skipped  []string  `json:"skipped"` // checks that need what has failed, by id
	Faults   int       `json:"faults"`
	Warnings int       `json:"warnings"`
	Verdict  string    `json:"verdict"` // one sentence
}

// Disk is the file system under a directory.
type Disk struct {
	Free uint64 // bytes that the daemon's user may still write
	Size uint64 // bytes in all
}

// User is the user that the daemon runs as.
type User struct {
	Name   string
	UID    uint32
	Groups []uint32 // the main group among them
}

// Site is the gateway that is looked at.
type Site struct {
	Root       string // of the file system: "/"
	User       User   // zero: there is no such user
	ConfigPath string
	Config     *configs.Config // nil: ConfigErr has the reason
	ConfigErr  error
	Notices    []string    // what `noi-agent check` notices on this machine
	Status     *api.Status // of the daemon; nil: StatusErr has the reason
	StatusErr  error
	Version    string // of this program
	Disk       func(dir string) (Disk, error)
	// Probe tests the way to an integration's topic, without a message. nil: the clouds are not asked.
	Probe func(ctx context.Context, in *configs.Integration) []sinks.Step
}

// path is a path of the gateway below Root.
func (s *Site) path(parts ...string) string {
	return filepath.Join(append([]string{s.Root}, parts...)...)
}

// named is a path of the configuration. A relative one is relative to the working directory, as for the daemon.
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

// check is one look. It returns what is wrong; nothing wrong is an OK line with its title.
type check struct {
	id, title   string
	needsConfig bool
	look        func(context.Context, *Site) []Finding
}

func checks() []check {
	return []check{
		{"config", "the configuration is valid", false, configuration},
		{"config_rights", "the daemon may read the configuration", false, configRights},
		{"user", "the daemon's user exists", false, daemonUser},
		{"port", "the serial ports can be used", true, ports},
		{"adapter", "the adapters answer at once", true, adapters},
		{"port_grabber", "no program searches the ports for other devices", true, grabbers},
		{"clock_service", "a time service runs", true, clockService},
		{"state_dir", "the daemon may write its state", true, stateDir},
		{"disk", "the disk has room and is writable", true, disk},
		{"disk_wear", "the flash does not report wear", false, wear},
		{"unit", "the service is installed and starts at boot", false, unit},
		{"daemon", "the daemon answers", false, daemon},
		{"problems", "the daemon reports no problem", false, problems},
		{"cloud", "the clouds can be reached", true, clouds},
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
		found := c.look(ctx, s)
		if len(found) == 0 {
			found = []Finding{{ID: c.id, Level: OK, Evidence: c.title}}
		}
		r.Findings = append(r.Findings, found...)
	}
	for _, f := range r.Findings {
		switch f.Level {
		case Fault:
			r.Faults++
		case Warning:
			r.Warnings++
		}
	}
	r.Verdict = r.verdict()
	return r
}

func (r *Report) verdict() string {
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

// notLooked is the finding of a check that had nothing to look at.
func notLooked(id, why string) []Finding {
	return []Finding{{ID: id, Level: OK, Evidence: "not looked at: " + why}}
}

// count is "1 fault" or "2 faults".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
