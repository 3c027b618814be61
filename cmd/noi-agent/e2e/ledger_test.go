package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/modbus/modbustest"
	"noi-agent/store/storetest"
)

// ledgerEnv makes the re-executed test binary a daemon with the program value of main. Its clock is in the file with
// this name.
const ledgerEnv = "NOI_LEDGER_CLOCK"

// gatewayClock is the wall clock of a gateway under test, and the state of its time service.
type gatewayClock struct {
	Ahead   time.Duration
	Synched bool
	Boot    string
	Booted  time.Time
}

// ledgerDaemon is the child. It reads the file of the clock often, so that it notices steps like those of a time
// service.
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
	p := &cli.Program{
		Stdout: os.Stdout, Stderr: os.Stderr, Version: "1.0.10", Now: now, Signals: cli.Signals, Hangups: cli.Hangups, Notify: func(string) {},
		Time: clock.Source{
			Boot: state.Load().Boot, Built: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
			Uptime: func() time.Duration { return time.Since(state.Load().Booted) },
			Probe: func(context.Context) clock.Synch {
				return clock.Synch{Service: "timesyncd", Synched: state.Load().Synched}
			},
		},
	}
	return p.Run(os.Args[1:])
}

// ledgerWorld is a gateway, and an external judge. Objects are due at each full second.
type ledgerWorld struct {
	*world
	rng      *rand.Rand
	seed     uint64
	config   string
	clock    gatewayClock
	clean    bool // since the begin of this boot the clock was right, or showed the right time
	memory   string
	disk     *disk
	recorder *recorder   // of the run that ends with a power cut
	silent   atomic.Bool // the controller
	ends     []end
	begun    time.Time
}

// end is how and when a run ended.
type end struct {
	kind     string
	at, back time.Time // begin and end of the time without a daemon
}

func (e end) String() string {
	return fmt.Sprintf("%s %s-%s", e.kind, e.at.UTC().Format("15:04:05.000"), e.back.UTC().Format("05.000"))
}

const ledgerObjects = "Ahc_r, Ahl_t"

func newLedgerWorld(t *testing.T, seed uint64) *ledgerWorld {
	slave := countingSlave()
	w := &ledgerWorld{seed: seed, rng: rand.New(rand.NewPCG(seed, 3)), clean: true}
	slave.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: w.silent.Load()} }
	w.world = newWorld(t, slave)
	w.memory = inMemory(t)
	w.disk = mountDisk(t, filepath.Join(w.dir, "state"))
	config := withAllAttributes(t, w.world.config(`objects: [Ahc_r, Ahl_t], intervals: {"*": 1s}`, "all"))
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer("source: system", "source: auto", "commit_every: 50ms", "commit_every: 500ms").Replace(string(text))
	w.config = clitest.WriteConfig(t, changed+"triggers: {keep: 10000, flush_every: 2s}\n")
	w.begun = time.Now()
	w.clock = gatewayClock{Synched: true, Boot: "boot-0", Booted: time.Now().Add(-time.Minute)}
	return w
}

// set sets the gateway's clock from now on.
func (w *ledgerWorld) set(ahead time.Duration, synched bool) {
	w.t.Helper()
	w.clean = w.clean && ahead == 0
	w.t.Logf("round %d: the clock is %v ahead, synchronised %v", len(w.ends), ahead, synched)
	w.clock.Ahead, w.clock.Synched = ahead, synched
	w.clock.show(w.t, filepath.Join(w.dir, "clock"))
}

