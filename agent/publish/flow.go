package publish

import "time"

const (
	// judgedAfter is the shortest time for which a number of requests is kept in flight before the next number is
	// tried. judgedOne is this time for one request. Samples that are sent in less time need no second connection.
	judgedAfter = 250 * time.Millisecond
	judgedOne   = 500 * time.Millisecond
	// slowAnswer is the mean time of a request from which on more requests in flight are useless. On such a slow link
	// the requests only wait for each other: a new sample would be later, and requests could reach the time limit of an
	// attempt.
	slowAnswer = 2 * time.Second
	// gainShare is the share of the possible gain that a larger number must reach: a quarter. Two requests must send
	// 1.25 times as much as one.
	gainShare = 0.25
	// firstHold and longestHold are the limits of the time for which a number without a gain, or with a failure, is not
	// tried again.
	firstHold   = 10 * time.Second
	longestHold = time.Hour
	// restsAfter is a time without a request after which flow begins with one request again.
	restsAfter = 5 * time.Second
)

// flow decides how many requests of an integration are in flight at once. It begins at one. The number doubles while
// this increases the throughput, and halves after a failure. On a link that one request fills, the number stays one.
// One goroutine owns a flow; all times are monotonic.
type flow struct {
	most int // from 1 up; 1: it never changes
	now  int

	sure  int           // up to this number each increase was a gain
	again time.Duration // until this time no number above sure is tried
	hold  time.Duration // how long the next number without a gain is not tried again

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

// launched notes a request that is sent; first: no other is in flight.
func (w *flow) launched(now time.Duration, first bool) {
	if first && now-w.last >= restsAfter {
		w.now, w.before = 1, 0
		w.slack()
	}
	if w.fresh {
		w.fresh, w.since, w.answers, w.accepted, w.took = false, now, 0, 0, 0
	}
}

// slack notes that fewer requests are in flight than allowed, so there is nothing to measure.
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

// judge sets the next number after a measurement: messages per second, and the mean time of a request.
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

// back continues with a smaller number, and tries no larger number for some time.
func (w *flow) back(now time.Duration, to int) {
	w.now, w.sure, w.before, w.fresh = to, to, 0, true
	w.again, w.hold = now+w.hold, min(2*w.hold, longestHold)
}

// failed notes that a cloud cannot accept messages now, or has not answered.
func (w *flow) failed(now time.Duration) { w.back(now, max(1, w.now/2)) }
