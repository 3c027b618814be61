package agent_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/agent"
	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
	"noi-agent/status/api"
	"noi-agent/store"
)

// reload makes the agent use another configuration, with another state directory.
func (s *site) reload(config string) {
	s.t.Helper()
	s.reloadIn(s.t.TempDir(), config)
}

// reloadIn is reload with a state directory.
func (s *site) reloadIn(dir, config string) {
	s.t.Helper()
	catalog := mustCatalog(s.t)
	parsed, faults := configs.Parse([]byte("state_dir: "+dir+"\n"+config), catalog)
	if err := faults.Err(); err != nil {
		s.t.Fatal(err)
	}
	if err := s.agent.Reload(s.t.Context(), parsed, catalog); err != nil {
		s.t.Fatal(err)
	}
}

// TestReloadMovesALineWithoutLosingTheOutbox: the cloud is down while the line gets other settings and another log
// interval.
func TestReloadMovesALineWithoutLosingTheOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, after := controller(1), controller(1)
		s := start(t, oneSlave, map[string]*modbustest.Pipe{
			"/dev/ttyA": modbustest.NewPipe(9600, 11, before), "/dev/ttyB": modbustest.NewPipe(19200, 11, after),
		})
		s.sink.answers(func(sinks.Message) sinks.Result { return sinks.Failed(sinks.Retry, "Timeout", "no way") })
		time.Sleep(15 * time.Second)
		backlog := s.status().Integrations[0].Backlog
		moved := strings.NewReplacer("/dev/ttyA", "/dev/ttyB, baud: 19200", "10s", "5s").Replace(oneSlave)
		s.reload(moved)
		asked := before.Requests()
		time.Sleep(16 * time.Second)
		s.sink.answers(nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		status := s.status()
		s.stop()
		if backlog != 6 {
			t.Errorf("%d samples waited before the reload, want 6", backlog)
		}
		if before.Requests() != asked || after.Requests() == 0 {
			t.Errorf("%d requests to the old port after the reload, %d to the new one",
				before.Requests()-asked, after.Requests())
		}
		got := map[string]int{}
		for _, m := range s.messages() {
			got[m.SampledAt+" "+m.Object]++
		}
		for _, at := range []string{"00:00", "00:10", "00:15", "00:20", "00:25", "00:30"} {
			if got["2000-01-01T00:"+at+"Z Et_float"] != 1 {
				t.Errorf("the sample of %s came %d times", at, got["2000-01-01T00:"+at+"Z Et_float"])
			}
		}
		if line := status.Lines[0]; line.Port != "/dev/ttyB" || line.State != "ok" {
			t.Errorf("%+v", line)
		}
	})
}

func TestReloadLeavesAloneWhatDidNotChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(5 * time.Second)
		requests := slave.Requests()
		s.reload(oneSlave + "  - {name: y, type: gcp, topic: projects/test-project/topics/Other, objects: Et_float}\n")
		time.Sleep(4 * time.Second)
		if n := slave.Requests(); n != requests {
			t.Errorf("the line was restarted: %d requests", n-requests)
		}
		time.Sleep(5 * time.Second) // both integrations get the samples of 10 s
		synctest.Wait()
		status := s.status()
		s.stop()
		if len(status.Integrations) != 2 || status.Integrations[0].Sent != 6 || status.Integrations[1].Sent != 1 {
			t.Errorf("%+v", status.Integrations)
		}
	})
}

// TestReloadPutsBufferAndTriggersInForce: the status shows the active settings, later samples are kept for a replay,
// and the log is cut.
func TestReloadPutsBufferAndTriggersInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		time.Sleep(25 * time.Second)
		before := s.replay(store.Range{})
		if err := <-before.done; !errors.Is(err, publish.ErrNotKept) {
			t.Errorf("a replay of samples that are not kept: %v", err)
		}
		s.reload(oneSlave + `
buffer: {max_size: 1MiB, max_age: 48h, when_full: reject_newest, commit_every: 100ms, retain_after_ack: 24h}
triggers: {keep: 4, flush_every: 2s}
`)
		want := api.Buffer{
			MaxSize: 1 << 20, MaxAge: "48h0m0s", WhenFull: "reject_newest", CommitEvery: "100ms", RetainAfterAck: "24h0m0s", KeepTriggers: 4, FlushEvery: "2s",
		}
		if got := s.status().Store.Settings; got != want {
			t.Errorf("the agent uses %+v", got)
		}
		time.Sleep(20 * time.Second) // the samples of 30 s and 40 s
		after := s.replay(store.Range{})
		if err := <-after.done; err != nil || after.last().Sent != 6 {
			t.Errorf("a replay of kept samples: %v, %+v", err, after.last())
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		page, err := s.agent.Triggers(api.TriggerQuery{Limit: 100})
		if rows := page.Triggers; err != nil || len(rows) != 4 {
			t.Errorf("%v, %d rows are kept", err, len(rows))
		}
		s.stop()
	})
}

