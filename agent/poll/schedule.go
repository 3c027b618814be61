package poll

import (
	"slices"
	"time"

	"noi-agent/configs"
	"noi-agent/objects"
)

// retryAfter is how long after a failed read an object is asked again, when its log interval is longer:
// an hourly total must not be lost for an hour because of one torn frame.
const retryAfter = 10 * time.Second

// retrySoon is the same after silence, or when the slave was busy: one missed reply says little.
const retrySoon = time.Second

// schedule says which objects of one slave are due. All times are monotonic, counted from the start
// of the agent, so a step of the wall clock moves nothing. One goroutine owns it.
type schedule struct {
	items []item
}

// item is one object and when it is due next.
type item struct {
	polled  configs.Polled
	next    time.Duration // the next regular moment: a UTC multiple of the log interval
	retry   time.Duration // an earlier moment after a failed read; 0 when there is none
	skipped uint64        // regular moments that passed while the line was busy

	failures int  // reads in vain since it was read last
	read     bool // the last time it was asked

	moments uint64 // regular ones that have passed, in all

	owed   uint64        // of them since the last reply that was handed on
	why    string        // why most of them brought none
	weight uint64        // by how many more than for other reasons
	last   time.Duration // from the boot to that reply, or to the start, whatever the clock was
	given  bool          // there was such a reply
	// the slave says that it has no such object, and it never gave it: reported only when it comes, or at the end
	lacks bool
}

// blame notes why moments brought no sample. A gap has one reason, that of most of its moments: another one takes over
// once it has as many (the majority vote of Boyer and Moore).
func (it *item) blame(why string, moments uint64) {
	switch {
	case it.why == why:
		it.weight += moments
	case it.why == "" || moments > it.weight:
		it.why, it.weight = why, moments-min(moments, it.weight)
	default:
		it.weight -= moments
	}
}

// passed returns how many regular moments have passed up to elapsed that are not counted yet.
func (it *item) passed(elapsed time.Duration) uint64 {
	if it.next > elapsed {
		return 0
	}
	return uint64((elapsed-it.next)/it.polled.Interval) + 1
}

// pass counts the regular moments up to elapsed as owed. Then the next one is later.
func (it *item) pass(elapsed time.Duration) (passed uint64) {
	passed = it.passed(elapsed)
	it.next += time.Duration(passed) * it.polled.Interval
	it.moments += passed
	it.owed += passed
	return passed
}

// later returns how many of the moments that are owed came after a reply. Up to that reply there were so many in all. A
// reply that waits for the identification of its controller is handed on seconds later.
func (it *item) later(moments uint64) uint64 { return min(it.moments-moments, it.owed) }

// gap returns what is missing before a reply. The reply came at a wall time, uptime after the boot; the begin of the
// gap is computed by the same clock. A late reply stands for the moment that passed last. later is the number of owed
// moments that came after it. ok is false when nothing is missing.
func (it *item) gap(at time.Time, uptime time.Duration, later uint64) (gap objects.Gap, ok bool) {
	missing := max(it.owed-later, 1) - 1
	gap = objects.Gap{Object: it.polled.Object.Name, From: at.Add(it.last - uptime), To: at, Count: missing,
		Reason: it.why}
	if gap.Reason == "" {
		gap.Reason = objects.GapOverrun
	}
	return gap, missing > 0
}

// delivered notes that the gap and the reply were handed on. A reply that holds no value ends a gap too. The moments
// that came later are owed still, for their reason; what is only late is read at once.
func (it *item) delivered(uptime time.Duration, later uint64) {
	it.owed, it.weight, it.last, it.given, it.lacks = later, later, uptime, true, false
	if later == 0 || it.why == objects.GapOverrun {
		it.why, it.weight = "", 0
	}
}

