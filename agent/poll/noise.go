package poll

import (
	"fmt"
	"time"

	"noi-agent/agent/worker"
	"noi-agent/objects"
	"noi-agent/status/api"
)

// attempts counts the reads of a slave by their end, and what the failures cost. Only failures of a read count that was
// answered before and after: a read that is never answered says nothing about the line.
type attempts struct {
	replies    uint64
	damaged    uint64 // failures with a reply that was not valid
	unanswered uint64 // failures without any reply
	absent     uint64 // samples of the present plan that are missing
}

func (s *slave) attempts() attempts {
	a := attempts{replies: s.replies.count, damaged: s.replies.damaged, unanswered: s.replies.silent}
	if s.plan != nil {
		a.absent = s.plan.absent()
	}
	return a
}

func (a attempts) plus(b attempts) attempts {
	return attempts{a.replies + b.replies, a.damaged + b.damaged, a.unanswered + b.unanswered, a.absent + b.absent}
}

// minus returns the attempts since b. Another controller, or another plan, counts from zero again.
func (a attempts) minus(b attempts) attempts {
	return attempts{a.replies - min(a.replies, b.replies), a.damaged - min(a.damaged, b.damaged),
		a.unanswered - min(a.unanswered, b.unanswered), a.absent - min(a.absent, b.absent)}
}

func (a attempts) all() uint64 { return a.replies + a.damaged + a.unanswered }

const (
	noiseLook = 10 * time.Second    // time between two looks at the counters of a slave
	noiseTime = 2 * worker.Recently // attempts count for this time at most, and for half of it at least
	// A problem begins with noiseLeast failed attempts or more, at least one in noiseBegin. It ends when they are
	// fewer than one in noiseEnd. With 127 reads in ten minutes, and any constant loss, the problem then changes at
	// most some 25 times a day (simulated).
	noiseLeast = 4
	noiseBegin = 40
	noiseEnd   = 200
)

// noise has the attempts of the last ten to twenty minutes on a line whose slaves answer, but not always. The agent
// repeats a failed read, so each single failure is too short to be a problem. A slave that does not answer for longer
// is a problem of its own, and its attempts do not count. The zero noise has seen nothing.
type noise struct {
	turned       time.Duration // monotonic time at which newer began
	seen         []seen        // by slave
	older, newer attempts

	damage, silence spell // in which many attempts fail
}

// seen is what the last look saw of a slave.
type seen struct {
	attempts
	at    time.Duration // monotonic time of the look
	known bool          // there was a look
	skip  int           // how many next looks do not count: the gap of an outage comes some time after the outage
}

// spell is a time in which a state lasts.
type spell struct {
	since time.Time     // wall time of its begin; zero: there is none
	begun time.Duration // the same, monotonic
}

// look takes over the counters of the slaves whose last look is long enough ago.
func (n *noise) look(slaves []slaveView, elapsed time.Duration, wall time.Time) {
	if elapsed-n.turned >= noiseTime/2 {
		n.turned, n.older, n.newer = elapsed, n.newer, attempts{}
	}
	if n.seen == nil {
		n.seen = make([]seen, len(slaves))
	}
	for i := range slaves {
		v, last := &slaves[i], &n.seen[i]
		brief := v.unheard() && elapsed-v.begun < api.SlaveNoReply.VisibleAfter // it may answer again soon
		if last.known && (elapsed-last.at < noiseLook || brief) {
			continue
		}
		now := seen{attempts: v.tries, at: elapsed, known: true}
		switch {
		case v.unheard():
			now.skip = 2
		case last.skip > 0:
			now.skip = last.skip - 1
		case last.known:
			n.newer = n.newer.plus(now.minus(last.attempts))
		}
		*last = now
	}
	sum := n.sum()
	n.damage.follow(sum.damaged, sum.all(), elapsed, wall)
	n.silence.follow(sum.unanswered, sum.all(), elapsed, wall)
}

func (n *noise) sum() attempts { return n.older.plus(n.newer) }

// follow begins or ends the spell.
func (s *spell) follow(failed, all uint64, elapsed time.Duration, wall time.Time) {
	switch {
	case s.since.IsZero() && failed >= noiseLeast && failed*noiseBegin >= all:
		s.since, s.begun = wall, elapsed
	case failed == 0 || failed*noiseEnd < all:
		*s = spell{}
	}
}

// problems returns the problems of a line on which attempts fail.
func (n *noise) problems(line string, now time.Duration) (list []api.Problem) {
	sum := n.sum()
	add := func(kind api.Kind, s spell, failed uint64, what string) {
		if s.since.IsZero() || failed == 0 {
			return
		}
		detail := fmt.Sprintf("%d of %d reads within %s %s", failed, sum.all(), objects.Period(noiseTime), what)
		one := max(2, (sum.all()+failed/2)/failed)
		p := kind.Of(line, s.since, detail).With("n", fmt.Sprint(one)).Lasting(now - s.begun)
		if sum.absent > 0 {
			p.Effect, p.Detail = api.Lost, fmt.Sprintf("%s; missing samples: %d", detail, sum.absent)
		}
		list = append(list, p)
	}
	add(api.LineNoisy, n.damage, sum.damaged, "got a damaged reply")
	add(api.LineUnanswered, n.silence, sum.unanswered, "got no reply")
	return list
}
