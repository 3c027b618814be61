package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
	"noi-agent/sinks"
	"noi-agent/store"
)

// The figures of `make bench-drain`. Everything runs in one process: the agent with its outbox on disk, the
// stand-ins, and the bare clients.

const (
	benchID     = "FFjU28MMaL3W9B9hhhhH"
	benchDevice = "5300520006504b5957343920"

	// drainEnv is the number of samples to drain. `make bench-drain` sets 200,000.
	drainEnv = "NOI_DRAIN"

	// leastOfBare is the wanted share of a bare client's rate. flatMemory is how many MiB the memory may grow.
	leastOfBare = 0.5
	flatMemory  = 16
)

// drained returns how many samples to drain. few is enough to check that the benchmark itself works.
func drained(few int) int {
	if n, err := strconv.Atoi(os.Getenv(drainEnv)); err == nil {
		return n
	}
	return few
}

// benchSweep is a sweep of 48 objects of a ProStar PWM, the first of a run.
func benchSweep(tb testing.TB, run uint64) objects.Sweep {
	tb.Helper()
	const wanted = 48
	sw := objects.Sweep{
		Source: objects.Source{Line: "rs485", UnitID: 1, Slave: "PS-PWM-30M", Firmware: "v01.04.06", FWVersion: "PSPWM 1.0.10"},
		Run:    run, Routes: []objects.Route{{Integration: benchID}},
	}
	catalog, err := objects.LoadCatalog()
	if err != nil {
		tb.Fatal(err)
	}
	family, _ := catalog.Family("PSPWM")
	for i, o := range family.Objects[:wanted] {
		s := objects.Sample{Object: o.Name, Value: objects.Number(0)}
		switch o.Kind() {
		case objects.KindText:
			s.Value = objects.Text("FLOAT")
		case objects.KindBits:
			s.Value = objects.Bits(nil)
		}
		sw.Samples = append(sw.Samples, s)
		sw.Routes[0].Picked = append(sw.Routes[0].Picked, i)
	}
	return later(sw, 0, time.Now())
}

// later returns sweep n of the same run, from 0, with values like those of half-precision registers.
func later(sw objects.Sweep, n int, at time.Time) objects.Sweep {
	sw.Samples, sw.BootedAt = slices.Clone(sw.Samples), at.Add(-time.Hour)
	for i := range sw.Samples {
		s := &sw.Samples[i]
		s.N, s.Seq, s.SampledAt = uint64(n*len(sw.Samples)+i+1), uint64(n+1), at
		if s.Value.Kind() == objects.KindNumber {
			s.Value = objects.Number(float64((n*7+i*31)%4096) / 128)
		}
	}
	return sw
}

