package packaging_test

import (
	"encoding/json"
	"testing"

	"noi-agent/status/api"
)

// daemonStatus has the fields of `noi-agent status --json` that the tests read.
type daemonStatus struct {
	Version      string        `json:"version"`
	DeviceID     string        `json:"device_id"`
	Integrations []integration `json:"integrations"`
}

type integration struct {
	ID, Name      string
	Sent, Backlog uint64
}

func (s daemonStatus) integration(name string) integration {
	for _, i := range s.Integrations {
		if i.Name == name {
			return i
		}
	}
	return integration{}
}

func (m *machine) tryStatus() (s daemonStatus, err error) {
	out, err := m.try("noi-agent", "status", "--json")
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal([]byte(out), &s)
}

// status returns the status of the daemon; the zero value while the daemon starts.
func (m *machine) status(t *testing.T) daemonStatus {
	t.Helper()
	s, _ := m.tryStatus()
	return s
}

func (m *machine) integrationID(name string) string {
	m.t.Helper()
	s, err := m.tryStatus()
	if id := s.integration(name).ID; err == nil && id != "" {
		return id
	}
	m.t.Fatalf("integration %s: %+v, %v", name, s, err)
	return ""
}

// gaps returns the number of samples of an object in the gaps of an integration.
func (m *machine) gaps(t *testing.T, name, object string) (count int) {
	t.Helper()
	var rows api.Triggers
	out := m.do("noi-agent", "triggers", "--gaps", "--json", "--integration", name, "--limit", "1000")
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, row := range rows.Triggers {
		if row.Gap != nil && row.Gap.Object == object {
			count += int(row.Gap.Count)
		}
	}
	return count
}
