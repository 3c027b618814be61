package e2e

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"noi-agent/modbus/modbustest"
)

const (
	// mountsEnv marks the child that has its own mount namespace.
	mountsEnv = "NOI_LEDGER_MOUNTS"
	// diskSize has room for the rows and samples of a few hundred rounds.
	diskSize = "16m"
	noMount  = "may not mount"
)

// errNoMounts means that the kernel does not let this process mount a disk.
var errNoMounts = errors.New("no disk of its own: this process may not mount one")

// inOwnMounts runs the test again in a child that may mount disks which no other process sees. The child gets the
// additional environment. The error is errNoMounts, or that of a child that failed.
func inOwnMounts(t *testing.T, env ...string) (output string, err error) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=90m")
	cmd.Env = append(append(os.Environ(), mountsEnv+"=1"), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || strings.Contains(string(out), noMount) {
		err = errors.Join(errNoMounts, err)
	}
	return string(out), err
}

// disk is a small disk with the state directory. Another program can fill it.
type disk struct {
	t         *testing.T
	dir       string
	neighbour string
	full      bool
	readOnly  bool
}

func mountDisk(t *testing.T, dir string) *disk {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	if err == nil {
		err = syscall.Mount("noi", dir, "tmpfs", 0, "size="+diskSize)
	}
	if err != nil {
		t.Fatalf("%s: %v", noMount, err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }) // before TempDir removes the directory
	return &disk{t: t, dir: dir, neighbour: filepath.Join(dir, "neighbour")}
}

// fill writes until there is no room for a page.
func (d *disk) fill() {
	d.t.Helper()
	f, err := os.Create(d.neighbour)
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		d.t.Fatalf("the disk does not get full: %v", err)
	}
	d.full = true
	if err := f.Close(); err != nil {
		d.t.Fatal(err)
	}
}

// sound makes room, and makes the disk writable.
func (d *disk) sound() {
	d.t.Helper()
	d.protect(false)
	if err := os.Remove(d.neighbour); d.full && err != nil {
		d.t.Fatal(err)
	}
	d.full = false
}

// protect mounts the disk read-only, or writable. No program may have a file on it open.
func (d *disk) protect(readOnly bool) {
	d.t.Helper()
	if d.readOnly == readOnly {
		return
	}
	flags := uintptr(syscall.MS_REMOUNT)
	if readOnly {
		flags |= syscall.MS_RDONLY
	}
	if err := syscall.Mount("noi", d.dir, "tmpfs", flags, "size="+diskSize); err != nil {
		d.t.Fatalf("%s read-only: %v", noMount, err)
	}
	d.readOnly = readOnly
}

// storeFiles returns the store's files by name.
func (d *disk) storeFiles() map[string][]byte {
	d.t.Helper()
	paths, err := filepath.Glob(filepath.Join(d.dir, "noi.db*"))
	if err != nil {
		d.t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, path := range paths {
		if files[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			d.t.Fatal(err)
		}
	}
	return files
}

// recorder records the writes of a daemon, so that the test can simulate a power cut.
type recorder struct {
	trace  string
	before map[string][]byte
}

func (d *disk) record() *recorder {
	modbustest.NeedPeer(d.t, "strace that may trace", "strace", "strace", "-f", "-o", "/dev/null", "true")
	return &recorder{filepath.Join(d.t.TempDir(), "trace"), d.storeFiles()}
}

// command returns the command that runs a program under the recorder.
func (r *recorder) command(args ...string) *exec.Cmd {
	return exec.Command("strace", append([]string{
		"-D", "-f", "--seccomp-bpf", "-ttt", "-xx", "-s", strconv.Itoa(16 << 20), "-e", "trace=" + traced, "-o", r.trace,
	}, args...)...)
}

// cutPower changes the disk to a state that a power cut at the end of the process pid could leave.
func (d *disk) cutPower(r *recorder, pid int, rng *rand.Rand) {
	d.t.Helper()
	eventually(d.t, "strace writes the daemon's end", func() bool { return endsWith(r.trace, pid) })
	f, err := os.Open(r.trace)
	if err != nil {
		d.t.Fatal(err)
	}
	steps, err := parseTraceOn(r.before, f, d.dir)
	if err := errors.Join(err, f.Close(), os.Remove(r.trace)); err != nil {
		d.t.Fatal(err)
	}
	for name := range d.storeFiles() {
		if err := os.Remove(filepath.Join(d.dir, name)); err != nil {
			d.t.Fatal(err)
		}
	}
	for name, data := range cutAt(steps, len(steps), rng) {
		if err := os.WriteFile(filepath.Join(d.dir, name), data, 0o600); err != nil {
			d.t.Fatal(err)
		}
	}
}

// parseTraceOn is parseTrace for a daemon that starts with existing files.
func parseTraceOn(before map[string][]byte, trace io.Reader, dir string) ([]step, error) {
	tr := newTracer(dir)
	for name, data := range before {
		tr.names[name] = tr.files
		for _, s := range []step{{Deed: named, Name: name}, {Deed: wrote, Data: data}, {Deed: synced, Covers: 1 << 30}} {
			s.File = tr.files
			tr.steps = append(tr.steps, s)
		}
		tr.files++
	}
	tr.steps = append(tr.steps, step{Deed: syncedNames, Covers: 1 << 30})
	if err := tr.read(trace); err != nil {
		return nil, fmt.Errorf("trace of a daemon: %w", err)
	}
	return tr.steps, nil
}
