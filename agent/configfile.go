package agent

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"noi-agent/configs"
	"noi-agent/status/api"
)

// ErrInForce comes from Agent.Reload if the new configuration is active, but a part of the reload failed.
var ErrInForce = errors.New("the new configuration is active, but a part of it failed")

// configFile has the differences between the configuration file and the active configuration, as of the last reload.
type configFile struct {
	mu      sync.Mutex
	refused string    // why the file was refused; "": the last reload accepted it
	since   time.Time // wall time of the first refusal after the last accepted reload
	inForce time.Time // wall time at which the active configuration became active
	restart []string  // keys of the file that apply only after a restart
	changed time.Time // wall time since which restart is not empty

	added      string    // the errors of the file of integrations; "": none
	addedSince time.Time // wall time since which it has errors
}

// IntegrationsFile sets the error of the file with the integrations that are made over the API. The status shows the
// error until a call with "".
func (a *Agent) IntegrationsFile(fault string) {
	c := &a.configFile
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.added == "" {
		c.addedSince = a.options.Now()
	}
	c.added = fault
}

// ConfigRefused notes that a reload was refused because the configuration file has errors. The status shows a problem
// until a reload accepts the file.
func (a *Agent) ConfigRefused(err error) {
	c := &a.configFile
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused == "" {
		c.since = a.options.Now()
	}
	c.refused = shortened(err.Error())
}

// shortened returns one line with the first three faults of a file, and the number of the others.
func shortened(text string) string {
	const most = 3
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if more := len(lines) - most; more > 0 {
		lines = append(lines[:most], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "; ")
}

// taken notes that a configuration is active from now on, except for keys that need a restart. It reports whether these
// keys have changed.
func (c *configFile) taken(now time.Time, restart []string) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed = !slices.Equal(c.restart, restart)
	if len(c.restart) == 0 {
		c.changed = now
	}
	c.refused, c.inForce, c.restart = "", now, restart
	return changed
}

// problems lists the reasons why the file is not active.
func (c *configFile) problems() (list []api.Problem) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused != "" {
		list = append(list, api.ConfigRefused.Of("agent", c.since,
			fmt.Sprintf("%s; the configuration of %s stays active", c.refused, c.inForce.UTC().Format(time.RFC3339))))
	}
	if c.added != "" {
		list = append(list, api.IntegrationsFile.Of("agent", c.addedSince, c.added))
	}
	if len(c.restart) > 0 {
		list = append(list, api.ConfigRestart.Of("agent", c.changed,
			"changed in the file: "+strings.Join(c.restart, ", ")))
	}
	return list
}

// needRestart returns the keys of a configuration that have changed since the start and apply only after a restart. The
// device id is in the ids of all samples. The store is open in the old directory. The endpoint must not close while an
// operator uses it for the reload. If the configured device id is already the one of the gateway, it needs no restart.
func (a *Agent) needRestart(next *configs.Config) (keys []string) {
	start := a.options.Config
	if start.DeviceID != next.DeviceID && next.DeviceID != a.deviceID {
		keys = append(keys, "device_id")
	}
	if start.StateDir != next.StateDir {
		keys = append(keys, "state_dir")
	}
	if !reflect.DeepEqual(start.Status, next.Status) {
		keys = append(keys, "status")
	}
	return keys
}

// TryNow ends the wait of an integration after a failure, so that it tries again at once, unless the cloud has asked
// for the wait. It fails with ErrNoIntegration and ErrPaused.
func (a *Agent) TryNow(integration string) error {
	f, err := a.working(integration)
	if err == nil {
		f.TryNow()
	}
	return err
}
