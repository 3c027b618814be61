package api

import (
	"encoding/json"
	"time"
)

// Status is the JSON of GET /api/v1/status. Times are wall time, ages are monotonic.
type Status struct {
	DeviceID     string        `json:"device_id"`
	Version      string        `json:"version"`
	StartedAt    time.Time     `json:"started_at"`
	UptimeS      int64         `json:"uptime_s"`
	Clock        Clock         `json:"clock"`
	Lines        []Line        `json:"lines"`
	Integrations []Integration `json:"integrations"`
	Store        Store         `json:"store"`
	Problems     []Problem     `json:"problems"`
	Endpoint     *Endpoint     `json:"endpoint,omitempty"` // over TCP; left out when there is none
}

// Endpoint is where browsers find the page.
type Endpoint struct {
	Addresses []string `json:"addresses"` // "https://10.0.0.1:8443", the best one first
	// SHA-256 of the certificate, "9F:3A:…:C2"; left out without TLS
	Fingerprint string `json:"fingerprint,omitempty"`
}

// Clock is the source of wall time, and whether it is trusted.
type Clock struct {
	Source   string     `json:"source"`    // as configured: auto | system
	State    string     `json:"state"`     // good | unsure
	Reason   string     `json:"reason"`    // in words
	Service  string     `json:"service"`   // timesyncd | chrony | none
	BootID   string     `json:"boot_id"`   // the kernel's; a random one for this run if the kernel has none
	BootedAt *time.Time `json:"booted_at"` // start of the gateway, by a clock that was right; null: not known
	// seconds since then, monotonic; null: not known
	BootedAgeS *int64 `json:"booted_age_s"`
	// the last time that is known to be right, or the date of the build; null: neither is known
	LastGood *time.Time `json:"last_good"`
	Steps    uint64     `json:"steps"` // how often the clock was set since the start
	// samples that wait for the clock; a sample counts once for each integration that it goes to
	Held uint64 `json:"held"`
}

// Line is one line and the slaves on it.
type Line struct {
	Name     string   `json:"name"`
	Port     string   `json:"port"`
	State    string   `json:"state"` // opening | ok | failed | disabled
	Error    string   `json:"error,omitempty"`
	Load     float64  `json:"load"`         // share of the time since the start in which the line was busy, 0 to 1
	Lost     uint64   `json:"lost_samples"` // samples that were read, but not stored, because the store was too slow
	Counters Counters `json:"counters"`
	Slaves   []Slave  `json:"slaves"`
}

// Counters count since the start; those of a slave leave out events that belong to no slave.
type Counters struct {
	Requests       uint64            `json:"requests"`
	Replies        uint64            `json:"replies"`
	Probes         uint64            `json:"probes"` // requests that only checked that no late reply is on the line
	Timeouts       uint64            `json:"timeouts"`
	CRCErrors      uint64            `json:"crc_errors"`
	FrameErrors    uint64            `json:"frame_errors"`
	Resyncs        uint64            `json:"resyncs"` // replies that were found after noise
	Exceptions     uint64            `json:"exceptions"`
	ExceptionCodes map[string]uint64 `json:"exception_codes,omitempty"` // by code, "02"
	Echoes         uint64            `json:"echoes"`
	Collisions     uint64            `json:"collisions"`
	DiscardedBytes uint64            `json:"discarded_bytes"`
	ForeignFrames  uint64            `json:"foreign_frames"`
	// requests of another master; through a gateway, replies to another program
	OtherMasters uint64 `json:"other_masters"`
	// Modbus TCP frames with a transaction id that was not the request's
	ForeignIDs   uint64 `json:"foreign_ids"`
	ForeignUnits uint64 `json:"foreign_units"` // frames of another unit instead of the answer
	// frames with another number of registers or another function instead of the answer
	WrongLengths uint64 `json:"wrong_lengths"`
	Late         uint64 `json:"late_replies"` // answers that came after their timeout
	BadHeaders   uint64 `json:"bad_headers"`  // malformed Modbus TCP headers
	Ambiguous    uint64 `json:"ambiguous"`    // replies dropped because they may be another program's
	Reopens      uint64 `json:"reopens"`
	// new connections after one that was closed or no longer answered
	Redials       uint64  `json:"redials"`
	TurnaroundP50 float64 `json:"turnaround_p50_ms"` // of the last replies; 0 before the first
	TurnaroundP99 float64 `json:"turnaround_p99_ms"`
	TurnaroundSum float64 `json:"-"` // seconds, of all Replies; for the metrics only
}

