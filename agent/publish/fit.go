package publish

import "noi-agent/sinks"

// leastFit is how many samples a request may always have: 3.5 kB of Pub/Sub's, 6 kB of a batch on SNS. Smaller requests
// would cost more than they save.
const leastFit = 100

// fit bounds the samples of a request on a link that loses answers, since the whole request is sent again. A lost
// answer halves the number, and each answer to a request of at least half that number adds a half. The zero fit has no
// bound. The forwarder's goroutine owns it.
type fit struct{ most int }

// landed notes the results of a request of n samples.
func (s *fit) landed(n int, results []sinks.Result) {
	lost := false
	for _, r := range results {
		lost = lost || r.Unreached()
	}
	switch {
	case lost && n > leastFit:
		s.most = max(n/2, leastFit)
	case !lost && 2*n >= s.most:
		s.most += s.most / 2
	}
}

// window returns how many samples the next request may have, of those that would fill it.
func (s *fit) window(full int) int {
	if s.most == 0 {
		return full
	}
	return min(s.most, full)
}
