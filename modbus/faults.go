package modbus

import (
	"context"
	"errors"
	"slices"
	"time"
)

const (
	// faultsKept is how many failed exchanges a line remembers: twenty take at most 5 KB.
	faultsKept = 20
	// faultBytes is the number of bytes kept of a request, and of the bytes that came instead of the answer. The
	// longest request has 8 bytes. The first 64 bytes of a longer reply show its head, and nearly always the damage.
	faultBytes = 64
)

// FaultKind is why an exchange failed, in one word for programs.
type FaultKind string

// The kinds.
const (
	FaultTimeout     FaultKind = "timeout"      // no byte came
	FaultLate        FaultKind = "late"         // no answer in time; the answer to an earlier request came late
	FaultChecksum    FaultKind = "checksum"     // the only frame that came has a wrong checksum
	FaultGarbled     FaultKind = "garbled"      // the bytes that came make no frame, or an incomplete one
	FaultCollision   FaultKind = "collision"    // the request came back changed: another device was sending
	FaultOtherMaster FaultKind = "other_master" // a request of another master came
	FaultForeign     FaultKind = "foreign"      // whole frames came, and none of them was the answer
	FaultForeignUnit FaultKind = "foreign_unit" // the answer was for another unit
	FaultForeignID   FaultKind = "foreign_id"   // the answer had another transaction id
	FaultLength      FaultKind = "wrong_length" // the answer had another length or another function
	FaultAmbiguous   FaultKind = "ambiguous"    // the answer may be for another program that uses the gateway
	FaultException   FaultKind = "exception"    // the slave refused the request
	FaultPort        FaultKind = "port"         // the port cannot be opened, or has failed; nothing is known of a unit
)

// Fault is an exchange that gave no registers, with the bytes of both sides. On Modbus TCP the frames have neither
// header nor checksum: they begin with the unit id.
type Fault struct {
	Unit     byte // unit id of the request
	Kind     FaultKind
	Err      error
	Request  []byte
	Received []byte        // the first 64 bytes that came until the timeout, also an echo
	Length   int           // number of all bytes that came
	Age      time.Duration // since the end of the exchange
}

// Faults returns the last failed exchanges of the line and failures of its port (PortFailed), at most 20, the newest
// first. It is safe from any goroutine.
func (l *Line) Faults() []Fault { return l.tally.newestFaults(tick()) }

// PortFailed adds a failure of the port to the faults. A port that fails again in the same way stays one fault, with
// the last time: a port is tried for days. It is safe from any goroutine.
func (l *Line) PortFailed(err error) { l.tally.portFailed(err, tick()) }

// Try is Read for a unit that may not exist, as in a scan: that it does not answer, or refuses, is no Fault.
func (l *Line) Try(ctx context.Context, unit, function byte, addr, count uint16) (Reply, error) {
	l.tally.try(true)
	defer l.tally.try(false)
	return l.Read(ctx, unit, function, addr, count)
}

// failedAt is a Fault with its time on the line's monotonic clock.
type failedAt struct {
	Fault
	at time.Time
}

// newestFaults returns the faults with their age, the newest first.
func (t *tally) newestFaults(now time.Time) []Fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]Fault, 0, len(t.faults))
	for _, f := range slices.Backward(t.faults) {
		f.Age = now.Sub(f.at)
		list = append(list, f.Fault)
	}
	return list
}

// failed adds a failed exchange, unless the unit was only tried. A Fault without kind is none.
func (t *tally) failed(f Fault, now time.Time) {
	if f.Kind == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.trying && (f.Kind == FaultTimeout || f.Kind == FaultException) {
		return
	}
	t.remember(failedAt{f, now})
}

// portFailed adds a failure of the port, or renews the time of the same failure.
func (t *tally) portFailed(err error, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.faults); n > 0 {
		if last := &t.faults[n-1]; last.Kind == FaultPort && last.Err.Error() == err.Error() {
			last.at = now
			return
		}
	}
	t.remember(failedAt{Fault{Kind: FaultPort, Err: err}, now})
}

// remember adds a fault. t.mu is held.
func (t *tally) remember(f failedAt) {
	if len(t.faults) == faultsKept {
		t.faults = slices.Delete(t.faults, 0, 1)
	}
	t.faults = append(t.faults, f)
}

// try notes whether a unit is only tried.
func (t *tally) try(now bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trying = now
}

// fault returns the exchange in the window, which ended with err. Its kind is empty if this is no fault of the line.
func (w *window) fault(err error) Fault {
	kind := w.kindOf(err)
	if kind == "" {
		return Fault{}
	}
	request := w.sent
	if w.framed {
		request = request[:len(request)-checksumSize]
	}
	return Fault{
		Unit: w.q.unit, Kind: kind, Err: err, Request: slices.Clone(request[:min(len(request), faultBytes)]),
		Received: slices.Clone(w.came[:min(w.length, faultBytes)]), Length: w.length,
	}
}

// kindOf returns the kind of a failed exchange; "" if the caller ended it, or if the port failed.
func (w *window) kindOf(err error) FaultKind {
	var refusal *Exception
	switch {
	case errors.As(err, &refusal):
		return FaultException
	case errors.Is(err, ErrLate):
		return FaultLate
	case errors.Is(err, ErrTimeout) && w.heard:
		return FaultForeign
	case errors.Is(err, ErrTimeout):
		return FaultTimeout
	case errors.Is(err, ErrForeignID):
		return FaultForeignID
	case errors.Is(err, ErrForeignUnit):
		return FaultForeignUnit
	case errors.Is(err, ErrLength):
		return FaultLength
	case errors.Is(err, ErrShared):
		return FaultAmbiguous
	case errors.Is(err, errChecksum):
		return FaultChecksum
	case errors.Is(err, errCollision):
		return FaultCollision
	case errors.Is(err, errRival):
		return FaultOtherMaster
	case errors.Is(err, ErrFrame):
		return FaultGarbled
	default:
		return ""
	}
}

// checksumSize is the length of the CRC at the end of an RTU frame. Modbus TCP frames come with one from our own port.
const checksumSize = 2

// hear keeps the bytes that came, as many as a Fault shows.
func (w *window) hear(b []byte) {
	if w.length < faultBytes {
		copy(w.came[w.length:], b)
	}
	w.length += len(b)
}

// received notes n new bytes in the window's buffer.
func (w *window) received(n int) {
	b := w.buf[w.have : w.have+n]
	if w.framed && n > checksumSize {
		b = b[:n-checksumSize]
	}
	w.hear(b)
	w.have += n
}
