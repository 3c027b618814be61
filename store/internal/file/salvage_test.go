package file

import (
	"testing"

	"noi-agent/store/internal/record"
)

// TestWhatALaneLostInASalvageIsItsIntegrations: losses of a lane are reported for the lane's integration, because a
// lane has no log of its own.
func TestWhatALaneLostInASalvageIsItsIntegrations(t *testing.T) {
	sv := &salvage{cursors: map[string]*record.Cursor{}, lost: map[string]uint64{}}
	for id, backlog := range map[string]uint64{"aws": 5, "aws" + record.LaneSuffix: 3, "gcp": 2,
		"gone" + record.LaneSuffix: 1} {
		c := record.NewCursor(id, "", 0)
		c.Backlog = backlog
		sv.cursors[id] = &c
		sv.count(&c, 0)
	}
	sv.addLanes()
	if len(sv.lost) != 3 || sv.lost["aws"] != 8 || sv.lost["gcp"] != 2 {
		t.Errorf("lost %v", sv.lost)
	}
}
