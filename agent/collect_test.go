package agent_test

import (
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
)

const collecting = `
device_id: 5300520006504b5957343920
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM, objects: [Et_float, EV_float, array_fault], intervals: {"*": 10s}}]}
integrations:
  - {name: x, type: gcp, topic: projects/test-project/topics/Main, publish_every: 2m}
`

// collected is a controller whose array_fault can be set.
func collected() (slave *modbustest.Slave, fault *atomic.Uint32) {
	slave, fault = controller(1), new(atomic.Uint32)
	slave.Read = func(function byte, addr, count uint16) ([]uint16, byte) {
		words, exception := modbustest.OwnAddress(function, addr, count)
		if at := arrayFault - addr; addr <= arrayFault && at < count && function == 4 {
			words[at] = uint16(fault.Load())
		}
		return words, exception
	}
	return slave, fault
}

const arrayFault uint16 = 0x0022

// publications returns the times of the publications, and the number of samples in each.
func (s *site) publications() (at []time.Time, samples []int) {
	s.t.Helper()
	for _, body := range s.sink.bodies() {
		var m struct {
			PublishedAt time.Time `json:"published_at"`
		}
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			s.t.Fatal(err)
		}
		if len(at) == 0 || at[len(at)-1] != m.PublishedAt {
			at, samples = append(at, m.PublishedAt), append(samples, 0)
		}
		samples[len(samples)-1]++
	}
	return at, samples
}

func startCollecting(t *testing.T, config string) (*site, *atomic.Uint32) {
	slave, fault := collected()
	return start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)}), fault
}

func TestSamplesAreCollectedAndSentTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := startCollecting(t, collecting)
		time.Sleep(775 * time.Second)
		s.stop()
		at, samples := s.publications()
		if len(at) != 7 && len(at) != 8 { // depends on the phase; the last publication is at the end of the agent
			t.Fatalf("published at %v", at)
		}
		sum := 0
		for i := range at {
			if sum += samples[i]; i == 0 || i == len(at)-1 {
				continue
			}
			if d := at[i].Sub(at[i-1]); d != 2*time.Minute || samples[i] != 36 {
				t.Errorf("%d samples %v after the ones before, want 36 each 2m", samples[i], d)
			}
		}
		if sum != 78*3 { // from 0 to 770 s
			t.Errorf("%d samples, want %d", sum, 78*3)
		}
	})
}

// All gateways sample at the multiples of the log interval. They do not all publish at these moments, even if the
// last round was long ago.
func TestRareSamplesWaitForTheGatewaysMomentToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := startCollecting(t, strings.Replace(collecting, "10s", "10m", 1))
		time.Sleep(35 * time.Minute)
		s.stop()
		at, _ := s.publications()
		if len(at) != 4 {
			t.Fatalf("published at %v", at)
		}
		for _, a := range at[1:] {
			if d := a.Sub(at[0]); d != d.Round(2*time.Minute) {
				t.Errorf("published at %v", at)
			}
		}
	})
}

func TestFaultEndsTheWaitAndTakesTheRestAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, fault := startCollecting(t, collecting)
		time.Sleep(5 * time.Minute)
		at, _ := s.publications()
		regular := at[len(at)-1]
		time.Sleep(time.Until(regular.Add(65 * time.Second)))
		fault.Store(1)
		time.Sleep(20 * time.Second)
		urgent, samples := s.publications()
		time.Sleep(2 * time.Minute)
		after, _ := s.publications()
		s.stop()
		last := len(urgent) - 1
		if wait := urgent[last].Sub(regular); len(urgent) != len(at)+1 || wait < 65*time.Second || wait > 76*time.Second || samples[last] < 18 {
			t.Errorf("%d samples at %v; the regular ones before at %v", samples[last], urgent[last], regular)
		}
		if len(after) != len(urgent)+1 || after[len(after)-1].Sub(regular) != 2*time.Minute {
			t.Errorf("published at %v, and then not at the regular moment: %v", urgent[last], after)
		}
	})
}

// A backlog after an outage is sent at once, and does not wait for the rounds. No sample is sent twice or left out.
func TestBacklogDoesNotWaitForRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := startCollecting(t, strings.Replace(collecting, "2m", "10m, catch_up: {spread: 0s}", 1))
		s.sink.answers(func(sinks.Message) sinks.Result { return sinks.Failed(sinks.Retry, "Unavailable", "no link") })
		time.Sleep(30 * time.Minute)
		s.sink.answers(nil)
		time.Sleep(61 * time.Second) // the longest wait after a failure
		synctest.Wait()
		status := s.status().Integrations[0]
		at, _ := s.publications()
		s.stop()
		if status.Backlog > 21 || status.Sent < 500 {
			t.Errorf("%d wait, %d were sent", status.Backlog, status.Sent)
		}
		if took := at[len(at)-1].Sub(at[0]); took > time.Minute {
			t.Errorf("sending took %v", took)
		}
	})
}

func TestCollectedSamplesAreNoBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := startCollecting(t, strings.Replace(collecting, "publish_every: 2m", "publish_every: 10m, catch_up: {rate: 1}", 1))
		time.Sleep(30 * time.Minute)
		s.stop()
		at, samples := s.publications()
		if len(at) > 4 || samples[1] != 180 || samples[2] != 180 {
			t.Errorf("%v samples at %v: the catch-up rate slows down collected samples too", samples, at)
		}
	})
}

func TestStatusTellsTheNextPublication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := startCollecting(t, collecting+`
  - {name: y, type: gcp, topic: projects/test-project/topics/Other}
  - {name: z, type: gcp, topic: projects/test-project/topics/Third, publish_every: 2m, enabled: false}
`)
		for range 20 {
			time.Sleep(37 * time.Second)
			synctest.Wait()
			before, _ := s.publications()
			in := s.status().Integrations
			if in[1].NextPublication != nil || in[2].NextPublication != nil {
				t.Fatal("a next publication is shown for an integration that sends at once, or is paused")
			}
			next := in[0].NextPublication
			if next == nil || next.Location() != time.UTC || !next.After(time.Now().Add(-time.Second)) {
				t.Fatalf("next publication %v at %v", next, time.Now())
			}
			time.Sleep(time.Until(next.Add(time.Second)))
			synctest.Wait()
			after, _ := s.publications()
			if at := after[len(after)-1]; len(after) < len(before)+1 || at.Sub(*next).Abs() > time.Second {
				t.Fatalf("published at %v, want %v as shown in the status", after[len(before):], next)
			}
		}
		s.stop()
	})
}
