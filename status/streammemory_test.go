package status_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/status"
	"noi-agent/status/api"
	"noi-agent/status/logs"
)

// livelyWorld has one controller. Each request finds 52 new values, 20 new rows of the trigger log and new counters.
type livelyWorld struct {
	*movingWorld
	n uint64
}

func (w *livelyWorld) Status() api.Status {
	w.n++
	s := w.movingWorld.Status()
	s.Integrations = []api.Integration{{ID: "FFjU28MMaL3W9B9hhhhH", Gaps: []api.Gap{}, State: "ok", Sent: 20 * w.n}}
	return s
}

func (w *livelyWorld) Objects() api.Objects {
	var all api.Objects
	for i := range 52 {
		v := value(fmt.Sprintf("object_%02d", i), fmt.Sprint(12+float64(w.n)/128))
		v.SampledAt = time.Now()
		all.Objects = append(all.Objects, v)
	}
	return all
}

func (w *livelyWorld) Triggers(q api.TriggerQuery) (api.Triggers, error) {
	var all api.Triggers
	for i := range min(q.Limit, 20) {
		all.Triggers = append(all.Triggers, api.Trigger{ID: 20*w.n - uint64(i), Success: true, Attempts: 1, CompletedAt: "2022-06-28T08:20:30Z",
			IntegrationID: "FFjU28MMaL3W9B9hhhhH", PublishedData: json.RawMessage(`{"published_at":"2022-06-28T08:20:29.502Z","data":12.117188}`)})
	}
	return all, nil
}

// inUse returns the memory of reachable objects and stacks, in bytes. It leaves out free memory that Go has not
// returned.
func inUse() int64 {
	runtime.GC()
	runtime.GC() // frees the content of pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// stream makes a client read a stream for a time, and calls open before the client leaves. When it returns, no
// watcher is left.
func stream(t *testing.T, o *status.Options, lasts time.Duration, open func()) (got map[string]int, end func()) {
	arriving, leave, end, err := status.Stream(o)
	if err != nil {
		t.Fatal(err)
	}
	var client sync.WaitGroup
	stop := make(chan struct{})
	got = map[string]int{}
	client.Go(func() {
		for {
			select {
			case e := <-arriving:
				got[e.Name]++
			case <-stop:
				return
			}
		}
	})
	time.Sleep(lasts)
	synctest.Wait()
	open()
	close(stop)
	client.Wait()
	leave()
	time.Sleep(time.Minute)
	return got, end
}

// An open stream costs at most 1 MB. Half of this is for the stream itself; its connection has two goroutines and 12
// kB of buffers.
func TestOpenStreamTakesLittleMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &livelyWorld{movingWorld: &movingWorld{world: quiet()}}
		o := &status.Options{Reporter: w, TriggerLog: w, Logs: &logs.Ring{}, Run: 7}
		_, end := stream(t, o, 10*time.Second, func() {}) // allocates everything that is made only once
		end()
		before, took := inUse(), int64(0)
		got, end := stream(t, o, 10*time.Minute, func() { took = inUse() - before })
		defer end()
		t.Logf("a stream that is open for ten minutes uses %d bytes; events %v", took, got)
		if got[api.EventValues] < 590 || got[api.EventTrigger] < 590*20 {
			t.Errorf("events: %v", got)
		}
		if took > 500_000 {
			t.Errorf("a stream that is open for ten minutes uses %d bytes", took)
		}
	})
}

// After its last client has left, a stream frees its memory.
func TestClosedStreamGivesItsMemoryBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &livelyWorld{movingWorld: &movingWorld{world: quiet()}}
		o := &status.Options{Reporter: w, TriggerLog: w, Logs: &logs.Ring{}, Run: 7}
		most := int64(0)
		_, end := stream(t, o, 10*time.Minute, func() { most = inUse() })
		defer end()
		if back := most - inUse(); back < 100_000 {
			t.Errorf("%d bytes are freed", back)
		}
	})
}
