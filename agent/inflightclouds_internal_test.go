package agent

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"noi-agent/sinks/sinktest/standin"
	"noi-agent/sinks/sns"
)

// faultySNS starts a stand-in of SNS that has each fiftieth request meet a fault. The bar is closed when so many different samples
// have arrived.
type faultySNS struct {
	*standin.SNS
	mu      sync.Mutex
	rnd     *rand.Rand
	ids     map[string]bool
	taken   []arrival
	samples int
	all     chan struct{}
	faults  int
}

func startFaultySNS(t *testing.T, samples int) *faultySNS {
	t.Helper()
	for _, name := range []string{"AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SNS", "AWS_CA_BUNDLE"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_ACCESS_KEY_ID", standin.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", standin.SecretAccessKey)
	c := &faultySNS{rnd: rand.New(rand.NewPCG(17, 44)), ids: map[string]bool{}, samples: samples, all: make(chan struct{})}
	var err error
	c.SNS, err = standin.StartSNS(standin.SNSOptions{Topics: []string{benchARN}, OnMessage: c.takes, Forget: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // nothing to lose
	c.SetFault(c.fault)
	return c
}

// takes notes a message that the cloud has taken.
func (c *faultySNS) takes(m standin.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := m.Attributes["sample_id"]
	c.taken = append(c.taken, arrival{m.Attributes["unit"] + "/" + m.Attributes["object"], id, time.Now()})
	if c.ids[id] = true; len(c.ids) == c.samples {
		select {
		case <-c.all:
		default:
			close(c.all)
		}
	}
}

// fault is what goes wrong with a request.
func (c *faultySNS) fault(r standin.Request) *standin.Fault {
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

// TestFaultsOfSNSWithManyRequestsInFlight has the real client of SNS at a distance of 20 ms. None is lost, none comes out
// of order, and what comes twice has its id. NOI_DRAIN=100000 is the long form.
func TestFaultsOfSNSWithManyRequestsInFlight(t *testing.T) {
	samples, dir := 0, t.TempDir()
	samples = fillOutbox(t, dir, drained(4000), 4)
	c := startFaultySNS(t, samples)
	r := startRelay(t, c.Addr(), 20*time.Millisecond, 0)
	sink, err := sns.New(sns.Options{TopicARN: benchARN, Endpoint: "http://" + r.addr(), Device: benchDevice, Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	a, stop := benchAgent(t, dir, awsConfig+", attributes: [unit, object, sample_id]", sink)
	select {
	case <-c.all:
	case <-time.After(20 * time.Minute):
		t.Error("the backlog does not drain")
	}
	stop()
	counts := a.store.Stats().Integrations[benchID]
	c.mu.Lock()
	defer c.mu.Unlock()
	different, wrong := judgeOrder(c.taken)
	for _, text := range wrong[:min(3, len(wrong))] {
		t.Error(text)
	}
	t.Logf("%d samples, %d taken, %d faults, %d connections; sent %d, failed %d, dead %d, dropped %d", different, len(c.taken), c.faults,
		r.connections(), counts.Sent, counts.Failed, counts.Dead, counts.Dropped)
	if different != samples || counts.Failed+counts.Dropped+uint64(counts.Dead) > 0 {
		t.Errorf("%d samples arrived of %d, and %+v", different, samples, counts)
	}
}
