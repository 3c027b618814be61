package sinktest

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"noi-agent/sinks"
)

// Way is one way of getting sweeps to a cloud, in a comparison of what that costs at the socket.
type Way struct {
	Name string
	// Open gets ready to publish to the cloud at host (host:port), which speaks TLS with a certificate of ca, and
	// returns what publishes one sweep and is back when the cloud has it.
	Open func(t *testing.T, host string, ca *Authority) (publish func(b sinks.Batch))
	Of   string  // Name of an earlier way that it is held against; "": of none
	Most float64 // most of that one's bytes to the cloud; 0: it is only shown
}

// sweepsEnv says how many sweeps a way gets to publish; `make bench-uplink` sets it.
const sweepsEnv = "NOI_UPLINK_SWEEPS"

// CompareUplink publishes the same sweeps each way to the cloud that listens in plaintext at addr, through a Front that
// speaks TLS and counts the bytes below it. It prints them by sample and fails where a ratio is above what is wanted.
// The connection is kept from sweep to sweep, as with a sweep a minute; what it costs to open is shown by itself.
func CompareUplink(t *testing.T, addr, protocol string, ways []Way) {
	t.Helper()
	sweeps, err := strconv.Atoi(os.Getenv(sweepsEnv))
	if err != nil {
		sweeps = 6 // what is still on its way when the last answer comes is one of so many
	}
	fmt.Fprintf(t.Output(), "%-48s %9s %9s %7s %7s %12s\n", "bytes a sample, TLS included", "up", "down", "ratio",
		"wanted", "first sweep")
	up := map[string]float64{}
	for _, w := range ways {
		c := w.cost(t, addr, protocol, sweeps)
		up[w.Name] = c.up
		ratio, wanted := "", ""
		if of := up[w.Of]; of > 0 {
			ratio = fmt.Sprintf("%.3f", c.up/of)
			if w.Most > 0 {
				wanted = fmt.Sprintf("%.2f", w.Most)
			}
			if w.Most > 0 && c.up > w.Most*of {
				t.Errorf("%s: %.1f bytes a sample, %s of those of %s; wanted: %.2f", w.Name, c.up, ratio, w.Of, w.Most)
			}
		} else if w.Of != "" {
			t.Fatalf("%s: no way %s came before it", w.Name, w.Of)
		}
		fmt.Fprintf(t.Output(), "%-48s %9.1f %9.1f %7s %7s %12d\n", w.Name, c.up, c.down, ratio, wanted, c.first)
		if c.connections > 1 {
			fmt.Fprintf(t.Output(), "%-48s %d connections in place of one\n", "", c.connections)
		}
	}
}

// warm is how many sweeps go before those that are counted: a client with a pool of connections has opened them all by
// then.
const warm = 4

// cost is what a way takes: bytes a sample on a connection that stands, and those of the first sweep, up and down
// together.
type cost struct {
	up, down    float64
	first       uint64
	connections int
}

func (w Way) cost(t *testing.T, addr, protocol string, sweeps int) cost {
	t.Helper()
	ca := NewAuthority(t)
	config := ServerConfig(ca.Good(t, "127.0.0.1"))
	config.NextProtos = []string{protocol}
	front := StartFront(t, addr, config)
	publish := w.Open(t, front.Addr(), ca)
	b := Sweep(t)
	next := func() {
		publish(b)
		b.PublishedAt = b.PublishedAt.Add(time.Minute)
		for i := range b.Samples {
			b.Samples[i].SampledAt = b.Samples[i].SampledAt.Add(time.Minute)
			b.Samples[i].N += uint64(len(b.Samples))
		}
	}
	next()
	down, up := front.Counts()
	first := up + down
	for range warm {
		next()
	}
	down, up = front.Counts()
	for range sweeps {
		next()
	}
	laterDown, laterUp := front.Counts()
	samples := float64(sweeps * len(b.Samples))
	return cost{float64(laterUp-up) / samples, float64(laterDown-down) / samples, first, front.Accepted()}
}

// By returns a way of a sink: messages makes those of a sweep.
func By(open func(t *testing.T, host string, ca *Authority) Sink,
	messages func(b sinks.Batch) []sinks.Message) func(*testing.T, string, *Authority) func(sinks.Batch) {
	return func(t *testing.T, host string, ca *Authority) func(sinks.Batch) {
		sink := open(t, host, ca)
		return func(b sinks.Batch) {
			t.Helper()
			want(t, Drain(t, sink, messages(b)), sinks.Accepted)
		}
	}
}