// TestOnlyThreeKeysNeedARestart: the log names these keys and no others.
func TestOnlyThreeKeysNeedARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		time.Sleep(time.Second)
		s.reload(oneSlave + `
device_id: 5300520006504b5957343920
log: {level: debug, format: json}
buffer: {max_size: 1MiB}
triggers: {keep: 4}
status: {listen: "127.0.0.1:8781"}
clock: {source: system}
`)
		s.stop()
		var keys []string
		for line := range strings.Lines(s.log.String()) {
			if _, key, ok := strings.Cut(line, `msg="this change needs a restart" key=`); ok {
				keys = append(keys, strings.TrimSpace(key))
			}
		}
		if got := strings.Join(keys, " "); got != "device_id state_dir status" {
			t.Errorf("keys that need a restart, by the log: %s", got)
		}
	})
}

func TestReloadTakesALineAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		time.Sleep(5 * time.Second)
		s.reload(strings.Replace(oneSlave, "{name: a,", "{name: a, enabled: false,", 1))
		time.Sleep(time.Minute)
		synctest.Wait()
		status := s.status()
		s.stop()
		if n := len(s.messages()); n != 3 || status.Lines[0].State != "disabled" {
			t.Errorf("%d messages, line %+v", n, status.Lines[0])
		}
	})
}

// TestManyReloadsWhileItWorks: no reload hangs or loses a goroutine, and samples continue.
func TestManyReloadsWhileItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		for i := range 50 {
			s.reload(strings.Replace(oneSlave, "10s", fmt.Sprintf("%dms", 900+i), 1))
			time.Sleep(time.Duration(i) * 37 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		s.stop()
		if n := len(s.messages()); n < 150 {
			t.Errorf("%d messages", n)
		}
	})
}

// TestReadNow tests the requests of `noi-agent read` to a running daemon.
func TestReadNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := modbustest.NewPipe(9600, 11, controller(1), controller(2))
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": pipe})
		time.Sleep(3 * time.Second)
		// unit 2 is not configured
		registers, at, err := s.agent.Read(t.Context(), "a", 2, modbus.FuncReadHolding, 0x20, 2)
		if err != nil || fmt.Sprint(registers) != "[32 33]" || at.IsZero() {
			t.Errorf("%v %v %v", registers, at, err)
		}
		if _, _, err := s.agent.Read(t.Context(), "a", 7, modbus.FuncReadInput, 0, 1); !errors.Is(err, modbus.ErrTimeout) {
			t.Errorf("an absent unit: %v", err)
		}
		if _, _, err := s.agent.Read(t.Context(), "b", 1, modbus.FuncReadInput, 0, 1); !errors.Is(err, agent.ErrNoLine) {
			t.Errorf("an unknown line: %v", err)
		}
		pipe.Unplug()
		time.Sleep(10 * time.Second)
		if _, _, err := s.agent.Read(t.Context(), "a", 1, modbus.FuncReadInput, 0, 1); !errors.Is(err, modbus.ErrPort) {
			t.Errorf("a line that is down: %v", err)
		}
		s.stop()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := s.agent.Read(short, "a", 1, modbus.FuncReadInput, 0, 1); err == nil {
			t.Error("an agent that has ended gave a value")
		}
	})
}

// TestAsksDoNotStarveTheSchedule: a due read waits for at most one requested read.
func TestAsksDoNotStarveTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var asked atomic.Int64
		for range 4 {
			wg.Go(func() {
				for ctx.Err() == nil {
					if _, _, err := s.agent.Read(ctx, "a", 1, modbus.FuncReadInput, 0, 10); err == nil {
						asked.Add(1)
					}
				}
			})
		}
		time.Sleep(time.Minute - time.Second)
		cancel()
		wg.Wait()
		s.stop()
		if n := len(s.messages()); n != 18 {
			t.Errorf("%d messages in a minute, want 18; %d asks", n, asked.Load())
		}
	})
}
