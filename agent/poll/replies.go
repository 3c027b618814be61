package poll

import (
	"slices"

	"noi-agent/modbus"
)

// replies is what one slave has answered, what not, and what that proves. Silence, a damaged reply and a refusal may
// be of the moment: a lossy line makes all kinds of silence. So a read counts as one that the slave does not answer
// only by contrast: it has failed several times, and each time the slave has answered another read since the failure
// before. How many times, depends on how many replies get lost on this line anyway. A reply ends all doubt about its
// read.
type replies struct {
	count  uint64                // replies to reads so far, exceptions included
	known  map[modbus.Span]bool  // reads that were answered with registers
	doubts map[modbus.Span]doubt // reads that failed and were not answered since
	healed uint64                // doubts about known reads that a reply has ended: what had failed was lost
	lost   float64               // share of the known reads that failed: a moving average
	seen   int                   // reads in that average, up to lostMemory
	probes int                   // so far
	turns  [probeKinds]int       // of the probes, by kind
}

// doubt is about one read that failed.
type doubt struct {
	strikes int    // failures, each with a reply to another read since the one before
	fails   int    // all failures
	count   uint64 // replies when it failed last
	err     error  // of the last failure
	// replies and healed doubts of the slave when it failed first; what the line has lost since then counts as well
	count0, healed0 uint64
}

const (
	// lostMemory is over how many reads the average of lost ones goes. A new line counts as one that lost lostAtFirst
	// of seenAtFirst.
	lostMemory  = 128
	lostAtFirst = 0.1
	seenAtFirst = 10
	// chance is how probable a false proof may be: once in a million reads is once in months.
	chance = 1e-6
	// A read is proven never to be answered by fewestStrikes on a line that loses nothing, and by mostStrikes on any.
	fewestStrikes = 3
	mostStrikes   = 64
	// asideAfter is after how many strikes an object is read alone, for its silence not to cost its neighbours theirs.
	asideAfter = 2
	// maxReads bounds the maps. A slave has some dozens of reads, by which objects are due together.
	maxReads = 1024
)

func newReplies() *replies {
	return &replies{known: map[modbus.Span]bool{}, doubts: map[modbus.Span]doubt{}, lost: lostAtFirst,
		seen: seenAtFirst}
}

// answered notes that a read brought registers.
func (r *replies) answered(s modbus.Span) {
	r.count++
	if r.known[s] {
		r.average(0)
		if _, failed := r.doubts[s]; failed {
			r.healed++
		}
	}
	delete(r.doubts, s)
	if len(r.known) >= maxReads {
		clear(r.known)
	}
	r.known[s] = true
}

// average takes one more known read: 1 for one that failed, 0 for one that was answered.
func (r *replies) average(lost float64) {
	r.seen = min(r.seen+1, lostMemory)
	r.lost += (lost - r.lost) / float64(r.seen)
}

// failed notes that a read brought none. It reports whether the slave has answered others since this read failed
// before: then the failure says nothing about how the slave fares.
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

// proven reports whether the slave is known not to answer a read. An exception is explicit: it is believed when it
// comes again.
func (r *replies) proven(s modbus.Span) bool {
	d := r.doubts[s]
	if refuses(d.err) {
		return d.strikes >= 2
	}
	return d.strikes >= r.strikes(d)
}

// strikes is how many failures with contrast prove something on this line: by what it loses on average, and by what it
// has lost since the doubt began. The average of a line that has just become lossy comes too late.
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

// lossy reports whether the line loses so many replies that one more says little.
func (r *replies) lossy() bool { return r.lost > 2*lostAtFirst }

// aside reports whether an object is to be read alone.
func (r *replies) aside(s modbus.Span) bool {
	d, ok := r.doubts[s]
	return ok && (refuses(d.err) || d.strikes >= asideAfter)
}

// refused returns why an object is known not to be had, when it is read alone; nil when it is not known.
func (r *replies) refused(s modbus.Span) error {
	if d, failed := r.doubts[s]; failed && (refuses(d.err) || r.proven(s)) {
		return d.err
	}
	return nil // as most objects, asked after each sweep
}

// The kinds of probes.
const (
	probeAny   = iota // one of all objects
	probeKnown        // one that was answered before
	probeOpen         // one that is not in doubt
	probeKinds
)

// probe picks the read by which a silent slave is asked whether it lives. They vary, since the slave may lack any of
// them, and another slave may be in its place. Three of four have good prospects: without a reply in between, nothing
// is learnt from the silence to another read.
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

// forget drops everything that another slave may do otherwise.
func (r *replies) forget() {
	clear(r.known)
	clear(r.doubts)
}
