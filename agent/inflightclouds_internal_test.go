package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"noi-agent/agent/publish"
	"noi-agent/objects"
	"noi-agent/sinks"
	"noi-agent/sinks/pubsub"
	"noi-agent/sinks/sinktest/standin"
	"noi-agent/sinks/sns"
)

// faultyCloud is a stand-in of a cloud that gives each fiftieth request a fault. The bar is closed when so many
// different samples have arrived.
type faultyCloud struct {
	mu      sync.Mutex
	rnd     *rand.Rand
	ids     map[string]bool
	taken   []arrival
	samples int
	all     chan struct{}
	faults  int
	first   objects.Sweep // the sweep from which the samples were made
	begin   time.Time     // arrival of the first sample; zero: none has arrived
	wrong   []string      // messages that differ from their samples
}

func newFaultyCloud(t *testing.T, samples int) *faultyCloud {
	t.Helper()
	return &faultyCloud{rnd: rand.New(rand.NewPCG(17, 44)), ids: map[string]bool{}, samples: samples, all: make(chan struct{}), first: benchSweep(t, 1)}
}

func startFaultySNS(t *testing.T, samples int) (c *faultyCloud, addr string) {
	t.Helper()
	for _, name := range []string{"AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SNS", "AWS_CA_BUNDLE"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_ACCESS_KEY_ID", standin.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", standin.SecretAccessKey)
	c = newFaultyCloud(t, samples)
	cloud, err := standin.StartSNS(standin.SNSOptions{Topics: []string{benchARN}, OnMessage: c.takes, Forget: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cloud.Close() }) // nothing to lose
	cloud.SetFault(c.fault)
	return c, cloud.Addr()
}

// takes records a message that the cloud has accepted.
func (c *faultyCloud) takes(m standin.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := m.Attributes["sample_id"]
	c.compare(m, numberOf(id))
	c.taken = append(c.taken, arrival{m.Attributes["unit"] + "/" + m.Attributes["object"], id, time.Now()})
	if c.ids[id] = true; len(c.ids) == c.samples {
		select {
		case <-c.all:
		default:
			close(c.all)
		}
	}
}

// compare compares a message byte by byte with the sample of its number, as fillOutbox has made it.
func (c *faultyCloud) compare(m standin.Message, number uint64) {
	sweep, at := int(number-1)/len(c.first.Samples), int(number-1)%len(c.first.Samples)
	var got struct {
		PublishedAt time.Time `json:"published_at"`
		SampledAt   time.Time `json:"sampled_at"`
	}
	if err := json.Unmarshal(m.Body, &got); err != nil {
		c.wrong = append(c.wrong, fmt.Sprintf("%s: %v", m.Body, err))
		return
	}
	after := time.Duration(sweep) * time.Second
	if c.begin.IsZero() {
		c.begin = got.SampledAt.Add(-after)
	}
	sw := later(c.first, sweep, c.begin.Add(after))
	sw.Source.UnitID = byte(1 + sweep%faultyUnits)
	want := sinks.AppendBody(nil, sinks.Envelope{PublishedAt: got.PublishedAt, DeviceID: benchDevice,
		IntegrationID: benchID, Source: sw.Source, Run: 1, Sample: sw.Samples[at]})
	object, unit := sw.Samples[at].Object, sw.Source.Unit()
	if !bytes.Equal(m.Body, want) || m.Attributes["object"] != object || m.Attributes["unit"] != unit {
		c.wrong = append(c.wrong, fmt.Sprintf("%s %v, want %s of %s", m.Body, m.Attributes, want, unit))
	}
}

// fault returns the fault of a request.
func (c *faultyCloud) fault(r standin.Request) *standin.Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := &standin.Fault{}
	switch c.rnd.IntN(500) {
	case 0:
		f.Hang = true
	case 1, 2, 3:
		f.Drop, f.Taken, f.Cut = true, true, c.rnd.IntN(300) // in the middle of the answer
	case 4:
		*f = standin.SNSThrottled()
	case 5, 6, 7, 8, 9:
		*f = standin.SNSInternal()
		one := string(r.Messages[c.rnd.IntN(len(r.Messages))].Body)
		f.Only = func(m standin.Message) bool { return string(m.Body) == one }
	default:
		return nil
	}
	c.faults++
	return f
}

// faultyUnits is the number of controllers in the backlog.
const faultyUnits = 4

// drainsInto sends a backlog to a faulty cloud. No sample is lost or out of order, and a repeated sample has the same
// id. Each message equals its sample byte by byte, although requests are abandoned while the next ones are built.
func (c *faultyCloud) drainsInto(t *testing.T, dir, config string, sink publish.Sink, r *relay) {
	t.Helper()
	a, stop := benchAgent(t, dir, config+", attributes: [unit, object, sample_id]", sink)
	select {
	case <-c.all:
	case <-time.After(20 * time.Minute):
		t.Error("the backlog is not sent in time")
	}
	stop()
	counts := a.store.Stats().Integrations[benchID]
	c.mu.Lock()
	defer c.mu.Unlock()
	different, wrong := judgeOrder(c.taken)
	wrong = append(wrong, c.wrong...)
	for _, text := range wrong[:min(3, len(wrong))] {
		t.Error(text)
	}
	t.Logf("%d samples, %d taken, %d faults, %d connections; sent %d, failed %d, dead %d, dropped %d", different, len(c.taken), c.faults,
		r.connections(), counts.Sent, counts.Failed, counts.Dead, counts.Dropped)
	if different != c.samples || counts.Failed+counts.Dropped+uint64(counts.Dead) > 0 {
		t.Errorf("%d samples arrived of %d, and %+v", different, c.samples, counts)
	}
}

// TestFaultsOfSNSWithManyRequestsInFlight uses the real client of SNS at a distance of 20 ms. NOI_DRAIN=100000 is the
// long form.
func TestFaultsOfSNSWithManyRequestsInFlight(t *testing.T) {
	dir := t.TempDir()
	c, addr := startFaultySNS(t, fillOutbox(t, dir, drained(4000), faultyUnits))
	r := startRelay(t, addr, 20*time.Millisecond, 0)
	sink, err := sns.New(sns.Options{TopicARN: benchARN, Endpoint: "http://" + r.addr(), Device: benchDevice, Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	c.drainsInto(t, dir, awsConfig, sink, r)
}

// TestFaultsOfPubSubWithManyRequestsInFlight: with ordering keys a request has the samples of one object.
func TestFaultsOfPubSubWithManyRequestsInFlight(t *testing.T) {
	dir := t.TempDir()
	c := newFaultyCloud(t, fillOutbox(t, dir, drained(600), faultyUnits))
	cloud, err := standin.StartPubSub(standin.PubSubOptions{Topics: []string{benchTopic}, OnMessage: c.takes, Forget: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cloud.Close() }) // nothing to lose
	cloud.SetFault(c.pubsubFault)
	r := startRelay(t, cloud.Addr(), 20*time.Millisecond, 0)
	sink, err := pubsub.New(pubsub.Options{Topic: benchTopic, Endpoint: r.addr(), Device: benchDevice, Ordering: true, Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	c.drainsInto(t, dir, gcpConfig+", ordering: true", sink, r)
}

// pubsubFault returns the fault of a request to Pub/Sub.
func (c *faultyCloud) pubsubFault(standin.Request) *standin.Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := &standin.Fault{}
	switch c.rnd.IntN(100) {
	case 0:
		f.Hang = true
	case 1:
		f.Drop, f.Taken = true, true
	case 2:
		*f = standin.PubSubThrottled()
	default:
		return nil
	}
	c.faults++
	return f
}
