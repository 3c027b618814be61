package sns

import "noi-agent/sinks"

// Cost returns what messages of a shape cost. Measured against loopback with sweeps of 1 to 48 objects, and 300 bytes
// added to each request for TLS and credentials: a request with one entry is 1,150 bytes up, with ten 5,480. The number
// after each plus comes down.
func Cost(s sinks.Shape) sinks.Cost {
	c := sinks.Cost{Request: 669 + 400, Message: 481 + 80, Attribute: 255, Most: func(int) int { return maxEntries }}
	switch {
	case s.Batch && s.Gzip:
		c.Message, c.Sample = 510+80, 12
	case s.Batch:
		c.Message, c.Sample = 563+80, 35
	}
	if s.Ordered { // each group has one message in a request
		c.Most = func(keys int) int { return max(1, min(maxEntries, keys)) }
	}
	return c
}
