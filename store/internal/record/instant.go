package record

import (
	"encoding/binary"
	"noi-agent/objects"
	"time"
)

// Instant is a moment as the gateway knew it. With the run, and the time since the boot, its time is corrected as that
// of a sample is.
type Instant struct {
	Run    uint64
	At     time.Time     // by the clock at that time
	Uptime time.Duration // since the boot; below zero: not known
	Unsure bool          // it was not known whether that clock was right
}

// before reports whether an instant was earlier than another one of its run.
func (in Instant) before(other Instant) bool {
	if in.Uptime >= 0 && other.Uptime >= 0 {
		return in.Uptime < other.Uptime
	}
	return in.At.Before(other.At)
}

// Span is a gap between two instants. The gap gets its times when both are known: at once, or in a later run.
type Span struct {
	Gap objects.Gap // From and To do not count
	// Begins is the last sample before the gap, Ends the first sample after it. If the run of Begins is 0, only the
	// store on the disk knows that sample
	Begins, Ends Instant

	// Every is the log interval by which the missing moments are counted, which Gap.Count cannot say before both times
	// are known. The gap goes from the first such moment to the last. Zero: the gap goes from Begins to Ends, and
	// Gap.Count is right.
	Every time.Duration
}

// GoesOn reports whether another span continues this one: the same as for gaps with times.
func (sp *Span) GoesOn(next Span) bool {
	between := next.Begins.Uptime - sp.Ends.Uptime
	return sp.Every == 0 && next.Every == 0 && (next.Gap.First == sp.Gap.Last+1 || between >= 0 && between < OneGap)
}

func (sp *Span) Join(next Span) Span {
	joined := *sp
	if next.Begins.before(joined.Begins) {
		joined.Begins = next.Begins
	}
	if joined.Ends.before(next.Ends) {
		joined.Ends = next.Ends
	}
	joined.Gap.Last = max(joined.Gap.Last, next.Gap.Last)
	joined.Gap.Count += next.Gap.Count
	joined.Gap.Ongoing = next.Gap.Ongoing
	return joined
}

// appendInstant writes an instant to the millisecond.
func appendInstant(dst []byte, in Instant) []byte {
	unsure := byte(0)
	if in.Unsure {
		unsure = 1
	}
	dst = binary.AppendUvarint(append(dst, unsure), in.Run)
	return binary.AppendVarint(appendTime(dst, in.At), in.Uptime.Milliseconds())
}

func readInstant(r *Reader) Instant {
	unsure := r.Byte() == 1
	return Instant{Unsure: unsure, Run: r.Uvarint(), At: readTime(r),
		Uptime: time.Duration(r.varint()) * time.Millisecond}
}

// InstantOf returns the moment at which a sample of a sweep was taken.
func InstantOf(sw objects.Sweep, i int) Instant {
	at := sw.Samples[i].SampledAt
	in := Instant{Run: sw.Run, At: at, Uptime: -1, Unsure: sw.Unsure}
	if !sw.BootedAt.IsZero() {
		in.Uptime = at.Sub(sw.BootedAt)
	}
	return in
}

// OneGap is how long after a gap another gap of the same object and reason still continues it, even if samples came
// between. A line that is a little too slow sometimes misses a moment; this makes one row, and not thousands.
const OneGap = 10 * time.Minute
