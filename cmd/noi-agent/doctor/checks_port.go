package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"noi-agent/configs"
	"noi-agent/internal/shell"
	"noi-agent/modbus"
	"noi-agent/status/api"
)

// device returns the device file of a serial line, below Root; "" for a network line and for a disabled line.
func (s *Site) device(line *configs.Line) string {
	if scheme, _ := line.Network(); scheme != "" || !line.Enabled {
		return ""
	}
	return s.named(line.Port)
}

func ports(_ context.Context, s *Site) (found []Finding) {
	for i := range s.Config.Lines {
		line := &s.Config.Lines[i]
		if path := s.device(line); path != "" {
			found = append(found, s.port(line, path)...)
		}
	}
	return found
}

// port checks one port. It returns only the first fault, because it explains the others.
func (s *Site) port(line *configs.Line, path string) []Finding {
	f := Finding{Level: Fault, Subject: line.Name, Why: "the line cannot be read"}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		f.ID, f.Command = api.LinePortMissing.Code, "ls -l /dev/serial/by-id /dev/tty[A-Z]*"
		f.Evidence = fmt.Sprintf("%s does not exist; %s", line.Port, s.portsHere())
	case info.Mode()&fs.ModeCharDevice == 0:
		f.ID, f.Command = "port_no_device", "ls -l "+shell.Quote(line.Port)
		f.Evidence = line.Port + " is a file or a directory, not a serial port"
	case s.User.Name != "" && !s.may(info, 0o6):
		f.ID = api.LinePortDenied.Code
		f.Command = fmt.Sprintf("sudo usermod -aG dialout %s && sudo systemctl restart noi-agent; ls -lL %s",
			s.User.Name, shell.Quote(line.Port))
		f.Evidence = fmt.Sprintf("%s may not read and write %s (%v)", s.User.Name, line.Port, info.Mode().Perm())
	default:
		return s.others(line, path)
	}
	return []Finding{f}
}

func (s *Site) portsHere() string {
	here := modbus.Ports(s.Root)
	if len(here) == 0 {
		return "no serial port is here"
	}
	for i := range here {
		here[i] = "/" + strings.TrimPrefix(strings.TrimPrefix(here[i], s.Root), "/")
	}
	return "here are " + strings.Join(here, ", ")
}

// process is a running program.
type process struct{ pid, name string }

func (s *Site) processes() (all []process) {
	found, _ := filepath.Glob(s.path("proc", "[0-9]*", "comm")) // the pattern is well formed
	for _, path := range found {
		pid := filepath.Base(filepath.Dir(path))
		all = append(all, process{pid, s.read("proc", pid, "comm")})
	}
	return all
}

func (s *Site) runs(names ...string) (process, bool) {
	all := s.processes()
	i := slices.IndexFunc(all, func(p process) bool { return slices.Contains(names, p.name) })
	if i < 0 {
		return process{}, false
	}
	return all[i], true
}

// others finds programs that have the port open. A daemon that answers does not count.
func (s *Site) others(line *configs.Line, path string) (found []Finding) {
	device, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil
	}
	for _, p := range s.processes() {
		// The simulator is the other end of the line. This process has the port open for the check.
		ours := p.name == "noi-agent" && s.Status != nil || p.name == "noi-sim" || p.pid == strconv.Itoa(os.Getpid())
		if ours || !s.hasOpen(p, device) {
			continue
		}
		found = append(found, Finding{
			ID: api.LinePortBusy.Code, Level: Fault, Subject: line.Name,
			Evidence: fmt.Sprintf("%s has %s open (process %s)", p.name, line.Port, p.pid),
			Why:      "two programs on one line destroy each other's requests and replies",
			Command:  "sudo fuser -v " + shell.Quote(line.Port),
		})
	}
	return found
}

func (s *Site) hasOpen(p process, device string) bool {
	dir := s.path("proc", p.pid, "fd")
	fds, _ := os.ReadDir(dir) // empty without permission, or if the process has ended
	return slices.ContainsFunc(fds, func(fd os.DirEntry) bool {
		to, err := os.Readlink(filepath.Join(dir, fd.Name()))
		return err == nil && (to == device || to == strings.TrimPrefix(device, strings.TrimSuffix(s.Root, "/")))
	})
}

// adapters looks for settings of USB adapters that slow down each exchange or switch the adapter off.
func adapters(_ context.Context, s *Site) (found []Finding) {
	for i := range s.Config.Lines {
		line := &s.Config.Lines[i]
		path := s.device(line)
		device, err := filepath.EvalSymlinks(path)
		if path == "" || err != nil {
			continue
		}
		name := filepath.Base(device)
		timer := "/sys/bus/usb-serial/devices/" + name + "/latency_timer"
		if ms, err := strconv.Atoi(s.read(timer)); err == nil && ms > 1 && line.LowLatency != "off" {
			found = append(found, Finding{
				ID: "adapter_latency", Level: Warning, Subject: line.Name,
				Evidence: fmt.Sprintf("the adapter of %s holds received bytes back for %d ms", line.Port, ms),
				Why:      "each request takes longer by this time, and replies arrive in parts",
				Command:  "echo 1 | sudo tee " + timer,
			})
		}
		if usb := s.usbDevice(name); usb != "" && s.read(usb, "power/control") == "auto" {
			found = append(found, Finding{
				ID: "adapter_autosuspend", Level: Warning, Subject: line.Name,
				Evidence: "the system may switch the adapter of " + line.Port + " off to save power",
				Why:      "the adapter loses bytes, or goes away, when it is switched on again",
				Command:  "echo on | sudo tee " + usb + "/power/control",
			})
		}
	}
	return found
}

// usbDevice returns the directory under /sys of the USB device that a tty belongs to: the nearest directory above it
// with a vendor id. It returns "" if there is none.
func (s *Site) usbDevice(tty string) string {
	dir, err := filepath.EvalSymlinks(s.path("sys/class/tty", tty, "device"))
	if err != nil {
		return ""
	}
	dir = "/" + strings.TrimPrefix(strings.TrimPrefix(dir, s.Root), "/")
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if s.exists(dir, "idVendor") {
			return dir
		}
	}
	return ""
}

// grabbers finds programs that open every new serial port, to look for modems, GPS receivers and Braille displays.
func grabbers(_ context.Context, s *Site) (found []Finding) {
	usb := slices.ContainsFunc(s.Config.Lines, func(line configs.Line) bool {
		device, err := filepath.EvalSymlinks(s.device(&line))
		name := filepath.Base(device)
		return err == nil && (strings.HasPrefix(name, "ttyUSB") || strings.HasPrefix(name, "ttyACM"))
	})
	if !usb {
		return nil
	}
	for _, g := range []struct{ name, service string }{
		{"ModemManager", "ModemManager"}, {"gpsd", "gpsd.socket gpsd"}, {"brltty", "brltty-udev brltty"},
	} {
		if p, ok := s.runs(g.name); ok {
			found = append(found, Finding{
				ID: "port_grabber", Level: Warning,
				Evidence: fmt.Sprintf("%s runs (process %s)", p.name, p.pid),
				Why:      "it may open a USB adapter whenever one is plugged in, and send to the controllers",
				Command:  "sudo systemctl disable --now " + g.service,
			})
		}
	}
	return found
}
