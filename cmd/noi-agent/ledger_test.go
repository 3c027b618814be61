package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/modbus/modbustest"
	"noi-agent/store/storetest"
)

// ledgerEnv has the re-executed test binary be a daemon whose clock is in the file of that name: the program value that main runs.
const ledgerEnv = "NOI_LEDGER_CLOCK"

// gatewayClock is the wall clock of a gateway under test, and what its time service says.
type gatewayClock struct {
	Ahead   time.Duration
	Synched bool
	Boot    string
	Booted  time.Time
}

// ledgerDaemon is the child. It looks at the clock's file often, as a time service would step it.
func ledgerDaemon(path string) int {
	var state atomic.Pointer[gatewayClock]
	load := func() {
		var c gatewayClock
		if raw, err := os.ReadFile(path); err == nil && json.Unmarshal(raw, &c) == nil {
			state.Store(&c)
		}
	}
	load()
	go func() {
		for range time.NewTicker(20 * time.Millisecond).C {
			load()
		}
	}()
	now := func() time.Time { return time.Now().Add(state.Load().Ahead) }
	p := &program{
		stdout: os.Stdout, stderr: os.Stderr, version: "1.0.10", now: now, signals: signals, hangups: hangups, notify: func(string) {},
		time: clock.Source{
			Boot: state.Load().Boot, Built: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
			Uptime: func() time.Duration { return time.Since(state.Load().Booted) },
			Probe: func(context.Context) clock.Synch {
				return clock.Synch{Service: "timesyncd", Synched: state.Load().Synched}
			},
		},
	}
	return p.run(os.Args[1:])
}

// ledgerWorld is a gateway, and a judge outside of it: objects are due at each full second.
type ledgerWorld struct {
	*world
	rng    *rand.Rand
	config string
	clock  gatewayClock
	memory string
	silent atomic.Bool // the controller
	ends   []end
	begun  time.Time
}

// end is how and when a run ended.
type end struct {
	at   time.Time
	kind string
}

const ledgerObjects = "Ahc_r, Ahl_t"

func newLedgerWorld(t *testing.T, seed uint64) *ledgerWorld {
	slave := countingSlave()
	w := &ledgerWorld{world: newWorld(t, slave), rng: rand.New(rand.NewPCG(seed, 3))}
	slave.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: w.silent.Load()} }
	w.memory = inMemory(t)
	config := withAllAttributes(t, w.world.config(`objects: [Ahc_r, Ahl_t], intervals: {"*": 1s}`, "all"))
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer("source: system", "source: auto", "commit_every: 50ms", "commit_every: 500ms").Replace(string(text))
	w.config = writeConfig(t, changed+"triggers: {keep: 10000, flush_every: 2s}\n")
	w.clock = gatewayClock{Synched: true, Boot: "boot-0", Booted: time.Now().Add(-time.Minute)}
	w.begun = time.Now()
	return w
}

// set has the gateway's clock be so from now on.
func (w *ledgerWorld) set(ahead time.Duration, synched bool) {
	w.t.Helper()
	w.clock.Ahead, w.clock.Synched = ahead, synched
	raw, err := json.Marshal(w.clock)
	path := filepath.Join(w.dir, "clock")
	if err == nil {
		err = os.WriteFile(path+".new", raw, 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// run starts the daemon.
func (w *ledgerWorld) run() *exec.Cmd {
	w.t.Helper()
	child := exec.Command(os.Args[0], "run", "--config", w.config)
	log, err := os.OpenFile(filepath.Join(w.dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer log.Close()
	child.Env = append(os.Environ(), ledgerEnv+"="+filepath.Join(w.dir, "clock"), "RUNTIME_DIRECTORY="+w.memory)
	child.Stdout, child.Stderr = log, log
	if err := child.Start(); err != nil {
		w.t.Fatal(err)
	}
	eventually(w.t, "the daemon listens", w.listens)
	return child
}

// ends the run, in one of the ways.
func (w *ledgerWorld) end(child *exec.Cmd, kind string) {
	w.t.Helper()
	signal := syscall.SIGKILL
	if kind == "stop" {
		signal = syscall.SIGTERM
	}
	w.ends = append(w.ends, end{time.Now(), kind})
	if err := child.Process.Signal(signal); err != nil {
		w.t.Fatal(err)
	}
	if err := child.Wait(); err != nil && kind == "stop" {
		w.t.Errorf("a stop in order ended with %v", err)
	}
	if kind == "cut" { // what was in memory is gone, and the next boot is another one
		if err := os.RemoveAll(w.memory); err != nil {
			w.t.Fatal(err)
		}
		if err := os.Mkdir(w.memory, 0o700); err != nil {
			w.t.Fatal(err)
		}
		w.clock.Boot, w.clock.Booted = fmt.Sprint("boot-", len(w.ends)), time.Now()
	}
}

// sleep lets the world go on for a while: the daemon runs by the real clock, so that nothing else can be waited for.
func (w *ledgerWorld) sleep(least, most time.Duration) {
	<-time.After(least + time.Duration(w.rng.Int64N(int64(most-least))))
}

// TestEveryDueMomentIsASampleOrInAGap ends the program in all ways, under clocks that are wrong, with clouds and the controller away. In the end
// each second since the first is exactly one of: accepted, or missing by a gap.
func TestEveryDueMomentIsASampleOrInAGap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := newLedgerWorld(t, seed)
	w.set(0, true)
	child := w.run()
	w.sleep(3*time.Second, 4*time.Second)
	for range storetest.Rounds(4, 300) {
		kind := []string{"kill", "cut", "stop"}[w.rng.IntN(3)]
		if !w.clock.Synched && kind == "cut" { // the boot that never knows is estimated, and no judge knows better
			kind = "kill"
		}
		w.end(child, kind)
		w.weather()
		w.sleep(500*time.Millisecond, 3*time.Second)
		switch w.rng.IntN(5) {
		case 0:
			w.set(-29*time.Second, false)
		case 1:
			w.set(-50*365*24*time.Hour, false)
		case 2:
			w.set(365*24*time.Hour, false)
		default:
			w.set(0, true)
		}
		child = w.run()
		w.sleep(2*time.Second, 5*time.Second)
		w.silent.Store(false)
	}
	w.set(0, true)
	clearWeather(t, w.world)
	w.sleep(3*time.Second, 4*time.Second)
	eventually(t, "nothing waits", func() bool {
		for _, in := range w.status().Integrations {
			if in.Backlog > 0 {
				return false
			}
		}
		return true
	})
	w.sleep(2*time.Second, 3*time.Second) // for the gaps
	w.judge()
	w.end(child, "stop")
}

// weather draws the state of clouds and controller.
func (w *ledgerWorld) weather() {
	w.t.Helper()
	if err := w.sns.SetDown(w.rng.IntN(3) == 0); err != nil {
		w.t.Fatal(err)
	}
	if err := w.pubsub.SetDown(w.rng.IntN(3) == 0); err != nil {
		w.t.Fatal(err)
	}
	w.silent.Store(w.rng.IntN(5) == 0)
}