// fillOutbox leaves a backlog of so many samples of some controllers in a state directory, as after an outage: one
// sweep a second, the last one just now. It returns the number of samples.
func fillOutbox(tb testing.TB, dir string, samples, units int) (filled int) {
	tb.Helper()
	s, err := store.Open(filepath.Join(dir, "noi.db"), store.Options{Limits: store.Limits{MaxSize: 1 << 30}})
	if err == nil {
		err = s.SetIntegrations([]store.Integration{{ID: benchID}})
	}
	if err != nil {
		tb.Fatal(err)
	}
	first := benchSweep(tb, s.Run())
	sweeps := (samples + len(first.Samples) - 1) / len(first.Samples)
	begin := time.Now().Add(-time.Duration(sweeps) * time.Second)
	for done := 0; done < sweeps; {
		var some []objects.Sweep
		for ; len(some) < 1000 && done < sweeps; done++ {
			sw := later(first, done, begin.Add(time.Duration(done)*time.Second))
			sw.Source.UnitID = byte(1 + done%units)
			some = append(some, sw)
		}
		if err := s.Append(tb.Context(), some...); err != nil {
			tb.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
	return sweeps * len(first.Samples)
}

// benchAgent starts an agent whose port never opens, so that it only sends the outbox.
func benchAgent(tb testing.TB, dir, integration string, sink publish.Sink) (a *Agent, stop func()) {
	tb.Helper()
	catalog, err := objects.LoadCatalog()
	if err != nil {
		tb.Fatal(err)
	}
	parsed, faults := configs.Parse([]byte("device_id: "+benchDevice+"\nstate_dir: "+dir+`
clock: {source: system}
buffer: {max_size: 1GiB}
lines:
  - {name: rs485, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM}]}
integrations:
  - {id: `+benchID+", "+integration+"}\n"), catalog)
	if err := faults.Err(); err != nil {
		tb.Fatal(err)
	}
	a, err = New(Options{
		Config: parsed, Catalog: catalog, Version: "1.0.10", Logger: slog.New(slog.DiscardHandler),
		NewSink:  func(configs.Integration, string) (publish.Sink, error) { return sink, nil },
		OpenPort: func(modbus.Settings) (modbus.Port, error) { return nil, errors.New("not there") },
	})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return a, func() {
		a.Abort() // the remaining backlog stays
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("the agent ended with %v", err)
		}
	}
}

// turns is a sink that stops after each slice of messages until next is called, so that two sides can take turns.
type turns struct {
	publish.Sink
	slice, left int
	goOn        chan struct{}
	over        chan struct{} // a slice has ended
	end         chan struct{} // closed before the agent ends
}

func newTurns(sink publish.Sink, slice int) *turns {
	return &turns{Sink: sink, slice: slice, goOn: make(chan struct{}), over: make(chan struct{}, 1), end: make(chan struct{})}
}

// Publish is part of Sink.
func (s *turns) Publish(ctx context.Context, messages []sinks.Message) []sinks.Result {
	if s.left <= 0 {
		select {
		case <-s.goOn:
			s.left += s.slice                // the last request of a slice may be longer than the slice
			ctx = context.WithoutCancel(ctx) // the other side's turn may take longer than an attempt may
		case <-s.end:
			return sinks.Repeat(sinks.Failed(sinks.Retry, sinks.CodeTimeout, "not its turn"), len(messages))
		}
	}
	results := s.Sink.Publish(ctx, messages)
	for _, r := range results {
		if r.Outcome == sinks.Accepted {
			s.left--
		}
	}
	if s.left <= 0 {
		s.over <- struct{}{}
	}
	return results
}

// next allows one slice and returns its time. The work after its last answer counts for the next slice.
func (s *turns) next(tb testing.TB) time.Duration {
	tb.Helper()
	begin := time.Now()
	s.goOn <- struct{}{}
	select {
	case <-s.over:
	case <-time.After(5 * time.Minute):
		tb.Fatal("the drain has stopped")
	}
	return time.Since(begin)
}

// bare is a client for comparison: send publishes n samples with the cloud's own client, with the request size and
// the number in flight of the agent.
type bare struct {
	name string
	send func(n int)
}

// drain drains an outbox in turns with the bare clients, and reports the rates. The first slice of each side does not
// count.
func drain(b *testing.B, integration string, sink publish.Sink, slice int, beside []bare) {
	b.Helper()
	dir := b.TempDir()
	samples := fillOutbox(b, dir, drained(12*slice), 1)
	s := newTurns(sink, min(slice, samples/4))
	a, stop := benchAgent(b, dir, integration, s)
	defer func() {
		close(s.end)
		stop()
	}()
	var ours time.Duration
	theirs := make([]time.Duration, len(beside))
	var begin, peak float64
	counted := 0
	for turn := 0; (turn+1)*s.slice <= samples; turn++ {
		watch := watchMemory()
		took := s.next(b)
		used := watch()
		if turn == 0 {
			begin = used
			for _, other := range beside {
				other.send(s.slice)
			}
			continue
		}
		counted += s.slice
		ours, peak = ours+took, max(peak, used)
		for i, other := range beside {
			from := time.Now()
			other.send(s.slice)
			theirs[i] += time.Since(from)
		}
	}
	if sent := a.store.Stats().Integrations[benchID].Sent; counted == 0 || sent < uint64(counted) {
		b.Fatalf("%d samples are settled, the benchmark counted %d", sent, counted)
	}
	b.ReportMetric(float64(counted)/ours.Seconds(), "samples/s")
	for i, other := range beside {
		ratio := theirs[i].Seconds() / ours.Seconds()
		b.ReportMetric(float64(counted)/theirs[i].Seconds(), other.name+"/s")
		b.ReportMetric(ratio, "of_"+other.name)
		if i == 0 && ratio < leastOfBare {
			b.Errorf("%.2f of the rate of %s; wanted: %.2f", ratio, other.name, leastOfBare)
		}
	}
	b.ReportMetric(begin, "anon_MiB_first_slice")
	b.ReportMetric(peak, "anon_MiB_later")
	if peak > begin+flatMemory {
		b.Errorf("%.1f MiB of anonymous memory, %.1f in the first slice", peak, begin)
	}
}

// watchMemory measures the process's anonymous memory ten times a second until the returned function is called. That
// function returns the highest value.
func watchMemory() (most func() float64) {
	end, done := make(chan struct{}), make(chan float64)
	go func() {
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		peak := anonymous()
		for {
			select {
			case <-ticker.C:
				peak = max(peak, anonymous())
			case <-end:
				done <- max(peak, anonymous())
				return
			}
		}
	}()
	return func() float64 { close(end); return <-done }
}

// anonymous returns RssAnon of the process in MiB. It does not include the store's mapped file.
func anonymous() float64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }() // the file was only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kib float64
		if rest, ok := strings.CutPrefix(lines.Text(), "RssAnon:"); ok {
			if _, err := fmt.Sscan(rest, &kib); err == nil {
				return kib / 1024
			}
		}
	}
	return 0
}