// Slave is one controller.
type Slave struct {
	UnitID      int    `json:"unit_id"`
	Slave       string `json:"slave"`
	ProductCode string `json:"product_code,omitempty"` // as the slave reports it; left out if it has reported none
	CCFirmware  string `json:"cc_firmware"`
	Family      string `json:"family"`
	// waiting | ok | silent | garbled | refusing | unknown_model | wrong_model | no_objects
	State    string     `json:"state"`
	LastGood *time.Time `json:"last_good"`
	AgeS     *int64     `json:"age_s"` // seconds since the last good reply; null before the first
	Error    string     `json:"error,omitempty"`
	Objects  int        `json:"objects"`      // number of polled objects
	Read     int        `json:"objects_read"` // number of polled objects whose last reading had a reply
	// replies without a value, for example of a sensor that is not connected
	NoSample uint64 `json:"no_sample"`
	// the same by reason: absent | out_of_range | firmware | not_a_number
	Reasons map[string]uint64 `json:"no_sample_reasons,omitempty"`
	// objects whose last reply had no value, with the reason
	NoValue map[string]string `json:"no_value,omitempty"`
	Missed  uint64            `json:"missed"`  // objects whose read failed
	Skipped uint64            `json:"skipped"` // due times that were skipped because the line was busy
	// objects that the controller refuses to give, although it gives others
	Refused []string `json:"refused"`
	Load    float64  `json:"load"` // its share of the line's load
	// the longest time from the due time of an object to its reading
	LatenessMS int64 `json:"lateness_ms"`
	// properties of the slave that the agent found out, as YAML for the slave in the configuration
	Learnt   string   `json:"learnt,omitempty"`
	Counters Counters `json:"counters"`
}

// Integration is one destination.
type Integration struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Type    string     `json:"type"`
	Topic   string     `json:"topic"`
	State   string     `json:"state"` // idle | ok | retrying | waiting | waiting_for_clock | paused
	Backlog uint64     `json:"backlog"`
	Oldest  *time.Time `json:"oldest"` // sampled_at of the oldest sample that waits; null if none waits
	// seconds since then; monotonic for a sample of this boot of the gateway
	OldestAgeS  *int64     `json:"oldest_age_s"`
	LastSuccess *time.Time `json:"last_success"`
	// seconds since then, by a clock that is never set; null before the first
	LastSuccessAgeS *int64 `json:"last_success_age_s"`
	LastError       string `json:"last_error"`
	Sent            uint64 `json:"sent"`
	Failed          uint64 `json:"failed"` // rejected samples, also those that were accepted at a later retry
	// set aside, until an operator sends them again or drops them; 1,024 at most
	Dead     int    `json:"dead_letters"`
	Dropped  uint64 `json:"dropped"`
	Replayed uint64 `json:"replayed"` // accepted again by a replay, since the start; not in sent
	Uplink   Uplink `json:"uplink"`
	// the newest twenty gaps that are not acknowledged, the newest first; the trigger log has all gaps
	Gaps    []Gap `json:"gaps"`
	NewGaps int   `json:"new_gaps"` // number of gaps that are not acknowledged; 4,096 at most

	// with publish_every: time of the next round; an alarm, a backlog and the end of the agent do not wait for it; left
	// out without publish_every, and while the integration is paused
	NextPublication *time.Time `json:"next_publication,omitempty"`
	// seconds until then, monotonic
	NextPublicationInS *float64 `json:"next_publication_in_s,omitempty"`

	NextAttempt    *time.Time `json:"next_attempt_at"`   // after a failure; null: the integration waits for no attempt
	NextAttemptInS *float64   `json:"next_attempt_in_s"` // seconds until then, monotonic
}

