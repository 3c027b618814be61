package pubsub

import "noi-agent/sinks"

// Cost returns what messages of a shape cost. Measured against loopback, with 300 bytes added to each request for TLS
// and credentials. Pub/Sub packs whole requests, so that the cost of one message depends on its neighbours: the figures
// are within a fifth of what was measured, from 1 message to 1,000. The number after each plus comes down.
func Cost(s sinks.Shape) sinks.Cost {
	c := sinks.Cost{Request: 820 + 150, Message: 9.5 + 20, Attribute: 1.4, Most: func(int) int { return maxMessages }}
	switch {
	case s.Batch && s.Gzip:
		c.Message, c.Sample = 200+20, 9
	case s.Batch:
		c.Message, c.Sample = 10+20, 4
	}
	if s.Ordered { // a request has messages of one ordering key
		c.Most = func(keys int) int {
			if keys > 1 {
				return 1
			}
			return maxMessages
		}
	}
	return c
}
