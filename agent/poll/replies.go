package poll

import (
	"slices"

	"noi-agent/modbus"
)

// replies has the reads that one slave has answered, the reads that it has not answered, and the conclusions from
// both. Silence, a damaged reply and a refusal may have a passing cause, for example on a line that loses many
// replies. So the agent needs proof that a slave does not answer a read: the read has failed several times, and
// before each failure the slave has answered another read. The number of failures depends on how many replies the
// line loses. A good reply ends all doubt about its read.
type replies struct {
	count  uint64                // replies to reads so far, exceptions included
	known  map[modbus.Span]bool  // reads that were answered with registers
	doubts map[modbus.Span]doubt // reads that failed and were not answered since
	healed uint64                // doubts about known reads that a reply has ended: the failure was a lost reply
	lost   float64               // share of the known reads that failed: a moving average
	seen   int                   // reads in that average, up to lostMemory
	probes int                   // so far
	turns  [probeKinds]int       // of the probes, by kind

	damaged uint64 // damaged replies to known reads that were answered later, in all
	silent  uint64 // the same for reads without a reply
}

// doubt has the failures of one read.
type doubt struct {
	strikes int    // failures with a reply to another read since the failure before
	fails   int    // all failures
	count   uint64 // replies at the last failure
	err     error  // of the last failure
	// replies and healed doubts of the slave at the first failure; replies that the line has lost since then count too
	count0, healed0 uint64
}

const (
	// lostMemory is the number of reads in the average of lost ones. A new line counts as if it had lost lostAtFirst of
	// seenAtFirst reads.
	lostMemory  = 128
	lostAtFirst = 0.1
	seenAtFirst = 10
	// chance is the allowed probability of a false proof: once in a million reads is once in months.
	chance = 1e-6
	// On a line that loses nothing, fewestStrikes are proof that a read is never answered. On any line, mostStrikes
	// are proof.
	fewestStrikes = 3
	mostStrikes   = 64
	// asideAfter is the number of strikes after which an object is read alone, so that its silence does not affect
	// other objects.
	asideAfter = 2
	// maxReads limits the maps. A slave has a few dozen reads, depending on which objects are due together.
	maxReads = 1024
)

func newReplies() *replies {
	return &replies{known: map[modbus.Span]bool{}, doubts: map[modbus.Span]doubt{}, lost: lostAtFirst,
		seen: seenAtFirst}
}

// answered notes that a read was answered with registers.
func (r *replies) answered(s modbus.Span) {
	r.count++
	if r.known[s] {
		r.average(0)
		if d, failed := r.doubts[s]; failed {
			r.healed++
			r.passed(d.err, d.fails)
		}
	}
	delete(r.doubts, s)
	if len(r.known) >= maxReads {
		clear(r.known)
	}
	r.known[s] = true
}

// passed counts failures of a known read that was answered after them.
func (r *replies) passed(err error, failures int) {
	switch fateOf(err) {
	case fateDamaged:
		r.damaged += uint64(failures)
	case fateSilent:
		r.silent += uint64(failures)
	}
}

// average adds one known read to the average: 1 if it failed, 0 if it was answered.
func (r *replies) average(lost float64) {
	r.seen = min(r.seen+1, lostMemory)
	r.lost += (lost - r.lost) / float64(r.seen)
}

// failed notes that a read was not answered with registers. It reports whether the slave has answered other reads since
// this read failed before. In this case the failure does not mean that the slave is away.
func (r *replies) failed(s modbus.Span, err error) (contrast bool) {
	d, again := r.doubts[s]
	contrast = again && r.count > d.count
	if !again && r.known[s] {
		r.average(1)
	}
	if !again {
		d.count0, d.healed0 = r.count, r.healed
	}
	if !again || contrast {
		d.strikes++
	}
	if isReply(err) {
		r.count++
	}
	d.count, d.err, d.fails = r.count, err, d.fails+1
	if len(r.doubts) >= maxReads {
		clear(r.doubts)
	}
	r.doubts[s] = d
	return contrast
}

// proven reports whether there is proof that the slave does not answer a read. An exception is proof when it comes a
// second time.
func (r *replies) proven(s modbus.Span) bool {
	d := r.doubts[s]
	if refuses(d.err) {
		return d.strikes >= 2
	}
	return d.strikes >= r.strikes(d)
}

// strikes returns the number of strikes that are proof on this line. It depends on the average loss, and on the loss
// since the doubt began: if a line has just begun to lose replies, the average is still too low.
func (r *replies) strikes(d doubt) int {
	// Only the first failure in a row is counted, so of n reads with loss p there are n*p*(1-p) failures and n*(1-p)
	// answers.
	healed := float64(r.healed - d.healed0)
	lately := healed / max(float64(r.count-d.count0), 1)
	loss := min(max(r.lost/max(1-r.lost, 0.01), lately), 0.9)
	n := 0
	for p := 1.0; p > chance && n < mostStrikes; n++ {
		p *= loss
	}
	return max(fewestStrikes, n)
}

// lossy reports whether the line loses so many replies that one more proves little.
func (r *replies) lossy() bool { return r.lost > 2*lostAtFirst }

// aside reports whether an object must be read alone.
func (r *replies) aside(s modbus.Span) bool {
	d, ok := r.doubts[s]
	return ok && (refuses(d.err) || d.strikes >= asideAfter)
}

// refused returns the reason why the slave does not give an object that is read alone; nil: there is no proof.
func (r *replies) refused(s modbus.Span) error {
	if d, failed := r.doubts[s]; failed && (refuses(d.err) || r.proven(s)) {
		return d.err
	}
	return nil // the case of most objects; called after each sweep
}

// The kinds of probes.
const (
	probeAny   = iota // one of all objects
	probeKnown        // one that was answered before
	probeOpen         // one that is not in doubt
	probeKinds
)

// probe chooses the read that tests whether a silent slave answers again. The reads vary, because the slave may lack
// each of these objects, and another slave may be in its place. Three of four probes are reads that are likely to be
// answered: only after an answer does the silence to another read prove something.
func (r *replies) probe(spans []modbus.Span) modbus.Span {
	r.probes++
	kind := [...]int{probeAny, probeKnown, probeOpen, probeKnown}[r.probes%4]
	list := slices.DeleteFunc(slices.Clone(spans), func(s modbus.Span) bool {
		return kind == probeKnown && !r.known[s] || kind == probeOpen && r.aside(s)
	})
	if len(list) == 0 {
		kind, list = probeAny, spans
	}
	r.turns[kind]++
	return list[r.turns[kind]%len(list)]
}

// forget drops everything that may be different for another slave.
func (r *replies) forget() {
	clear(r.known)
	clear(r.doubts)
}