// Gap is a time for which samples of an object are missing, as status and trigger log show it.
type Gap struct {
	Unit   string     `json:"unit"`   // "line/unit id"; "": not known
	Object string     `json:"object"` // "": not known, or all objects of the unit
	From   *time.Time `json:"from"`   // null: not known
	To     *time.Time `json:"to"`
	Run    uint64     `json:"run"`    // run of the agent in which the samples were due
	First  uint64     `json:"first"`  // sequence number of the first sample in that run; 0: the samples had none
	Last   uint64     `json:"last"`   // sequence number of the last sample in that run; 0: as for first
	Count  uint64     `json:"count"`  // 0: not known
	Reason string     `json:"reason"` // a word of the table in docs/durability.md, perhaps with a colon and more
	// an operator has acknowledged the gap; the trigger log still lists it
	Acknowledged bool `json:"acknowledged,omitempty"`
}

// Acknowledged is the answer of POST /api/v1/gaps/acknowledge.
type Acknowledged struct {
	// number of gaps; a gap of two integrations counts twice; 0: there was none
	Acknowledged int `json:"acknowledged"`
}

// Latest is one row of GET /api/v1/objects: the last good value of an object.
type Latest struct {
	Line      string          `json:"line"`
	Slave     string          `json:"slave"`
	UnitID    int             `json:"unit_id"`
	Object    string          `json:"object"`
	Value     json.RawMessage `json:"value"` // a number, a string, true, false, or a list of strings
	Unit      string          `json:"unit"`
	SampledAt time.Time       `json:"sampled_at"`
	AgeS      int64           `json:"age_s"`    // seconds since then, monotonic
	Interval  string          `json:"interval"` // the active log interval, as in "1m0s"
}

// Store is the outbox.
type Store struct {
	Bytes     int64    `json:"bytes"`     // of the file
	Samples   uint64   `json:"samples"`   // kept now
	Removed   uint64   `json:"removed"`   // waiting messages of removed integrations, which are kept for 24 hours
	Committed uint64   `json:"committed"` // written in this run
	Spared    uint64   `json:"spared"`    // accepted by every cloud before they were written, in this run
	Commits   uint64   `json:"commits"`
	Written   uint64   `json:"written_bytes"`      // bytes of whole pages that these commits wrote
	PerDay    *float64 `json:"written_mb_per_day"` // the same per day, in 10^6 bytes; null in the first ten minutes
	Settings  Buffer   `json:"settings"`
	Corrupt   uint64   `json:"corrupt"`    // records skipped because their checksum is wrong
	Start     string   `json:"start"`      // created | clean | checked | renewed | memory
	Salvaged  uint64   `json:"salvaged"`   // samples that were copied from a damaged file at this start
	KeptAside []string `json:"kept_aside"` // files that were moved aside and existed at the start, the newest last
}

// Buffer has the active settings of buffer and triggers.
type Buffer struct {
	MaxSize        int64  `json:"max_size"` // bytes
	MaxAge         string `json:"max_age"`
	WhenFull       string `json:"when_full"`
	CommitEvery    string `json:"commit_every"`
	RetainAfterAck string `json:"retain_after_ack"`
	KeepTriggers   int    `json:"keep"` // rows of the trigger log for each integration
	FlushEvery     string `json:"flush_every"`
}

// Uplink has the bytes that an integration has sent and received at its sockets, with TLS and without TCP/IP.
type Uplink struct {
	TodaySent     uint64 `json:"today_sent"` // days and months begin at 00:00 UTC
	TodayReceived uint64 `json:"today_received"`
	MonthSent     uint64 `json:"month_sent"`
	MonthReceived uint64 `json:"month_received"`
	// mean since the store was made; samples that a replay sent again count too; null before the first sample
	PerSample *float64 `json:"sent_per_sample"`
}

// Objects is the answer of GET /api/v1/objects: the latest values in the order of the configuration and the register
// map.
type Objects struct {
	Objects []Latest `json:"objects"`
}
