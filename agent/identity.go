package agent

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"noi-agent/internal/wholefile"
)

// machineIDFile has the 128 random bits that systemd makes at the installation (machine-id(5)).
const machineIDFile = "/etc/machine-id"

// deviceIDFile is a copy of the device id in the state directory. The identity of the gateway must not depend on the
// store alone, because a random id cannot be made again.
const deviceIDFile = "device-id"

// identify returns the device id of this gateway. It uses the first of these that exists: the configured id, the id in
// the store, the copy in the state directory. Otherwise it derives a new id from the machine id, and keeps it. The
// machine id itself is never shown, because machine-id(5) asks programs to show only a hash of it.
func (a *Agent) identify() (string, error) {
	c := a.options.Config
	if c.DeviceID != "" {
		return c.DeviceID, nil
	}
	file := filepath.Join(c.StateDir, deviceIDFile)
	copied := readDeviceID(file)
	id := cmp.Or(a.store.DeviceID(), copied)
	if id == "" {
		id = deriveDeviceID(machineIDFile)
	}
	if err := a.store.SetDeviceID(id); err != nil {
		return "", fmt.Errorf("keep the device id: %w", err)
	}
	if copied != id {
		if err := wholefile.Write(file, []byte(id+"\n"), 0o600); err != nil {
			a.log.Warn("the device id has no copy beside the store", "error", err)
		}
	}
	return id, nil
}

// readDeviceID returns the device id in the copy; "" if there is no valid one.
func readDeviceID(file string) string {
	text, err := os.ReadFile(file)
	id := strings.TrimSpace(string(text))
	if raw, wrong := hex.DecodeString(id); err != nil || wrong != nil || len(raw) != 12 || strings.ToLower(id) != id {
		return ""
	}
	return id
}

// deriveDeviceID returns a device id of 24 lower-case hex digits, derived from the machine id in file. Without a
// machine id, as on very small images, the digits are random.
func deriveDeviceID(file string) string {
	machine, err := os.ReadFile(file)
	if text := strings.TrimSpace(string(machine)); err == nil && text != "" {
		sum := sha256.Sum256([]byte("noi-agent device id\n" + text))
		return hex.EncodeToString(sum[:12])
	}
	var drawn [12]byte
	_, _ = rand.Read(drawn[:]) // never fails (crypto/rand, Go 1.24)
	return hex.EncodeToString(drawn[:])
}