// soFar returns what is missing though nothing has come after it, and the item once that is handed on. It leaves the
// moment that passed last: a late sample may stand for it yet. If a reply waits to be handed on, it leaves that of the
// reply, and the later ones.
func (it *item) soFar(elapsed time.Duration, at time.Time, uptime time.Duration, later uint64) (gap objects.Gap,
	after item, ok bool) {
	left := 1 + later
	if it.why == "" || it.owed <= left || it.lacks {
		return objects.Gap{}, *it, false
	}
	since := max(0, elapsed-(it.next-time.Duration(left)*it.polled.Interval))
	gap, ok = it.gap(at.Add(-since), uptime-since, later)
	after = *it
	after.delivered(uptime-since, later)
	gap.Ongoing, after.owed, after.why, after.weight = true, left, it.why, left
	return gap, after, ok
}

// atEnd returns all that is missing when the agent, or its line, ends: no late sample will come. Moments that passed
// while the slave was given time are missing too.
func (it *item) atEnd(elapsed time.Duration, at time.Time, uptime time.Duration) (gap objects.Gap, after item,
	ok bool) {
	if it.why == "" {
		return objects.Gap{}, *it, false // what is due just now, the next run will miss
	}
	after = *it
	after.pass(elapsed)
	after.owed++ // no sample stands for the last moment
	gap, ok = after.gap(at, uptime, 0)
	after.delivered(uptime, 0)
	return gap, after, ok
}

// newSchedule has everything due at once, and then at the UTC multiples of each log interval: elapsed is the monotonic
// time, wall the wall time at that moment. The phase is kept from then on. The caller reads wall first: a sample may
// then be a little late, but not early, which would give it the second before.
func newSchedule(polled []configs.Polled, elapsed time.Duration, wall time.Time) *schedule {
	s := &schedule{items: make([]item, len(polled))}
	for i, p := range polled {
		s.items[i] = item{polled: p, next: elapsed + untilMultiple(wall, p.Interval), retry: elapsed}
		if elapsed == 0 {
			s.items[i].retry = 1 // 0 means none; a nanosecond is as good as at once
		}
	}
	return s
}

// beginAt has a new schedule count from an earlier moment on: begun by the monotonic time, uptime since the boot. It
// returns how many regular moments have passed since. They are missing for the reason why.
func (s *schedule) beginAt(begun, uptime, elapsed time.Duration, why string) (missed uint64) {
	for i := range s.items {
		it := &s.items[i]
		it.next -= (it.next - begun - 1) / it.polled.Interval * it.polled.Interval
		if it.last = uptime; it.next-begun == it.polled.Interval {
			// the beginning is a regular moment itself; else the sample then is an extra one, and is not missing
			it.owed = 1
		}
	}
	return s.passOver(elapsed, why)
}

// inherit takes over what is missing of the objects that an earlier schedule of the same slave polls too, up to elapsed.
// Moments that the earlier one has not counted were missed for the reason why. nil: there was none.
func (s *schedule) inherit(earlier *schedule, elapsed time.Duration, why string) {
	if earlier == nil {
		return
	}
	for i := range s.items {
		if it := &s.items[i]; earlier.polls(it.polled.Object.Name) {
			before := earlier.find(it.polled.Object.Name)
			if passed := before.pass(elapsed); passed > 0 {
				before.blame(why, passed)
			}
			it.owed, it.why, it.weight, it.last, it.given = before.owed, before.why, before.weight, before.last,
				before.given
		}
	}
}

// takeUp takes over the moments that were due when an earlier schedule of the slave ended, and that it neither read nor
// reported as missing. begun is the monotonic time at which this one began. nil: there was no earlier one.
func (s *schedule) takeUp(earlier *schedule, begun time.Duration) {
	if earlier == nil {
		return
	}
	for i := range s.items {
		it := &s.items[i]
		if !earlier.polls(it.polled.Object.Name) {
			continue
		}
		before := earlier.find(it.polled.Object.Name)
		if before.next-before.polled.Interval == begun { // it has counted that moment, as this one has
			it.owed = max(it.owed, 1) - 1
		}
		owed := before.owed + before.passed(begun-1)
		if owed == 0 {
			continue
		}
		it.owed, it.last = it.owed+owed, before.last
		if before.why != "" { // the queue was full at the end
			it.blame(before.why, owed)
		}
	}
}

