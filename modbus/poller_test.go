package modbus_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// Go's poller wakes a thread for each piece of a reply that comes to one of its descriptors. So a serial port is in
// the poller only while a read waits.
func TestSerialPortIsNotInGosPoller(t *testing.T) {
	pty := modbustest.MustServe(t, 0, 0, ownAddress(1))
	before := descriptorsOf(t, pty.Path())
	port, err := modbus.OpenSerial(modbus.Settings{Port: pty.Path()})
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	polled := polledDescriptors(t)
	if len(polled) == 0 {
		t.Fatal("the poller does not have the slave's descriptors: the test proves nothing")
	}
	own := 0
	for _, fd := range descriptorsOf(t, pty.Path()) {
		if slices.Contains(before, fd) {
			continue
		}
		if own++; polled[fd] {
			t.Errorf("descriptor %d of the port is in the poller", fd)
		}
	}
	if own != 2 {
		t.Errorf("the port has %d descriptors, want two: the port and the lock", own)
	}
}

// descriptorsOf returns this process's descriptors of a device.
func descriptorsOf(t *testing.T, path string) (fds []int) {
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		target, _ := os.Readlink(link) // Glob's own descriptor is closed by now
		if fd, err := strconv.Atoi(filepath.Base(link)); err == nil && target == path {
			fds = append(fds, fd)
		}
	}
	return fds
}

// polledDescriptors returns the descriptors from which a poller of this process waits for bytes.
func polledDescriptors(t *testing.T) map[int]bool {
	files, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil {
		t.Fatal(err)
	}
	watched := map[int]bool{}
	for _, file := range files {
		text, _ := os.ReadFile(file) // Glob's own descriptor is closed by now
		for _, m := range regexp.MustCompile(`(?m)^tfd:\s*(\d+) events:\s*([0-9a-f]+)`).FindAllSubmatch(text, -1) {
			fd, _ := strconv.Atoi(string(m[1])) // m[1] has only digits
			events, _ := strconv.ParseUint(string(m[2]), 16, 32)
			if events&unix.EPOLLIN != 0 {
				watched[fd] = true
			}
		}
	}
	return watched
}
