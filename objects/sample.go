package objects

import (
	"strconv"
	"time"
)

// Source says where a sample comes from: the place on the gateway and who answered there.
type Source struct {
	Line      string // name of the line in the configuration
	UnitID    uint8  // Modbus unit id, 1 to 247
	Slave     string // `slave` of the message: product code, model, or configured name
	Firmware  string // `cc_firmware` of the message; empty when the slave does not report it
	FWVersion string // `fw_version` of the message: family slug, space, agent version
}

// Unit returns "line/unit id", the way slaves are named in filters, attributes and keys.
func (s Source) Unit() string { return s.Line + "/" + strconv.Itoa(int(s.UnitID)) }

// Sample is one value of one object at one time.
type Sample struct {
	Object    string
	Value     Value
	SampledAt time.Time // wall time at which the reply's last byte arrived, by the gateway's clock as it was
	N         uint64    // number of the sample within its run, from 1; never used twice in a run
	Seq       uint64    // number among those of its object in this run, from 1. One that no sample has is in a Gap
	Alarm     bool      // its object is marked as an alarm, Object.Alarm: what changes is urgent
}

// Sweep is the samples of one slave that were due together. It is what the outbox keeps.
type Sweep struct {
	Source  Source
	Run     uint64 // which start of the agent took it, from 1
	Samples []Sample
	Routes  []Route // who is to get which of them; a sweep without routes is not kept

	// BootedAt is when the gateway was started, by the clock that gave SampledAt: the difference is how long it had
	// been up, and that is right whatever the clock was. Zero: not known.
	BootedAt time.Time
	Unsure   bool // it was not known whether the clock was right
	Urgent   bool // a fault or an alarm came or went: its commit does not wait. Not kept
}

// Gap is a stretch of time from which an object has no samples, though it was to have them.
type Gap struct {
	Unit     string // "line/unit id"; "": all, or not known
	Object   string // "": all of the unit's, or not known
	Run      uint64 // in which the missing samples were due, or had been taken
	From, To time.Time
	// Sample.Seq of the first and the last that are missing; 0: they had none. Some between them may have come
	First, Last uint64
	Count       uint64 // how many are missing; 0: not known
	Reason      string // one of the Gap constants, or that and a colon and what the case at hand says
	Ongoing     bool   // it is reported so far, and goes on: no news for a cloud yet. Not kept

	Acknowledged bool // an operator has seen it: it is listed, and no news any more
}

// Why samples are missing: how the reason of a Gap begins.
const (
	GapAge      = "max_age"       // they waited longer than buffer.max_age
	GapSize     = "max_size"      // the outbox was full
	GapDiskFull = "disk_full"     // the disk was
	GapRejected = "reject_newest" // the outbox was full, and the new ones were not to push out old ones
	GapRemoved  = "removed"       // the integration was taken out of the configuration
	GapDead     = "dead_letter"   // the cloud rejected them, and what was set aside was given up
	GapDamaged  = "damaged"       // their record does not read any more
	GapBus      = "bus"           // the controller did not answer, or not in a way that counts
	GapIdentity = "identity"      // the controller is not what the configuration says, or it was not known what it is
	GapLine     = "line"          // the port could not be used
	GapOverrun  = "overrun"       // the line was busy with what was due before
	GapAgent    = "agent_down"    // the agent did not run
	GapQueue    = "queue"         // the store did not take them in time
)

// Route is what one integration is to get of a sweep. It is settled when the sample is taken,
// so that a later edit of a filter does not change what is already on its way.
type Route struct {
	Integration string
	Picked      []int // indexes into Samples, ascending, at least one
}

// SampleID returns the identity of a sample for ever: the device, its store, the run and the number
// (DESIGN §5). It is the same at each try to publish.
func SampleID(deviceID, storeID string, run, n uint64) string {
	return deviceID + "-" + storeID + "-" + strconv.FormatUint(run, 10) + "-" + strconv.FormatUint(n, 10)
}