// turn gives what is missing from here on another reason.
func (s *schedule) turn(why string) {
	for i := range s.items {
		if s.items[i].why != "" {
			s.items[i].why = why
		}
	}
}

// untilMultiple returns how long it is from wall to the next multiple of interval since 1970, above zero.
func untilMultiple(wall time.Time, interval time.Duration) time.Duration {
	into := time.Duration(wall.UnixNano()) % interval
	if into < 0 {
		into += interval // before 1970
	}
	return interval - into
}

// due returns the indexes of the items that are due.
func (s *schedule) due(elapsed time.Duration) []int {
	var due []int
	for i := range s.items {
		if s.items[i].at() <= elapsed {
			due = append(due, i)
		}
	}
	return due
}

// at returns when the item is due.
func (it *item) at() time.Duration {
	if it.retry > 0 && it.retry < it.next {
		return it.retry
	}
	return it.next
}

// next returns the moment at which something is due; ok is false when nothing ever is.
func (s *schedule) next() (at time.Duration, ok bool) {
	for i := range s.items {
		if t := s.items[i].at(); !ok || t < at {
			at, ok = t, true
		}
	}
	return at, ok
}

// retryLimit is the longest wait before an object that cannot be read is asked again, when its log interval is longer.
const retryLimit = 5 * time.Minute

// done moves the item on after a sweep, by its begin and its end, in which it was read or tried in vain. Then it is due
// again after again, twice as long each time, or at its next regular moment when that is sooner, or when again is 0.
// A regular moment that has passed meanwhile is skipped and counted: a slow line never builds up a queue. One that
// passed while the item was read makes it due at once: a line without a pause does not wait for the next multiple.
func (s *schedule) done(i int, begun, elapsed, again time.Duration) {
	it := &s.items[i]
	it.retry = 0
	if passed := it.pass(elapsed); passed > 0 {
		if it.read { // else the slave is to blame, and not the line
			it.skipped += passed - 1
		}
		if passed > 1 {
			it.blame(objects.GapOverrun, passed-1)
		}
		if last := it.next - it.polled.Interval; it.read && last > begun {
			it.retry = last
		}
	}
	if again == 0 {
		return
	}
	wait := min(again<<min(it.failures, 10), retryLimit)
	it.failures++
	if it.polled.Interval > wait {
		it.retry = elapsed + wait
	}
}

// everything has all items due now, as at the start.
func (s *schedule) everything(elapsed time.Duration) {
	for i := range s.items {
		s.items[i].retry = elapsed
	}
}

// passOver counts the regular moments that passed while the line was closed, and has what was missed due now:
// one sample of each as soon as the line is back. why begins a gap.
func (s *schedule) passOver(elapsed time.Duration, why string) (missed uint64) {
	for i := range s.items {
		it := &s.items[i]
		if passed := it.pass(elapsed); passed > 0 {
			it.retry = elapsed
			it.blame(why, passed)
			missed += passed
		}
	}
	return missed
}

// polls reports whether there is an item of an object.
func (s *schedule) polls(object string) bool {
	return slices.ContainsFunc(s.items, func(it item) bool { return it.polled.Object.Name == object })
}

// find returns the item of an object that is polled.
func (s *schedule) find(object string) *item {
	for i := range s.items {
		if s.items[i].polled.Object.Name == object {
			return &s.items[i]
		}
	}
	panic("agent: " + object + " was read and is not polled")
}

// skipped returns how many regular moments were skipped since the start.
func (s *schedule) skipped() uint64 {
	var n uint64
	for i := range s.items {
		n += s.items[i].skipped
	}
	return n
}
