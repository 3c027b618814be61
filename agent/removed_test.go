package agent_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/sinks"
)

// TestTheBacklogOfARemovedIntegrationIsShown: for a day, or until an integration with its name gets it.
func TestTheBacklogOfARemovedIntegrationIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startOne(t, oneSlave, controller(1))
		s.sink.answers(func(sinks.Message) sinks.Result { return sinks.Failed(sinks.Retry, "Timeout", "no way") })
		time.Sleep(15 * time.Second)
		waiting := uint64(s.status().Integrations[0].Backlog)
		without, _, _ := strings.Cut(oneSlave, "integrations:")
		s.reload(without)
		removed := s.status().Store.Removed
		s.reload(oneSlave)
		back := s.status().Store.Removed
		s.reload(without)
		time.Sleep(25 * time.Hour)
		later := s.status().Store.Removed
		s.stop()
		if waiting == 0 || removed != waiting || back != 0 || later != 0 {
			t.Errorf("%d waited; shown as removed are %d, after its return %d, after a day %d", waiting, removed, back, later)
		}
	})
}
