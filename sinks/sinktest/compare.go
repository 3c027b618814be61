package sinktest

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"noi-agent/sinks"
)

// Way is one way to send sweeps to a cloud, for a comparison of the bytes at the socket.
type Way struct {
	Name string
	// Open prepares the way to the cloud at host (host:port), whose TLS certificate is from ca. It returns a function
	// that publishes one sweep and returns when the cloud has it.
	Open func(t *testing.T, host string, ca *Authority) (publish func(b sinks.Batch))
	Of   string  // name of an earlier way with which it is compared; "": none
	Most float64 // highest ratio of the bytes to the cloud; 0: no limit
}

// sweepsEnv is the number of sweeps that each way publishes; `make bench-uplink` sets it.
const sweepsEnv = "NOI_UPLINK_SWEEPS"

// CompareUplink publishes the same sweeps in each way to the cloud that listens without TLS at addr. A Front in
// between has TLS, and counts the bytes below it. CompareUplink prints the bytes for each sample, and fails if a
// ratio is above its limit. The connection stays open between sweeps, as with a sweep a minute. Its own cost is
// printed separately.
func CompareUplink(t *testing.T, addr, protocol string, ways []Way) {
	t.Helper()
	sweeps, err := strconv.Atoi(os.Getenv(sweepsEnv))
	if err != nil {
		sweeps = 6 // some, because bytes of the last one may still be on their way at the last answer
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

// warm is the number of sweeps before the counted ones: by then a client with a pool of connections has opened them
// all.
const warm = 4

// cost is the cost of a way: bytes a sample on an open connection, and the bytes of the first sweep, upload plus
// download.
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

// By returns a way with a sink. messages makes the messages of a sweep.
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
