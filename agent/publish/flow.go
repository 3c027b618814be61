package publish

import "time"

const (
	// judgedAfter is how long a number of requests is kept in flight at least before the next one is tried;
	// judgedOne is the same for one request. What is sent in less time needs no second connection.
	judgedAfter = 250 * time.Millisecond
	judgedOne   = 500 * time.Millisecond
	// slowAnswer is the mean time of a request from which on more of them only wait for one another: on a link so slow
	// they would make a new sample later, and meet the limit of an attempt.
	slowAnswer = 2 * time.Second
	// gainShare is the share of what a larger number could win that it has to win: a quarter. Two requests have to
	// carry 1.25 times as much as one.
	gainShare = 0.25
	// firstHold and longestHold bound how long a number that won nothing, or that a cloud did not like, is not tried
	// again.
	firstHold   = 10 * time.Second
	longestHold = time.Hour
	// restsAfter is a time without a request. After it one request goes first again.
	restsAfter = 5 * time.Second
)

// flow decides how many requests of an integration are in flight at once. It begins at one. The number doubles while
// this wins throughput, and halves after a failure. On a link that one request fills, it stays at one. One goroutine
// owns a flow; all times are monotonic.
type flow struct {
	most int // from 1 up; 1: it never changes
	now  int

	sure  int           // up to this number each larger one has won something
	again time.Duration // before this time no number above sure is tried
	hold  time.Duration // how long the next one that wins nothing is not tried again

	before int     // the number before the one on trial; 0: none is on trial
	rate   float64 // messages accepted in a second with that number

	fresh    bool          // the measurement begins with the next request
	since    time.Duration // the measurement: when it began,
	answers  int           // requests that were answered,
	accepted int           // messages that were accepted,
	took     time.Duration // and the sum of the times of the requests
	last     time.Duration // when a request was answered last
}

func newFlow(most int) flow {
	return flow{most: max(1, most), now: 1, sure: 1, hold: firstHold, fresh: true}
}

// launched notes a request that goes; first: no other is in flight.
func (w *flow) launched(now time.Duration, first bool) {
	if first && now-w.last >= restsAfter {
		w.now, w.before = 1, 0
		w.slack()
	}
	if w.fresh {
		w.fresh, w.since, w.answers, w.accepted, w.took = false, now, 0, 0, 0
	}
}

// slack notes that fewer requests are in flight than could be: there is nothing to measure.
func (w *flow) slack() { w.fresh = true }

// answered notes a request that took some time, and in which so many messages were accepted.
func (w *flow) answered(now, took time.Duration, accepted int) {
	w.last = now
	w.answers, w.accepted, w.took = w.answers+1, w.accepted+accepted, w.took+took
	least := judgedAfter
	if w.now == 1 {
		least = judgedOne
	}
	passed := now - w.since
	if w.most == 1 || w.fresh || w.answers < 2*w.now || passed < least {
		return
	}
	w.judge(now, float64(w.accepted)/passed.Seconds(), w.took/time.Duration(w.answers))
	w.fresh = true
}

// judge goes on from a measurement: messages a second, and the mean time of a request.
func (w *flow) judge(now time.Duration, rate float64, mean time.Duration) {
	slow := mean > slowAnswer
	if w.before > 0 {
		could := float64(w.now)/float64(w.before) - 1
		if slow || rate < w.rate*(1+gainShare*could) {
			w.back(now, w.before)
			return
		}
		w.sure, w.hold, w.before = max(w.sure, w.now), firstHold, 0
	}
	next := min(2*w.now, w.most)
	switch {
	case slow:
		w.back(now, max(1, w.now/2))
	case next > w.now && (next <= w.sure || now >= w.again):
		w.before, w.rate, w.now = w.now, rate, next
	}
}

// back goes on with a smaller number, and does not try a larger one for some time.
func (w *flow) back(now time.Duration, to int) {
	w.now, w.sure, w.before, w.fresh = to, to, 0, true
	w.again, w.hold = now+w.hold, min(2*w.hold, longestHold)
}

// failed notes that a cloud has refused for want of room, or has not answered.
func (w *flow) failed(now time.Duration) { w.back(now, max(1, w.now/2)) }
