package objects

import (
	"strconv"
	"time"
)

// Source is the origin of a sample: line and unit on the gateway, and the controller that answered.
type Source struct {
	Line      string // name of the line in the configuration
	UnitID    uint8  // Modbus unit id, 1 to 247; 0 and 255 too on tcp://
	Slave     string // `slave` of the message: product code, model, or configured name
	Firmware  string // `cc_firmware` of the message; empty if the slave does not report it
	FWVersion string // `fw_version` of the message: family slug, space, agent version
}

// Unit returns "line/unit id", the name of a slave in filters, attributes and keys.
func (s Source) Unit() string { return s.Line + "/" + strconv.Itoa(int(s.UnitID)) }

// Sample is one value of one object at one time.
type Sample struct {
	Object    string
	Value     Value
	SampledAt time.Time // wall time at which the reply's last byte arrived, by the gateway's clock, right or wrong
	N         uint64    // number of the sample within its run, from 1; never used twice in a run
	Seq       uint64    // number among the samples of its object in this run, from 1. A missing number is in a Gap
	Alarm     bool      // its object is marked as an alarm (Object.Alarm): a change is urgent
}

// Sweep is the samples of one slave that were due together. The outbox keeps sweeps.
type Sweep struct {
	Source  Source
	Run     uint64 // number of the agent's run that took it, from 1
	Samples []Sample
	Routes  []Route // the samples of each integration; a sweep without routes is not kept

	// BootedAt is the time of the gateway's boot, by the clock that gave SampledAt. The difference of the two is the
	// time since the boot, which is right even if the clock is wrong. Zero: not known.
	BootedAt time.Time
	Unsure   bool // it was not known whether the clock was right
	Urgent   bool // a fault or an alarm began or ended: its commit does not wait. Not stored
}

// Gap is a range of time in which samples of an object were due and are missing.
type Gap struct {
	Unit     string // "line/unit id"; "": all, or not known
	Object   string // "": all of the unit's, or not known
	Run      uint64 // the run in which the missing samples were due, or were taken
	From, To time.Time
	// Sample.Seq of the first and the last missing sample; 0: they had none. Some samples between them may have come
	First, Last uint64
	Count       uint64 // number of missing samples; 0: not known
	Reason      string // one of the Gap constants, perhaps followed by a colon and a detail
	Ongoing     bool   // the gap continues after this report, so clouds do not get it yet. Not stored

	Acknowledged bool // an operator has acknowledged it: it is listed, but is no longer new
}

// The reasons for missing samples. The reason of a Gap begins with one of them.
const (
	GapAge      = "max_age"       // the samples waited longer than buffer.max_age
	GapSize     = "max_size"      // the outbox was full
	GapDiskFull = "disk_full"     // the disk was full
	GapRejected = "reject_newest" // the outbox was full, and is configured to refuse new samples
	GapRemoved  = "removed"       // the integration was removed from the configuration
	GapDead     = "dead_letter"   // the cloud rejected them, and the dead letters were deleted
	GapDamaged  = "damaged"       // their record is not readable any more
	GapBus      = "bus"           // there was no valid reply from the controller
	GapIdentity = "identity"      // the controller is not the configured one, or was not identified yet
	GapLine     = "line"          // the port could not be used
	GapOverrun  = "overrun"       // the line was too busy
	GapAgent    = "agent_down"    // the agent did not run
	GapQueue    = "queue"         // the store did not accept them in time
)

// Route is the samples of a sweep that one integration gets. It is fixed when the samples are taken, so a later edit of
// a filter does not change it.
type Route struct {
	Integration string
	Picked      []int // indexes into Samples, ascending, at least one
}

// UsualSampleID is room for most sample ids, in bytes: a device id has 24, a store's 8.
const UsualSampleID = 56

// SampleID returns the permanent identity of a sample: the device, its store, the run and the number. It is the same in
// each attempt to publish.
func SampleID(deviceID, storeID string, run, n uint64) string {
	var room [UsualSampleID]byte // one for each sample, so it costs one allocation
	return string(AppendSampleID(room[:0], deviceID, storeID, run, n))
}

// AppendSampleID appends what SampleID returns.
func AppendSampleID(dst []byte, deviceID, storeID string, run, n uint64) []byte {
	dst = append(append(append(append(dst, deviceID...), '-'), storeID...), '-')
	dst = append(strconv.AppendUint(dst, run, 10), '-')
	return strconv.AppendUint(dst, n, 10)
}
