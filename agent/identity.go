package agent

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"noi-agent/store"
)

// machineIDFile holds the 128 bits that systemd draws once per installation (machine-id(5)).
const machineIDFile = "/etc/machine-id"

// deviceID returns the identity of this gateway: the configured one, or the one the store keeps, or
// a new one that is derived from the machine id and kept from then on. The machine id itself is never shown: its manual
// asks for a keyed hash.
func deviceID(configured string, st *store.Store) (string, error) {
	if configured != "" {
		return configured, nil
	}
	if kept := st.DeviceID(); kept != "" {
		return kept, nil
	}
	id := deriveDeviceID(machineIDFile)
	if err := st.SetDeviceID(id); err != nil {
		return "", fmt.Errorf("keep the device id: %w", err)
	}
	return id, nil
}

// deriveDeviceID returns 24 lower-case hex digits. Without a machine id (tiny images) it draws them: the store
// keeps them, and so they are stable as long as it is.
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
