package modbus

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// Counters of a line, or of one unit on it, since NewLine. They only grow, except the quantiles of Turnaround.
type Counters struct {
	Requests    uint64 // frames sent, probes included
	Replies     uint64 // accepted answers, including exceptions and answers to probes
	Probes      uint64 // frames sent only to prove that no old reply is on its way
	Timeouts    uint64 // exchanges in which no byte came
	CRCErrors   uint64 // exchanges that ended with only a frame with a wrong checksum
	FrameErrors uint64 // exchanges ended by garbage, an incomplete frame, a collision or another master
	Resyncs     uint64 // replies that were found behind noise

	Exceptions     uint64          // replies that were exceptions
	ExceptionCodes map[byte]uint64 // the same by code; nil: none

	Echoes         uint64 // requests that came back before their reply, as on two-wire adapters
	Collisions     uint64 // requests that came back changed: another device was sending
	ForeignFrames  uint64 // well-formed frames that were not the answer: late, of another unit, of another master
	Rivals         uint64 // requests of another master; through a gateway, replies to another program
	ForeignIDs     uint64 // Modbus TCP frames with another transaction id than the request
	ForeignUnits   uint64 // frames of another unit that came instead of the answer
	WrongLengths   uint64 // frames with another number of registers or another function that came instead of the answer
	Late           uint64 // answers that came after their timeout
	BadHeaders     uint64 // connections given up for a malformed MBAP header
	Ambiguous      uint64 // replies dropped because they may be for another program
	DiscardedBytes uint64 // bytes that came without a request, and noise around frames
	Reopens        uint64 // successful Opens after the first
	Redials        uint64 // new connections after the other end had closed one, or did not answer on it

	BusTime    time.Duration // time for which exchanges used the line, each with its t3.5
	Turnaround Turnaround    // of the replies
}

// Turnaround is the time from the end of a request to the begin of the reply, measured in this process: it includes the
// delays of adapter and driver. Zero before the first reply.
type Turnaround struct {
	P50, P99 time.Duration // of the last 128 replies
	Sum      time.Duration // of all Replies; it only grows
}

// CountOn lets the line continue with the counters and faults of a line that is closed for good. Call it before the
// line is opened.
func (l *Line) CountOn(before *Line) { l.tally = before.tally }

// tally has the counters of a line, and of each unit. It is safe for concurrent use.
type tally struct {
	mu     sync.Mutex // guards the fields below
	line   account
	units  map[byte]*account
	faults []failedAt // the last faultsKept, the oldest first
	trying bool       // a call of Try is under way
}

type account struct {
	Counters
	recent [128]time.Duration // turnarounds, as a ring
	taken  int
}

// lineOnly replaces a unit for events that belong to no unit.
const lineOnly = -1

// count adds to the account of the line, and to the account of the unit, except with lineOnly.
func (t *tally) count(unit int, add func(*account)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	add(&t.line)
	if unit == lineOnly {
		return
	}
	a := t.units[byte(unit)]
	if a == nil {
		a = &account{}
		t.units[byte(unit)] = a
	}
	add(a)
}

// ended counts a connection that ended with err, if its header was the reason.
func (t *tally) ended(err error) {
	if errors.Is(err, errMBAP) {
		t.count(lineOnly, func(a *account) { a.BadHeaders++ })
	}
}

// misfit counts a frame of another unit, or with another length, than the answer to q.
func (a *account) misfit(q ask, frame []byte) {
	if frame[0] != q.unit {
		a.ForeignUnits++
		return
	}
	a.WrongLengths++
}

// exception counts an exception by its code.
func (a *account) exception(code byte) {
	a.Exceptions++
	if a.ExceptionCodes == nil {
		a.ExceptionCodes = map[byte]uint64{}
	}
	a.ExceptionCodes[code]++
}

func (a *account) turnaround(d time.Duration) {
	d = max(d, 0)
	a.recent[a.taken%len(a.recent)] = d
	a.taken++
	a.Turnaround.Sum += d
}

// snapshot returns a copy for other goroutines.
func (a *account) snapshot() Counters {
	c := a.Counters
	c.ExceptionCodes = maps.Clone(c.ExceptionCodes)
	if n := min(a.taken, len(a.recent)); n > 0 {
		sorted := slices.Clone(a.recent[:n])
		slices.Sort(sorted)
		c.Turnaround.P50, c.Turnaround.P99 = sorted[n/2], sorted[(n*99)/100]
	}
	return c
}

// of returns the counters of a unit, or with lineOnly of the line; zero before the first event.
func (t *tally) of(unit int) Counters {
	t.mu.Lock()
	defer t.mu.Unlock()
	if unit == lineOnly {
		return t.line.snapshot()
	}
	if a := t.units[byte(unit)]; a != nil {
		return a.snapshot()
	}
	return Counters{}
}

// Counters returns the counters of the whole line. It is safe from any goroutine.
func (l *Line) Counters() Counters { return l.tally.of(lineOnly) }

// UnitCounters returns the counters of one unit; zero before the first request to it. Events that belong to no unit,
// such as discarded bytes, count only for the line. It is safe from any goroutine.
func (l *Line) UnitCounters(unit byte) Counters { return l.tally.of(int(unit)) }
