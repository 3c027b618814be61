package modbus

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// device is a file that only has a mode and an owner.
type device struct {
	mode fs.FileMode
	stat any
}

func (d device) Name() string       { return "ttyUSB0" }
func (d device) Size() int64        { return 0 }
func (d device) Mode() fs.FileMode  { return d.mode }
func (d device) ModTime() time.Time { return time.Time{} }
func (d device) IsDir() bool        { return false }
func (d device) Sys() any           { return d.stat }

// TestPermissionHintNamesTheGroup uses an error in place of a real refusal, because root is never refused.
func TestPermissionHintNamesTheGroup(t *testing.T) {
	const unknownGroup = 3999999
	stat := &syscall.Stat_t{Uid: 0, Gid: unknownGroup}
	hint := permissionHint(device{fs.ModeDevice | fs.ModeCharDevice | 0o660, stat})
	for _, want := range []string{"rw-rw----", "owner root", "add the user to group 3999999: usermod -aG 3999999 "} {
		if !strings.Contains(hint, want) {
			t.Errorf("%q does not say %q", hint, want)
		}
	}
	hint = permissionHint(device{fs.ModeCharDevice | 0o600, stat})
	if strings.Contains(hint, "usermod") || !strings.Contains(hint, "udev") {
		t.Errorf("%q: the group would not help", hint)
	}
	if hint = permissionHint(device{mode: 0o600}); !strings.Contains(hint, "owner ?") {
		t.Errorf("%q without a stat", hint)
	}
}

func TestHintsFollowTheCause(t *testing.T) {
	for want, err := range map[string]error{
		"no permission":  fmt.Errorf("deep: %w", fs.ErrPermission),
		"plugged in":     syscall.ENXIO,
		"other program":  syscall.EBUSY,
		"is the adapter": &fs.PathError{Op: "stat", Path: "/dev/x", Err: syscall.ENOENT},
	} {
		if e := openError("/dev/nowhere", err); !strings.Contains(e.Hint, want) {
			t.Errorf("%v: hint %q does not say %q", err, e.Hint, want)
		}
	}
}

// TestPathThatIsNotThePortStaysInTheText: the user must know which file of sysfs cannot be written.
func TestPathThatIsNotThePortStaysInTheText(t *testing.T) {
	err := fmt.Errorf("%w: %w", errLatencyTimer, &fs.PathError{Op: "open", Path: "/sys/latency_timer", Err: syscall.EROFS})
	e := openError("/dev/ttyUSB0", err)
	if !strings.Contains(e.Error(), "/sys/latency_timer: read-only") || !strings.Contains(e.Hint, `DRIVER=="ftdi_sio"`) {
		t.Error(e)
	}
}

func TestPortListSkipsChipsThatAreNotThere(t *testing.T) {
	root := t.TempDir()
	for path, text := range map[string]string{
		"dev/serial/by-id/usb-FTDI": "", "dev/serial/by-path/pci-usb-0:1": "", "dev/ttyUSB0": "", "dev/tty1": "",
		"sys/class/tty/ttyS0/type": "4\n", "sys/class/tty/ttyS1/type": "0\n",
	} {
		full := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for _, path := range []string{"dev/serial/by-id/usb-FTDI", "dev/serial/by-path/pci-usb-0:1", "dev/ttyUSB0", "dev/ttyS0"} {
		want = append(want, filepath.Join(root, path))
	}
	if got := Ports(root); !slices.Equal(got, want) {
		t.Errorf("ports %v, want %v", got, want)
	}
}