// stopwatch is a sink that records when each message was accepted.
type stopwatch struct {
	publish.Sink
	mu       sync.Mutex
	accepted map[string]time.Time // by sample id
	more     chan struct{}
}

// Publish is part of Sink.
func (s *stopwatch) Publish(ctx context.Context, messages []sinks.Message) []sinks.Result {
	results := s.Sink.Publish(ctx, messages)
	now := time.Now()
	s.mu.Lock()
	for i, r := range results {
		if r.Outcome == sinks.Accepted {
			s.accepted[messages[i].SampleID] = now
		}
	}
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return results
}

func (s *stopwatch) has() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.accepted)
}

// mostLate is how much longer than the commit window it may take until the cloud has a sample, for 99 of 100 samples.
const mostLate = 100 * time.Millisecond

// online offers sweeps to the store of a running agent. They are a fourth of the commit window apart, and not in step
// with it. It reports the time until the cloud has accepted each sample, and until its sweep was durable or no longer
// had to be written. At the end come sweeps with an alarm, whose commit does not wait for the window: their time is
// that of a commit.
func online(b *testing.B, integration string, sink publish.Sink, sweeps int) {
	b.Helper()
	s := &stopwatch{Sink: sink, accepted: map[string]time.Time{}, more: make(chan struct{}, 1)}
	a, stop := benchAgent(b, b.TempDir(), integration, s)
	defer stop()
	offered := map[string]time.Time{}
	first, n := benchSweep(b, a.store.Run()), 0
	offer := func(urgent bool) (*store.Pledge, time.Time) {
		at := time.Now()
		sw := later(first, n, at)
		sw.Urgent = urgent
		n++
		for i := range sw.Samples {
			offered[objects.SampleID(benchDevice, a.store.ID(), sw.Run, sw.Samples[i].N)] = at
		}
		pledge, err := a.store.Offer(b.Context(), sw)
		if err != nil {
			b.Fatal(err)
		}
		return pledge, at
	}
	all := func() {
		timeout := time.After(time.Minute)
		for s.has() < len(offered) {
			select {
			case <-s.more:
			case <-timeout:
				b.Fatalf("%d of %d samples are accepted", s.has(), len(offered))
			}
		}
	}
	offer(false)
	all() // the connection is open
	clear(offered)
	s.mu.Lock()
	clear(s.accepted)
	s.mu.Unlock()

	ticker := time.NewTicker(time.Second / 4 * 29 / 31)
	defer ticker.Stop()
	var durable, commits, accepted []time.Duration
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range sweeps {
		<-ticker.C
		pledge, at := offer(false)
		wg.Go(func() {
			<-pledge.Done()
			mu.Lock()
			defer mu.Unlock()
			durable = append(durable, time.Since(at))
		})
	}
	wg.Wait()
	all()
	for id, at := range offered {
		accepted = append(accepted, s.accepted[id].Sub(at))
	}
	for range 20 {
		<-ticker.C
		pledge, at := offer(true)
		<-pledge.Done()
		commits = append(commits, time.Since(at))
	}
	all()
	report := func(name string, took []time.Duration) time.Duration {
		slices.Sort(took)
		p99 := took[len(took)*99/100]
		for at, d := range map[string]time.Duration{"p50": took[len(took)/2], "p99": p99, "max": took[len(took)-1]} {
			b.ReportMetric(float64(d.Microseconds())/1000, name+"_"+at+"_ms")
		}
		return p99
	}
	report("durable", durable)
	report("commit", commits)
	if p99 := report("accepted", accepted); p99 > time.Second+mostLate {
		b.Errorf("p99 of %v from offer to acceptance", p99)
	}
}