// show writes the clock into the file that the daemon reads.
func (c gatewayClock) show(t *testing.T, path string) {
	t.Helper()
	raw, err := json.Marshal(c)
	if err == nil {
		err = os.WriteFile(path+".new", raw, 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// draw sets the clock at random: right, unsure, slow, in 1970 or a year ahead.
func (w *ledgerWorld) draw() {
	w.t.Helper()
	switch w.rng.IntN(7) {
	case 0:
		w.set(-29*time.Second, false)
	case 1:
		w.set(-50*365*24*time.Hour, false)
	case 2:
		w.set(365*24*time.Hour, false)
	case 3:
		w.set(0, false)
	default:
		w.set(0, true)
	}
}

// ledgerRun is one run of the daemon.
type ledgerRun struct {
	cmd   *exec.Cmd
	ended chan error // its end, once
}

// start starts the daemon as often as needed, like a supervisor: on an unusable disk, the third start works.
func (w *ledgerWorld) start(kind string) *ledgerRun {
	w.t.Helper()
	w.recorder = nil
	if kind == "cut" {
		w.recorder = w.disk.record()
	}
	for range 5 {
		d := w.spawn()
		ended := false
		eventually(w.t, "the daemon listens, or ends", func() bool {
			ended = len(d.ended) > 0
			return ended || w.listens()
		})
		if !ended {
			return d
		}
		if err := <-d.ended; !w.disk.readOnly {
			w.t.Fatalf("%s: the daemon ended at its start: %v\n%s", w.place(), err, w.log())
		}
	}
	w.t.Fatalf("%s: no start succeeds", w.place())
	return nil
}

func (w *ledgerWorld) spawn() *ledgerRun {
	w.t.Helper()
	cmd := exec.Command(os.Args[0], "run", "--config", w.config)
	if w.recorder != nil {
		cmd = w.recorder.command(os.Args[0], "run", "--config", w.config)
	}
	log, err := os.OpenFile(filepath.Join(w.dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer log.Close()
	cmd.Env = append(os.Environ(), ledgerEnv+"="+filepath.Join(w.dir, "clock"), "RUNTIME_DIRECTORY="+w.memory)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = cmd.Process.Kill() })
	d := &ledgerRun{cmd, make(chan error, 1)}
	go func() { d.ended <- cmd.Wait() }()
	return d
}

// end ends the run in one of the ways, and waits for the end.
func (w *ledgerWorld) end(d *ledgerRun, kind string) {
	w.t.Helper()
	signal := syscall.SIGKILL
	if kind == "stop" {
		signal = syscall.SIGTERM
	}
	w.ends = append(w.ends, end{kind: kind, at: time.Now()})
	if err := d.cmd.Process.Signal(signal); err != nil {
		w.t.Fatalf("%s: %v\n%s", w.place(), err, w.log())
	}
	if err := <-d.ended; err != nil && kind == "stop" {
		w.t.Errorf("%s: a normal stop ended with %v", w.place(), err)
	}
	if kind != "cut" {
		return
	}
	// The files in memory are deleted, and the next boot has another id.
	if err := errors.Join(os.RemoveAll(w.memory), os.Mkdir(w.memory, 0o700)); err != nil {
		w.t.Fatal(err)
	}
	w.disk.cutPower(w.recorder, d.cmd.Process.Pid, w.rng)
	w.clock.Boot, w.clock.Booted, w.clean = fmt.Sprint("boot-", len(w.ends)), time.Now(), true
}

// place returns the seed and the number of the round, with which a failure can be repeated.
func (w *ledgerWorld) place() string { return fmt.Sprintf("seed %d, round %d", w.seed, len(w.ends)) }

// log returns the end of the daemons' log.
func (w *ledgerWorld) log() string {
	text, _ := os.ReadFile(filepath.Join(w.dir, "log"))
	if keep := os.Getenv("NOI_LEDGER_KEEP"); keep != "" {
		_ = os.WriteFile(filepath.Join(keep, fmt.Sprint("ledger-", w.seed, ".log")), text, 0o600)
	}
	return string(text[max(0, len(text)-6000):])
}

// sleep waits for a time of the real clock: the daemon runs by this clock, and there is no event to wait for.
func (w *ledgerWorld) sleep(least, most time.Duration) {
	<-time.After(least + time.Duration(w.rng.Int64N(int64(most-least))))
}

// rounds are the kinds of runs. Each kind is equally frequent.
var rounds = []string{"kill", "cut", "stop", "full", "read-only"}

// TestEveryDueMomentIsASampleOrInAGap ends the program in all ways, with wrong clocks, with clouds and the controller
// away, and on a disk that is full or read-only. At the end each second since the first one is exactly one of:
// accepted, or missing and counted by a gap. The long form has several agents at once, each with its own gateway,
// because they mostly wait. NOI_LEDGER_SEED repeats the random choices of one agent. NOI_LEDGER_ROUNDS sets the
// number of its rounds.
func TestEveryDueMomentIsASampleOrInAGap(t *testing.T) {
	t.Parallel()
	agents := storetest.Rounds(1, 6)
	seed, count := rand.Uint64N(1<<32), uint64(storetest.Rounds(len(rounds), 300/agents))
	for name, to := range map[string]*uint64{"NOI_LEDGER_SEED": &seed, "NOI_LEDGER_ROUNDS": &count} {
		if n, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
			*to = n
		}
	}
	switch {
	case os.Getenv(mountsEnv) != "":
		newLedgerWorld(t, seed).live(count)
	case os.Getenv("NOI_LEDGER_SEED") != "":
		severalLedgers(t, seed, count, 1)
	default:
		severalLedgers(t, seed, count, agents)
	}
}

// severalLedgers runs agents in processes of their own, with consecutive seeds. It prints the seeds first, so that
// they are known however this process ends.
func severalLedgers(t *testing.T, seed, count uint64, agents int) {
	t.Helper()
	type outcome struct {
		env    []string
		output string
		err    error
	}
	ended := make(chan outcome)
	for i := range uint64(agents) {
		env := []string{fmt.Sprint("NOI_LEDGER_SEED=", seed+i), fmt.Sprint("NOI_LEDGER_ROUNDS=", count)}
		fmt.Fprintln(os.Stderr, "the ledger:", strings.Join(env, " "))
		go func() {
			output, err := inOwnMounts(t, env...)
			ended <- outcome{env, output, err}
		}()
	}
	for range agents {
		switch o := <-ended; {
		case errors.Is(o.err, errNoMounts) && os.Getenv("CI") != "true" && os.Getuid() != 0:
			t.Skipf("%v", o.err) // on a developer's machine
		case o.err != nil:
			t.Errorf("%s: %v\n%s", strings.Join(o.env, " "), o.err, o.output)
		default:
			t.Logf("%s: %s", strings.Join(o.env, " "), o.output)
		}
	}
}

// live runs so many rounds, and judges at the end.
func (w *ledgerWorld) live(count uint64) {
	t := w.t
	w.memoryAfterPowerCut()
	w.unsureBoot()
	var deck []string
	for range count {
		if len(deck) == 0 {
			deck = slices.Clone(rounds)
			w.rng.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		w.turn(deck[0])
		deck = deck[1:]
	}
	w.disk.sound()
	w.set(0, true)
	w.silent.Store(false)
	clearWeather(t, w.world)
	d := w.home()
	had := [2]int{w.sns.Taken(), w.pubsub.Taken()}
	eventually(t, "both clouds get samples of each object", func() bool { return w.sns.Taken() > had[0]+3 && w.pubsub.Taken() > had[1]+3 })
	w.sleep(4*time.Second, 5*time.Second) // time for the gaps to be written
	w.judge()
	w.end(d, "stop")
}

// home returns a run on the disk with an empty outbox: the agent uses the disk again only if the outbox in memory is empty.
func (w *ledgerWorld) home() *ledgerRun {
	w.t.Helper()
	for {
		d := w.start("stop")
		w.back()
		eventually(w.t, "nothing waits", func() bool {
			for _, in := range w.status().Integrations {
				if in.Backlog > 0 {
					return false
				}
			}
			return true
		})
		if !w.inMemory() {
			return d
		}
		w.end(d, "stop")
	}
}

// inMemory reports whether the run has its outbox in memory.
func (w *ledgerWorld) inMemory() bool { return w.status().Store.Start == "memory" }

// memoryAfterPowerCut is a first run, a power cut, and a run with its outbox in memory, because the disk is read-only
// then. The power cut has deleted the files in memory: the time up to which the first run accounts for its samples,
// and the number of that run. Without another source of the number, the second run would have the same one.
func (w *ledgerWorld) memoryAfterPowerCut() {
	w.t.Helper()
	w.set(0, true)
	d := w.start("cut")
	w.sleep(3*time.Second, 4*time.Second)
	w.end(d, "cut")
	w.set(0, false)
	w.disk.protect(true)
	d = w.start("stop")
	w.back()
	w.sleep(3*time.Second, 4*time.Second)
	w.end(d, "stop")
	w.disk.sound()
}

// unsureBoot is a case that a few random rounds may not contain: time without an agent before a run that never knows
// the time, and is killed. When the next run has a time source, only a row on the disk still knows of that time
// without an agent.
func (w *ledgerWorld) unsureBoot() {
	w.t.Helper()
	w.clock.Boot, w.clock.Booted = "boot-unsure", time.Now()
	w.sleep(5*time.Second, 6*time.Second)
	for _, synched := range []bool{false, true} {
		w.set(0, synched)
		d := w.start("kill")
		w.back()
		w.sleep(3*time.Second, 4*time.Second)
		w.end(d, "kill")
	}
}

// turn is one run of one kind.
func (w *ledgerWorld) turn(kind string) {
	w.t.Helper()
	w.weather()
	w.sleep(500*time.Millisecond, 3*time.Second)
	w.draw()
	if kind == "cut" && !w.clean { // a boot that never knows its time is estimated, and the judge has no better time
		w.set(0, true)
	}
	w.disk.sound()
	w.disk.protect(kind == "read-only")
	full := kind == "full" && w.rng.IntN(2) == 0
	if full {
		w.disk.fill()
	}
	d := w.start(kind)
	w.back()
	if kind == "cut" && w.inMemory() { // the power cut loses the samples and the log in memory
		kind = "kill"
	}
	w.t.Logf("round %d: a run to end by %s, in %s, disk full %v, silent %v", len(w.ends), kind, w.clock.Boot, full, w.silent.Load())
	w.sleep(time.Second, 3*time.Second)
	if kind == "full" && !full {
		w.disk.fill()
	}
	if w.rng.IntN(3) == 0 { // a step of the clock, or a change of its state
		if w.draw(); kind == "cut" && !w.clean {
			w.set(0, true)
		}
	}
	w.sleep(time.Second, 3*time.Second)
	if kind == "full" || kind == "read-only" {
		kind = []string{"kill", "stop"}[w.rng.IntN(2)]
	}
	w.end(d, kind)
	w.silent.Store(false)
}

// back records that the agent runs again.
func (w *ledgerWorld) back() { w.ends[len(w.ends)-1].back = time.Now() }

// weather chooses the state of clouds and controller at random.
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
