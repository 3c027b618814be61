package objects

import (
	"fmt"
	"time"
)

// Source says where a sample comes from: the place on the gateway and who answered there.
type Source struct {
	Line      string // name of the line in the configuration
	UnitID    uint8  // Modbus unit id, 1 to 247
	Slave     string // `slave` of the message: product code, model, or configured name
	Firmware  string // `cc_firmware` of the message; empty when the slave does not tell
	FWVersion string // `fw_version` of the message: family slug, space, agent version
}

// Unit returns "line/unit id", the way slaves are named in filters, attributes and keys.
func (s Source) Unit() string { return fmt.Sprintf("%s/%d", s.Line, s.UnitID) }

// Sample is one value of one object at one time.
type Sample struct {
	Object    string
	Value     Value
	SampledAt time.Time // wall time at which the reply's last byte arrived
	N         uint64    // number of the sample within its run, from 1; never used twice in a run
}

// Sweep is the samples of one slave that were due together. It is what the outbox keeps.
type Sweep struct {
	Source  Source
	Run     uint64 // which start of the agent took it, from 1
	Samples []Sample
	Routes  []Route // who is to get which of them; a sweep without routes is not kept
}

// Route is what one integration is to get of a sweep. It is settled when the sample is taken,
// so that a later edit of a filter does not change what is already on its way.
type Route struct {
	Integration string
	Picked      []int // indexes into Samples, ascending, at least one
}

// SampleID returns the identity of a sample for ever: the device, its store, the run and the number
// (DESIGN §5). It is the same at each try to publish.
func SampleID(deviceID, storeID string, run, n uint64) string {
	return fmt.Sprintf("%s-%s-%d-%d", deviceID, storeID, run, n)
}
