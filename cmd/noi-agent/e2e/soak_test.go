package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/sinks/sinktest/standin"
	"noi-agent/status/api"
)

// shortSoak is the length of the soak in `make test`. `make soak` sets NOI_SOAK to a longer time.
const shortSoak = 12 * time.Second

// TestSoak runs one daemon at the full rate of its bus, with faults of line, clouds, clock and disk, with reloads,
// and with edits over the API. At the end each sample and each missed moment of the run is exactly one of: accepted,
// rejected, stored, or counted by a gap. The daemon needs no more memory, descriptors, goroutines and disk than after
// its warm-up.
//
// The daemon is the program value of main, in its own process, so the clock of the machine stays right. NOI_SOAK_SEED
// repeats the random choices. NOI_SOAK_OUT is a directory for the plot and its figures.
func TestSoak(t *testing.T) {
	length, seed := shortSoak, rand.Uint64N(1<<32)
	if text := os.Getenv("NOI_SOAK"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := strconv.ParseUint(os.Getenv("NOI_SOAK_SEED"), 10, 64); err == nil {
		seed = n
	}
	if os.Getenv(mountsEnv) != "" {
		newSoakWorld(t, seed).live(length)
		return
	}
	t.Parallel()
	output, err := inOwnMounts(t, fmt.Sprint("NOI_SOAK_SEED=", seed))
	switch {
	case errors.Is(err, errNoMounts) && os.Getenv("CI") != "true" && os.Getuid() != 0:
		t.Skipf("%v", err) // on a developer's machine
	case err != nil:
		t.Errorf("NOI_SOAK_SEED=%d: %v\n%s", seed, err, output)
	default:
		t.Log(output)
	}
}

// soakWorld is a gateway on a line of 9600 baud that is never idle.
type soakWorld struct {
	*raceWorld
	disk   *disk
	clock  gatewayClock
	line   atomic.Int32 // the state of the line, one of the kinds below
	points []point

	// of the judged run: it polls from a moment between the first two times until one between the last two
	begun, started, asked, over time.Time
}

// The kinds of weather on the line.
const (
	lineCalm = iota
	lineNoisy
	lineSilent
	lineSlow
	lineRefusing
	lineKinds
)

// soakInterval is much shorter than a sweep, so the line is always busy and most moments pass as overrun.
const soakInterval = 10 * time.Millisecond

func newSoakWorld(t *testing.T, seed uint64) *soakWorld {
	w := &soakWorld{raceWorld: newRaceWorld(t, seed, os.Args[0])}
	w.slave.Script = w.trouble()
	w.pty = modbustest.MustServe(t, 9600, 11, w.slave)
	w.disk = mountDisk(t, filepath.Join(w.dir, "state"))
	text, err := os.ReadFile(w.world.config(fmt.Sprintf(`objects: [Ahc_r, Ahl_t], intervals: {"*": %v}`, soakInterval), "all"))
	if err != nil {
		t.Fatal(err)
	}
	w.text = strings.NewReplacer("baud: 115200", "baud: 9600", "level: debug", "level: warn", "source: system", "source: auto",
		"type: aws,", "type: aws, attributes: [seq],", "type: gcp,", "type: gcp, attributes: [seq],",
		"commit_every: 50ms", "commit_every: 500ms, max_size: 64KiB").Replace(string(text))
	if err := os.WriteFile(w.config, []byte(w.text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.begun = time.Now()
	w.clock = gatewayClock{Synched: true, Boot: "boot-0", Booted: w.begun.Add(-time.Minute)}
	clock := filepath.Join(w.dir, "clock")
	w.clock.show(t, clock)
	for name, value := range map[string]string{ledgerEnv: clock, "RUNTIME_DIRECTORY": inMemory(t), "GOMEMLIMIT": "64MiB",
		"GOMAXPROCS": "2"} { // as in the systemd unit
		t.Setenv(name, value)
	}
	return w
}

// trouble returns the fault that the line adds to each reply.
func (w *soakWorld) trouble() func(modbustest.Request) modbustest.Fault {
	rng := rand.New(rand.NewPCG(w.seed, 5))
	noise := modbustest.Noise(rng)
	var mu sync.Mutex
	return func(modbustest.Request) modbustest.Fault {
		mu.Lock()
		defer mu.Unlock()
		hit := rng.IntN(4) == 0
		switch kind := w.line.Load(); {
		case kind == lineSilent:
			return modbustest.Fault{Silent: true}
		case !hit:
			return modbustest.Fault{}
		case kind == lineNoisy:
			return modbustest.Fault{Mangle: noise}
		case kind == lineSlow:
			return modbustest.Fault{Late: time.Duration(rng.IntN(500)) * time.Millisecond}
		case kind == lineRefusing:
			return modbustest.Fault{Exception: 6} // busy
		default:
			return modbustest.Fault{}
		}
	}
}

// live runs for this time, and then judges.
func (w *soakWorld) live(length time.Duration) {
	w.start()
	w.started = time.Now()
	for ; time.Since(w.begun) < length; w.rounds++ {
		w.turn()
		w.wait(length / 60)
	}
	stored := w.settle()
	w.judgeValues()
	w.judgeCounts(stored)
	if length > shortSoak { // a short run is all warm-up, with the race detector's memory
		w.judgeFlat(length)
	}
}

// turn chooses the next faults at random, and makes a change.
func (w *soakWorld) turn() {
	w.t.Helper()
	w.line.Store(int32(w.rng.IntN(2 * lineKinds))) // without faults half of the time
	setWeather(w.t, w.world, w.rng)
	if w.rng.IntN(4) == 0 {
		w.reject()
	}
	w.drawClock()
	w.disk.sound()
	if w.rng.IntN(3) == 0 {
		w.hangup()
	}
	w.edit()
	if w.rng.IntN(4) == 0 {
		w.disk.fill()
	}
}

// edit makes the next edit. After a few integrations it removes and creates no more, because the store keeps the rows
// of each for a month.
func (w *soakWorld) edit() {
	w.t.Helper()
	e := w.raceWorld.draw()
	for e.method == http.MethodDelete && len(w.lives) > 3 {
		e = w.raceWorld.draw()
	}
	w.do(e)
}

// reject makes both clouds reject some messages.
func (w *soakWorld) reject() {
	w.sns.SetFault(standin.Always(standin.Fault{Code: "InvalidParameter", Text: "no", Only: unlucky}))
	w.pubsub.SetFault(standin.Always(standin.Fault{Code: "InvalidArgument", Text: "no", Only: unlucky}))
}

// unlucky selects one message in fifty, always the same ones.
func unlucky(m standin.Message) bool {
	_, n, _ := strings.Cut(m.Attributes["seq"], "-")
	number, err := strconv.Atoi(n)
	return err == nil && number%50 == 0
}

func (w *soakWorld) drawClock() {
	w.t.Helper()
	w.clock.Ahead, w.clock.Synched = 0, true
	switch w.rng.IntN(8) {
	case 0:
		w.clock.Ahead, w.clock.Synched = -29*time.Second, false
	case 1:
		w.clock.Ahead, w.clock.Synched = 365*24*time.Hour, false
	case 2:
		w.clock.Synched = false
	}
	w.clock.show(w.t, filepath.Join(w.dir, "clock"))
}

// wait waits, and measures the memory and other needs of the daemon in the meantime.
func (w *soakWorld) wait(d time.Duration) {
	w.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		<-time.After(min(2*time.Second, time.Until(end)))
		w.points = append(w.points, w.measure())
	}
}

// settle ends all faults, has some samples rejected and some wait for Pub/Sub, and stops the daemon. It returns how
// many samples of this run the next run finds, on a silent line.
func (w *soakWorld) settle() (stored map[string]uint64) {
	w.t.Helper()
	w.disk.sound()
	w.line.Store(lineCalm)
	clearWeather(w.t, w.world)
	w.clock.Ahead, w.clock.Synched = 0, true
	w.clock.show(w.t, filepath.Join(w.dir, "clock"))
	w.wake()
	eventually(w.t, "little waits", func() bool { return w.waiting(snsID)+w.waiting(pubsubID) < 100 })
	w.reject()
	eventually(w.t, "both reject a sample", func() bool { return w.integration(snsID).Dead > 0 && w.integration(pubsubID).Dead > 0 })
	clearWeather(w.t, w.world)
	if err := w.pubsub.SetDown(true); err != nil {
		w.t.Fatal(err)
	}
	eventually(w.t, "samples wait for Pub/Sub", func() bool { return w.waiting(pubsubID) > 20 })
	w.line.Store(lineSilent)
	w.asked = time.Now()
	_ = w.daemon.Process.Signal(syscall.SIGTERM)
	if err := <-w.ended; err != nil {
		w.t.Errorf("the daemon ended with %v", err)
	}
	w.over = time.Now()
	w.start()
	return map[string]uint64{snsID: w.waiting(snsID), pubsubID: w.waiting(pubsubID)}
}

// wake makes both integrations try again at once, because the clouds are back.
func (w *soakWorld) wake() {
	w.t.Helper()
	for _, id := range []string{snsID, pubsubID} {
		if status, answer, err := w.request("POST", "/"+id+"/wake", "", nil); err != nil || status != http.StatusOK {
			w.t.Fatalf("seed %d: wake %s: %d %s %v", w.seed, id, status, answer, err)
		}
	}
}

func (w *soakWorld) waiting(id string) uint64 {
	w.t.Helper()
	return w.integration(id).Backlog
}

func (w *soakWorld) integration(id string) api.Integration {
	w.t.Helper()
	var s api.Status
	if err := json.Unmarshal(w.get("/api/v1/status"), &s); err != nil {
		w.t.Fatal(err)
	}
	at := slices.IndexFunc(s.Integrations, func(in api.Integration) bool { return in.ID == id })
	if at < 0 {
		w.t.Fatalf("no integration %s", id)
	}
	return s.Integrations[at]
}

// judgeValues checks that the controller gave each value that a cloud has.
func (w *soakWorld) judgeValues() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for cloud, messages := range map[string][]standin.Message{snsID: w.sns.Messages(), pubsubID: w.pubsub.Messages()} {
		values := w.received(cloud, messages)
		for _, v := range values {
			if w.read[v].IsZero() {
				w.t.Errorf("seed %d: %s has %s, which the controller never gave", w.seed, cloud, v)
			}
		}
		w.t.Logf("seed %d: %s has %d messages", w.seed, cloud, len(values))
	}
}

// judgeCounts checks the sum for each integration that was never edited, before and after the rest is sent.
func (w *soakWorld) judgeCounts(stored map[string]uint64) {
	w.t.Helper()
	before := map[string]account{snsID: w.account(snsID), pubsubID: w.account(pubsubID)}
	clearWeather(w.t, w.world)
	w.wake()
	eventually(w.t, "nothing waits", func() bool { return w.waiting(snsID)+w.waiting(pubsubID) == 0 })
	for id, was := range before {
		is := w.account(id)
		w.t.Logf("seed %d: %s: %d produced = %d accepted + %d rejected + %d stored + %d missing by a gap (%v)", w.seed, id,
			is.produced, was.accepted, was.rejected, stored[id], sum(was.gaps), was.gaps)
		if got := was.accepted + was.rejected + stored[id] + sum(was.gaps); got != is.produced {
			w.t.Errorf("seed %d: %s: accepted, rejected, stored and missing are %d, produced were %d", w.seed, id, got, is.produced)
		}
		if got := is.accepted + is.rejected + sum(is.gaps); got != is.produced {
			w.t.Errorf("seed %d: %s: after the rest was sent: %d of %d: %+v", w.seed, id, got, is.produced, is)
		}
		// A sample whose answer was lost may be rejected or dropped at its next try: the cloud has it nevertheless.
		if more := is.taken - is.accepted; is.taken < is.accepted || more > is.rejected+is.gaps["disk_full"]+is.gaps["max_size"] {
			w.t.Errorf("seed %d: %s: the cloud has %d samples, the agent says %d: %+v", w.seed, id, is.taken, is.accepted, is)
		}
		least, most := 2*uint64(w.asked.Sub(w.started)/soakInterval), 2*uint64(w.over.Sub(w.begun)/soakInterval)
		if is.produced < least-least/50 || is.produced > most+most/50 {
			w.t.Errorf("seed %d: %s: %d produced; two objects were due %d to %d times", w.seed, id, is.produced, least, most)
		}
	}
	if stored[pubsubID] == 0 || before[snsID].rejected == 0 {
		w.t.Errorf("seed %d: no sample was stored, or none rejected: the sum proves too little", w.seed)
	}
}

func sum(gaps map[string]uint64) (n uint64) {
	for _, count := range gaps {
		n += count
	}
	return n
}

// account has the numbers of an integration's samples of the first run, by their fate.
type account struct {
	produced           uint64            // the last number of a sample or a missed moment
	accepted, rejected uint64            // by the agent's report
	taken              uint64            // by the cloud's report, each sample counts once
	gaps               map[string]uint64 // by reason, including the dropped samples
}

func (w *soakWorld) account(id string) (a account) {
	w.t.Helper()
	a.gaps = map[string]uint64{}
	last, seen := map[string]uint64{}, map[string]string{}
	for _, m := range append(w.sns.Messages(), w.pubsub.Messages()...) {
		run, number, _ := strings.Cut(m.Attributes["seq"], "-")
		if !bytes.Contains(m.Body, []byte(id)) || run != "1" {
			continue
		}
		b := parseBody(w.t, m.Body)
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			w.t.Fatalf("%v %s", m.Attributes, m.Body)
		}
		key, content := b.Object+" "+number, b.SampledAt+" "+string(b.Data)
		if first, again := seen[key]; again && first != content {
			w.t.Errorf("seed %d: %s: sample %s has two contents: %s, and %s", w.seed, id, key, first, content)
		}
		seen[key], last[b.Object] = content, max(last[b.Object], n)
	}
	a.taken = uint64(len(seen))
	for _, object := range strings.Split(ledgerObjects, ", ") {
		for _, g := range w.gaps(id, object) {
			if g.Run != 1 {
				continue
			}
			reason, _, _ := strings.Cut(g.Reason, ":")
			a.gaps[reason] += g.Count
			last[object] = max(last[object], g.Last)
		}
		a.produced += last[object]
	}
	in := w.integration(id)
	a.accepted, a.rejected = in.Sent, uint64(in.Dead)
	return a
}
