package modbus

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"go.bug.st/serial"
)

// OpenError has the reason why a port could not be opened, and the way out.
type OpenError struct {
	Port string
	Err  error  // the cause
	Hint string // the way out, for people; may be empty
}

// Error gives port, cause and hint in one line.
func (e *OpenError) Error() string {
	text := fmt.Sprintf("open %s: %v", e.Port, e.Err)
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Unwrap returns the cause, for errors.Is(err, fs.ErrNotExist) and the like.
func (e *OpenError) Unwrap() error { return e.Err }

// openError adds the hint that fits the cause.
func openError(port string, err error) *OpenError {
	var path *fs.PathError // its text repeats the path, which OpenError has already
	if errors.As(err, &path) && path.Path == port {
		err = path.Err
	}
	return &OpenError{Port: port, Err: err, Hint: openHint(port, err)}
}

func openHint(port string, err error) string {
	// Errors of this package come first, because they wrap errors of the driver, which can be any.
	if hint := hardwareHint(err); hint != "" {
		return hint
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "no such port; is the adapter plugged in? " + portsHere(Ports("/"))
	case IsDenied(err):
		info, serr := os.Stat(port)
		if serr != nil {
			return "no permission for it or a folder above it"
		}
		return permissionHint(info)
	case IsBusy(err):
		return "stop the other program; `fuser -v " + port + "` names it"
	case errors.Is(err, errNoTTY):
		return portsHere(Ports("/"))
	case IsMissing(err):
		return "no device behind it; is the adapter plugged in?"
	case isCode(err, serial.InvalidSerialPort):
		return "the driver does not take the settings; check baud, data bits, parity and stop bits"
	default:
		return ""
	}
}

// IsMissing reports whether a port could not be opened because its device does not exist: it was unplugged, or never
// there.
func IsMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.ENODEV) ||
		errors.Is(err, syscall.EIO)
}

// IsDenied reports whether a port could not be opened because this user has no permission.
func IsDenied(err error) bool {
	return errors.Is(err, fs.ErrPermission) || isCode(err, serial.PermissionDenied)
}

// Holder returns the name of the program that probably has a serial port open: a running program that is known to open
// every new port. proc is /proc. Only root could read the open files of other users. If no such program runs, the
// result is "Another program".
func Holder(proc string) string {
	names, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "comm")) // the pattern is well formed
	running := map[string]bool{}
	for _, path := range names {
		if name, err := os.ReadFile(path); err == nil {
			running[strings.TrimSpace(string(name))] = true
		}
	}
	for _, name := range []string{"ModemManager", "gpsd", "brltty"} {
		if running[name] {
			return name
		}
	}
	return "Another program"
}

// latencyRule is a udev rule that works without any permission of the agent.
const latencyRule = `ACTION=="add", SUBSYSTEM=="usb-serial", DRIVER=="ftdi_sio", ATTR{latency_timer}="1"`

// hardwareHint returns the hint for a setting that the driver does not support.
func hardwareHint(err error) string {
	switch {
	case errors.Is(err, errNoRS485):
		return "use rs485: rts, which needs no more than RTS, or rs485: off with an adapter that switches automatically"
	case errors.Is(err, errRS485Refused):
		return "change rs485_polarity or the delays, or use rs485: rts"
	case errors.Is(err, errNoModemLines):
		return "leave dtr and rts out; for rs485: rts the port must have RTS"
	case errors.Is(err, errLatencyTimer):
		return "a udev rule sets it: " + latencyRule + "; or use low_latency: auto"
	case errors.Is(err, errNoLowLatency):
		return "use low_latency: auto"
	default:
		return ""
	}
}

func isCode(err error, code serial.PortErrorCode) bool {
	var e *serial.PortError
	return errors.As(err, &e) && e.Code() == code
}

func portsHere(ports []string) string {
	if len(ports) == 0 {
		return "no serial ports found on this system"
	}
	return "ports here: " + strings.Join(ports, ", ")
}

// Ports returns the serial ports under root, "/" for those of this machine: first the names that an adapter keeps at
// any USB socket (by-id), then the names of the USB sockets (by-path), which distinguish two equal adapters without
// serial numbers.
func Ports(root string) []string {
	var ports []string
	for _, pattern := range []string{
		"dev/serial/by-id/*", "dev/serial/by-path/*", "dev/ttyUSB*", "dev/ttyACM*", "dev/ttyAMA*", "dev/ttymxc*",
		"dev/ttyO*", "dev/ttyHS*",
	} {
		found, _ := filepath.Glob(filepath.Join(root, pattern)) // the patterns are well formed
		ports = append(ports, found...)
	}
	// The kernel makes ttyS0 to ttyS31 whether or not a chip is behind them; type 0 means none.
	uarts, _ := filepath.Glob(filepath.Join(root, "sys/class/tty/ttyS*/type"))
	for _, path := range uarts {
		if kind, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(kind)) != "0" {
			ports = append(ports, filepath.Join(root, "dev", filepath.Base(filepath.Dir(path))))
		}
	}
	return ports
}

// permissionHint says which group may open the port and how to join it.
func permissionHint(info fs.FileInfo) string {
	owner, group := "?", "?"
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		owner, group = strconv.Itoa(int(st.Uid)), strconv.Itoa(int(st.Gid))
		if u, err := user.LookupId(owner); err == nil {
			owner = u.Username
		}
		if g, err := user.LookupGroupId(group); err == nil {
			group = g.Name
		}
	}
	const groupAccess = 0o060
	rights := fmt.Sprintf("%s, owner %s, group %s", info.Mode(), owner, group)
	if info.Mode().Perm()&groupAccess != groupAccess {
		return rights + "; its group may not use it: set a udev rule with GROUP and MODE=\"0660\""
	}
	return fmt.Sprintf("%s; add the user to group %s: usermod -aG %s %s", rights, group, group, userName())
}

// userName returns the user of the hint.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "USER"
}
