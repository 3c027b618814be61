package poll

import (
	"slices"
	"strings"
	"time"

	"noi-agent/configs"
	"noi-agent/objects"
)

// retryAfter is the time after a failed read until the object is read again, if its log interval is longer: one damaged
// frame must not cost an hourly total for an hour.
const retryAfter = 10 * time.Second

// retrySoon is the same time after silence, or if the slave was busy: one missed reply proves little.
const retrySoon = time.Second

// schedule has the objects of one slave, and when they are due. All times are monotonic, counted from the start of the
// agent, so a step of the wall clock moves nothing. One goroutine owns it.
type schedule struct {
	items []item
}

// item is one object, and its next due time.
type item struct {
	polled  configs.Polled
	next    time.Duration // the next regular moment: a UTC multiple of the log interval
	retry   time.Duration // an earlier moment after a failed read; 0: none
	skipped uint64        // regular moments that passed while the line was busy

	failures int  // failed reads since the last good one
	read     bool // the last read was answered

	moments uint64 // regular moments that have passed, in all

	owed   uint64        // regular moments since the last reply that was handed on
	why    string        // why most of these moments gave no sample
	weight uint64        // how many more of these moments have this reason than others
	absent uint64        // moments before that reply that have no sample because reads failed, in all
	last   time.Duration // time since the boot of that reply, or of the start; independent of the clock
	given  bool          // there was such a reply
	// lacks: the slave refuses the object, and never gave it. Its missing samples are reported only when it gives the
	// object, or at the end
	lacks bool
}

// blame notes why moments gave no sample. A gap has one reason, that of most of its moments. Another reason replaces it
// when it has as many moments (the majority vote of Boyer and Moore).
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

// passed returns how many regular moments up to elapsed are not counted yet.
func (it *item) passed(elapsed time.Duration) uint64 {
	if it.next > elapsed {
		return 0
	}
	return uint64((elapsed-it.next)/it.polled.Interval) + 1
}

// pass counts the regular moments up to elapsed as owed. The next moment is then after elapsed.
func (it *item) pass(elapsed time.Duration) (passed uint64) {
	passed = it.passed(elapsed)
	it.next += time.Duration(passed) * it.polled.Interval
	it.moments += passed
	it.owed += passed
	return passed
}

// later returns how many owed moments came after a reply. moments is how many had passed when it arrived, in all. A
// reply that waits for the identification of its controller is handed on seconds later.
func (it *item) later(moments uint64) uint64 { return min(it.moments-moments, it.owed) }

// gap returns the gap before a reply. The reply arrived at the wall time at, uptime after the boot. The begin of the
// gap is computed by the same clock. A late reply counts for the moment that passed last. later is the number of owed
// moments after the reply. ok is false if no sample is missing.
func (it *item) gap(at time.Time, uptime time.Duration, later uint64) (gap objects.Gap, ok bool) {
	missing := max(it.owed-later, 1) - 1
	gap = objects.Gap{Object: it.polled.Object.Name, From: at.Add(it.last - uptime), To: at, Count: missing,
		Reason: it.why}
	if gap.Reason == "" {
		gap.Reason = objects.GapOverrun
	}
	return gap, missing > 0
}

// delivered notes that the gap and the reply were handed on. A reply without a value ends a gap too. Moments after the
// reply are still owed, with their reason. If the item is only late, it is read at once.
func (it *item) delivered(uptime time.Duration, later uint64) {
	if why, _, _ := strings.Cut(it.why, ":"); why == objects.GapBus || why == objects.GapIdentity {
		it.absent += max(it.owed, later+1) - (later + 1)
	}
	it.owed, it.weight, it.last, it.given, it.lacks = later, later, uptime, true, false
	if later == 0 || it.why == objects.GapOverrun {
		it.why, it.weight = "", 0
	}
}

// soFar returns the gap up to now, without a reply after it, and the item after this gap is handed on. It does not
// include the moment that passed last, because a late sample may still count for it. If a reply waits to be handed on,
// the gap ends before the moment of this reply. later is the number of owed moments after it.
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

