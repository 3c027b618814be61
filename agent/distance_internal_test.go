package agent

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"noi-agent/agent/publish"
)

// What is wanted of SNS over a round trip of 100 ms without loss, in messages a second; and over each distance, as a
// share of what one request at a time carries.
const (
	wantedAfar = 1500
	wantedGain = 2.0
)

// afar starts an agent with a backlog that it sends to a cloud for a while, and returns how many messages a second it
// sent after the number in flight was found, which takes warm at most.
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
		b.Fatal("the backlog is too small")
	}
	return float64(sent()-before) / time.Since(begin).Seconds()
}

// BenchmarkAfar: a backlog over distances, with and without loss, with as many requests in flight as the agent finds
// good, and with one. Four controllers with 48 objects each.
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
					many = run("") // another program on the machine can spoil one
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
