package agent

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"noi-agent/agent/publish"
)

// The wanted rates. For SNS over a round trip of 100 ms without loss: messages a second. For each distance: the gain
// over one request at a time.
const (
	wantedAfar = 1500
	wantedGain = 2.0
)

// afar starts an agent with a backlog, and returns its messages a second to the cloud. The measurement begins when
// the agent has found its number of requests in flight, after warm at most.
func afar(b *testing.B, config string, sink publish.Sink, warm, measured time.Duration) float64 {
	b.Helper()
	dir := b.TempDir()
	fillOutbox(b, dir, 8000*int(1+(warm+measured)/time.Second), 4)
	a, stop := benchAgent(b, dir, config, sink)
	defer stop()
	sent := func() uint64 { return a.store.Stats().Integrations[benchID].Sent }
	<-time.After(warm)
	before, begin := sent(), time.Now()
	<-time.After(measured)
	if a.store.Stats().Integrations[benchID].Backlog == 0 {
		b.Fatal("the backlog was sent before the end of the measurement: it is too small")
	}
	return float64(sent()-before) / time.Since(begin).Seconds()
}

// BenchmarkAfar sends a backlog over distances, with and without loss, of four controllers with 48 objects each. It
// compares the number of requests in flight that the agent chooses with one request in flight.
func BenchmarkAfar(b *testing.B) {
	for _, roundTrip := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond} {
		for _, loss := range []float64{0, 0.01} {
			b.Run(fmt.Sprintf("SNS/%v/loss=%v%%", roundTrip, 100*loss), func(b *testing.B) {
				url := quickSNS(b)
				to := strings.TrimPrefix(url, "http://")
				warm := 2*time.Second + 24*roundTrip
				run := func(config string) float64 {
					return afar(b, awsConfig+config, newSNS(b, "http://"+startRelay(b, to, roundTrip, loss).addr()), warm, 6*time.Second)
				}
				least := 0.0
				if loss == 0 && roundTrip == 100*time.Millisecond {
					least = wantedAfar
				}
				one, many := run(", in_flight: 1"), run("")
				if many < max(least, wantedGain*one) {
					many = run("") // a second try, because another program on the machine can spoil one
				}
				b.ReportMetric(one, "one_in_flight/s")
				b.ReportMetric(many, "messages/s")
				b.ReportMetric(many/one, "gain")
				if many < max(least, wantedGain*one) {
					b.Errorf("%.0f messages a second, %.0f with one request at a time; wanted: %.1f of that, and %.0f", many, one, wantedGain, least)
				}
			})
		}
	}
}