// atEnd returns everything that is missing when the agent, or its line, ends: no late sample will come. Moments that
// passed during a pause for the slave are missing too.
func (it *item) atEnd(elapsed time.Duration, at time.Time, uptime time.Duration) (gap objects.Gap, after item,
	ok bool) {
	if it.why == "" {
		return objects.Gap{}, *it, false // a moment that is due just now is missing in the next run
	}
	after = *it
	after.pass(elapsed)
	after.owed++ // there is no sample for the last moment
	gap, ok = after.gap(at, uptime, 0)
	after.delivered(uptime, 0)
	return gap, after, ok
}

// newSchedule returns a schedule in which everything is due at once, and then at the UTC multiples of each log
// interval. elapsed is the monotonic time, wall the wall time at that moment. The phase does not change after that. The
// caller reads wall first, so that a sample may be a little late, but never early: an early sample would have the
// second before as its time.
func newSchedule(polled []configs.Polled, elapsed time.Duration, wall time.Time) *schedule {
	s := &schedule{items: make([]item, len(polled))}
	for i, p := range polled {
		s.items[i] = item{polled: p, next: elapsed + untilMultiple(wall, p.Interval), retry: elapsed}
		if elapsed == 0 {
			s.items[i].retry = 1 // 0 means none; one nanosecond means at once
		}
	}
	return s
}

// beginAt makes a new schedule count from an earlier moment on: begun in monotonic time, uptime since the boot. It
// returns how many regular moments have passed since then. They are missing, with the reason why.
func (s *schedule) beginAt(begun, uptime, elapsed time.Duration, why string) (missed uint64) {
	for i := range s.items {
		it := &s.items[i]
		it.next -= (it.next - begun - 1) / it.polled.Interval * it.polled.Interval
		if it.last = uptime; it.next-begun == it.polled.Interval {
			// the begin is itself a regular moment; otherwise its sample is an extra one, and is not missing
			it.owed = 1
		}
	}
	return s.passOver(elapsed, why)
}

// inherit takes over the missing samples of objects that an earlier schedule of the same slave also polls, up to
// elapsed. why is the reason of the moments that the earlier schedule has not counted. nil: there is no earlier one.
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

// takeUp takes over the moments that were due when an earlier schedule of the slave ended, and that were neither read
// nor reported as missing. begun is the monotonic time at which this one began. nil: there was no earlier one.
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

// turn gives samples that are missing from now on another reason.
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

// retryLimit is the longest wait before an unreadable object is read again, if its log interval is longer.
const retryLimit = 5 * time.Minute

// done sets the next due time of an item after a sweep, in which the item was read or its read failed. begun and
// elapsed are begin and end of the sweep. After a failure the item is due again after the time again, twice as long
// each time. It is due at its next regular moment if that is sooner, or if again is 0. A regular moment that has passed
// meanwhile is skipped and counted, so a slow line never builds a queue. If a moment passed while the item was read,
// the item is due at once: a line without a pause does not wait for the next multiple.
func (s *schedule) done(i int, begun, elapsed, again time.Duration) {
	it := &s.items[i]
	it.retry = 0
	if passed := it.pass(elapsed); passed > 0 {
		if it.read { // otherwise the reason is the slave, and not the line
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

// everything makes all items due now, as at the start.
func (s *schedule) everything(elapsed time.Duration) {
	for i := range s.items {
		s.items[i].retry = elapsed
	}
}

// passOver counts the regular moments that passed while the line was closed, and makes the missed items due now: one
// sample of each when the line is back. why is the reason of the gap.
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
func (s *schedule) skipped() (n uint64) {
	for i := range s.items {
		n += s.items[i].skipped
	}
	return n
}

// absent returns how many regular moments have no sample because reads failed.
func (s *schedule) absent() (n uint64) {
	for i := range s.items {
		n += s.items[i].absent
	}
	return n
}
