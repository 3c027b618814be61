package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"noi-agent/configs"
	"noi-agent/sinks/sinktest/standin"
	"noi-agent/status/api"
	"noi-agent/store/storetest"
)

// raceWorld is a gateway whose integrations change all the time, and an external judge. The controller counts each
// read of a register and records its time, so each value shows its moment. An integration of the configuration file,
// the witness, gets every sample and is never changed.
type raceWorld struct {
	*world
	rng    *rand.Rand
	seed   uint64
	binary string
	config string
	text   string
	daemon *exec.Cmd
	ended  chan error
	log    *os.File
	lives  []*life
	kills  []window
	rounds int

	mu   sync.Mutex
	read map[string]time.Time // "Ahc_r 17": when the controller gave this value
}

// window is a time in which something changed; the exact moment is not known. Messages that the witness had at the
// begin of the window came before the change. Values that were read at its end or later came after the change.
type window struct {
	from, to time.Time
	had      int // number of the witness's messages at from
}

func (w *raceWorld) begin() window { return window{from: time.Now(), had: w.pubsub.Taken()} }

func (w window) end() window {
	w.to = time.Now()
	return w
}

// life is the history of one integration, from its creation on.
type life struct {
	id, name string
	changes  []filterChange
	removed  bool
	whole    bool // no sample waited for the integration when it was removed
	messages int  // that the cloud had from it at the answer to the removal
}

// filterChange is the objects of the filter from a change on; none: the integration gets no samples.
type filterChange struct {
	window
	objects []string
}

func (l *life) objects() []string { return l.changes[len(l.changes)-1].objects }

// lag is how long before a kill the witness may have a sample that is not committed for the other integrations.
const lag = 5 * time.Second

// newRaceWorld starts a raceWorld, for daemons of a program.
func newRaceWorld(t *testing.T, seed uint64, binary string) *raceWorld {
	w := &raceWorld{seed: seed, binary: binary, rng: rand.New(rand.NewPCG(seed, 18)), read: map[string]time.Time{}}
	slave := fixedSlave()
	counts := map[string]uint32{}
	slave.Read = func(function byte, addr, count uint16) ([]uint16, byte) {
		w.mu.Lock()
		defer w.mu.Unlock()
		regs, exception := fixedRegisters(function, addr, count)
		for object, pair := range map[string]uint16{"Ahc_r": 0x0026, "Ahl_t": 0x0034} { // 32 bits, a tenth each
			if pair >= addr && pair+2 <= addr+count {
				counts[object]++
				regs[pair-addr], regs[pair-addr+1] = uint16(counts[object]>>16), uint16(counts[object])
				w.read[fmt.Sprint(object, " ", counts[object])] = time.Now()
			}
		}
		return regs, exception
	}
	w.world = newWorld(t, slave)
	w.config = w.world.config(`objects: [Ahc_r, Ahl_t], intervals: {"*": 100ms}`, "all")
	text, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	w.text = string(text)
	if w.log, err = os.Create(filepath.Join(w.dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.log.Close()
		if t.Failed() {
			said, _ := os.ReadFile(w.log.Name())
			t.Logf("seed %d; the daemons said:\n%s", seed, said[max(0, len(said)-6000):])
		}
	})
	return w
}

func (w *raceWorld) start() {
	w.t.Helper()
	w.daemon = exec.Command(w.binary, "run", "--config", w.config)
	w.daemon.Stdout, w.daemon.Stderr = w.log, w.log
	if err := w.daemon.Start(); err != nil {
		w.t.Fatal(err)
	}
	daemon, ended := w.daemon, make(chan error, 1)
	w.ended = ended
	go func() { ended <- daemon.Wait() }()
	w.t.Cleanup(func() { _ = daemon.Process.Kill() })
	eventually(w.t, "the daemon answers", func() bool {
		if len(w.ended) > 0 {
			w.t.Fatalf("seed %d, round %d: the daemon ended: %v", w.seed, w.rounds, <-w.ended)
		}
		status, _, err := w.request("GET", "", "", nil)
		return err == nil && status == http.StatusOK
	})
}

func (w *raceWorld) kill() {
	w.t.Helper()
	_ = w.daemon.Process.Signal(syscall.SIGKILL)
	<-w.ended
}

// request sends a request to /api/v1/integrations.
func (w *raceWorld) request(method, path, etag string, body any) (status int, answer []byte, err error) {
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", w.socket())
		},
	}}
	var raw []byte
	if body != nil {
		if raw, err = json.Marshal(body); err != nil {
			return 0, nil, err
		}
	}
	r, err := http.NewRequest(method, "http://localhost/api/v1/integrations"+path, bytes.NewReader(raw))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if etag != "" {
		r.Header.Set("If-Match", etag)
	}
	response, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// entry reads one integration; false: there is none.
func (w *raceWorld) entry(id string) (e api.IntegrationEntry, ok bool) {
	w.t.Helper()
	status, answer, err := w.request("GET", "/"+id, "", nil)
	if err == nil && status == http.StatusOK {
		err = json.Unmarshal(answer, &e)
	}
	if err != nil {
		w.t.Fatalf("seed %d, round %d: %v", w.seed, w.rounds, err)
	}
	return e, status == http.StatusOK
}

// edit is one request, and its effect on a life if it succeeds.
type edit struct {
	of                 *life
	method, path, etag string
	body               any
	objects            []string // objects of the filter after the edit
	want               int
}

// draw chooses the next edit at random.
func (w *raceWorld) draw() edit {
	w.t.Helper()
	alive := slices.DeleteFunc(slices.Clone(w.lives), func(l *life) bool { return l.removed })
	objects := [][]string{{"Ahc_r"}, {"Ahl_t"}, {"Ahc_r", "Ahl_t"}}[w.rng.IntN(3)]
	if len(alive) == 0 || len(alive) < 3 && w.rng.IntN(4) == 0 {
		name := fmt.Sprint("life-", len(w.lives))
		l := &life{id: configs.DeriveID(name), name: name}
		w.lives = append(w.lives, l)
		return edit{of: l, method: "POST", objects: objects, want: http.StatusCreated, body: map[string]any{
			"name": name, "type": "aws", "topic_arn": testTopicARN, "endpoint": w.sns.URL(), "objects": objects}}
	}
	l := alive[w.rng.IntN(len(alive))]
	e, ok := w.entry(l.id)
	if !ok {
		w.t.Fatalf("seed %d, round %d: %s is gone", w.seed, w.rounds, l.name)
	}
	switch w.rng.IntN(6) {
	case 0:
		l.whole = e.State != nil && e.State.Backlog == 0 && e.Config.Enabled
		return edit{of: l, method: "DELETE", path: "/" + l.id, etag: e.ETag, want: http.StatusNoContent}
	case 1:
		return edit{of: l, method: "POST", path: "/" + l.id + "/pause", objects: l.objects(), want: http.StatusOK}
	case 2:
		return edit{of: l, method: "POST", path: "/" + l.id + "/resume", objects: l.objects(), want: http.StatusOK}
	default:
		e.Config.Objects = objects
		return edit{of: l, method: "PUT", path: "/" + l.id, etag: e.ETag, body: e.Config, objects: objects, want: http.StatusOK}
	}
}

// do makes an edit and records the change.
func (w *raceWorld) do(e edit) {
	w.t.Helper()
	at := w.begin()
	status, answer, err := w.request(e.method, e.path, e.etag, e.body)
	if err != nil || status != e.want {
		w.t.Fatalf("seed %d, round %d: %s %s: %d %v %s", w.seed, w.rounds, e.method, e.path, status, err, answer)
	}
	w.note(e.of, at.end(), e.objects, e.method == "DELETE")
}

func (w *raceWorld) note(l *life, at window, objects []string, removed bool) {
	l.changes = append(l.changes, filterChange{at, objects})
	if removed {
		l.removed, l.messages = true, len(w.received(l.id, w.sns.Messages()))
	}
}

// doAndKill kills the daemon during an edit. The next run shows whether the old or the new integration is active.
func (w *raceWorld) doAndKill(e edit) {
	w.t.Helper()
	at := w.begin()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _, _ = w.request(e.method, e.path, e.etag, e.body)
	}()
	<-time.After(time.Duration(w.rng.IntN(40)) * time.Millisecond)
	w.kill()
	<-done
	w.start()
	now, is := w.entry(e.of.id)
	w.kills = append(w.kills, at.end())
	created := len(e.of.changes) == 0
	switch {
	case is && !created && !slices.Equal(now.Config.Objects, e.of.objects()) && !slices.Equal(now.Config.Objects, e.objects):
		w.t.Errorf("seed %d, round %d: %s has neither the old nor the new objects: %v", w.seed, w.rounds, e.of.name, now.Config.Objects)
	case !is && !created && e.method != "DELETE":
		w.t.Errorf("seed %d, round %d: %s is gone", w.seed, w.rounds, e.of.name)
	}
	e.of.whole = false
	w.note(e.of, at.end(), now.Config.Objects, !is)
}

// hangup changes a key of the configuration file that affects no integration, and makes the daemon read the file.
func (w *raceWorld) hangup() {
	w.t.Helper()
	text := w.text + fmt.Sprintf("triggers: {keep: %d}\n", 1000+w.rounds)
	if err := os.WriteFile(w.config+".new", []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(w.config+".new", w.config); err != nil {
		w.t.Fatal(err)
	}
	_ = w.daemon.Process.Signal(syscall.SIGHUP)
}

// TestEditsReloadsKillsAndOutages: every sample of every integration's life arrives, in order. No sample arrives
// after its removal, or for a filter that was not active then. Edits alone send nothing twice. NOI_RACE_SEED repeats
// the random choices.
func TestEditsReloadsKillsAndOutages(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64N(1 << 32)
	if n, err := strconv.ParseUint(os.Getenv("NOI_RACE_SEED"), 10, 64); err == nil {
		seed = n
	}
	w := newRaceWorld(t, seed, buildBinary(t, ".."))
	w.start()
	count := storetest.Rounds(12, 200)
	for ; w.rounds < count; w.rounds++ {
		calm := w.rounds < count/3 // only edits and reloads
		if w.rng.IntN(3) == 0 {
			w.hangup()
		}
		if !calm {
			if err := w.sns.SetDown(w.rng.IntN(4) == 0); err != nil {
				t.Fatal(err)
			}
		}
		e := w.draw()
		if !calm && w.rng.IntN(4) == 0 {
			w.doAndKill(e)
		} else {
			w.do(e)
		}
		<-time.After(time.Duration(100+w.rng.IntN(400)) * time.Millisecond)
		if w.rounds == count/3-1 {
			w.nothingTwice()
		}
	}
	w.settle()
	w.judge()
}

// settle resumes all integrations, and waits until all samples are sent.
func (w *raceWorld) settle() {
	w.t.Helper()
	clearWeather(w.t, w.world)
	w.removeWhileItCollects()
	ids := []string{pubsubID}
	for _, l := range w.lives {
		if !l.removed {
			w.do(edit{of: l, method: "POST", path: "/" + l.id + "/resume", objects: l.objects(), want: http.StatusOK})
			ids = append(ids, l.id)
		}
	}
	eventually(w.t, "nothing waits", func() bool {
		waits := uint64(0)
		for _, in := range w.status().Integrations {
			if slices.Contains(ids, in.ID) {
				waits += in.Backlog
			}
		}
		return waits <= uint64(len(ids)) // new samples come all the time, so some always wait
	})
	_ = w.daemon.Process.Signal(syscall.SIGTERM)
	if err := <-w.ended; err != nil {
		w.t.Errorf("the daemon ended with %v", err)
	}
}

// received returns the values that a cloud has from an integration, such as "Ahc_r 17", in the order of their
// arrival.
func (w *raceWorld) received(id string, messages []standin.Message) (list []string) {
	for _, m := range messages {
		if !bytes.Contains(m.Body, []byte(id)) {
			continue
		}
		b := parseBody(w.t, m.Body)
		value, err := strconv.ParseFloat(string(b.Data), 64)
		if err != nil {
			w.t.Fatalf("%s", m.Body)
		}
		list = append(list, fmt.Sprint(b.Object, " ", math.Round(10*value)))
	}
	return list
}

// nothingTwice checks that no sample was sent twice. This is true for edits and reloads without a kill and an outage.
func (w *raceWorld) nothingTwice() {
	w.t.Helper()
	ids := map[string][]standin.Message{pubsubID: w.pubsub.Messages()}
	for _, l := range w.lives {
		ids[l.id] = w.sns.Messages()
	}
	for id, messages := range ids {
		seen := map[string]bool{}
		for _, v := range w.received(id, messages) {
			if seen[v] {
				w.t.Errorf("seed %d: %s has %s twice, although there were only edits", w.seed, id, v)
			}
			seen[v] = true
		}
	}
}

// judge compares the samples of each integration with those of the witness, and with the times of the changes.
func (w *raceWorld) judge() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	witness, sns := w.received(pubsubID, w.pubsub.Messages()), w.sns.Messages()
	w.inOrder("the witness", witness)
	checked, open := 0, 0
	for _, l := range w.lives {
		has := w.received(l.id, sns)
		w.inOrder(l.name, has)
		if l.removed && len(has) != l.messages {
			w.t.Errorf("seed %d: %s got %d messages after its removal", w.seed, l.name, len(has)-l.messages)
		}
		set := map[string]bool{}
		for _, v := range has {
			set[v] = true
		}
		for i, v := range witness {
			object, _, _ := strings.Cut(v, " ")
			wanted, certain := l.wants(object, i, w.read[v])
			switch {
			case !certain:
				open++
				continue
			case set[v] && !wanted:
				w.t.Errorf("seed %d: %s has %s of %v, which no filter selected at that time: %v", w.seed, l.name, v, w.read[v], l.changes)
			case !set[v] && wanted && (!l.removed || l.whole) && !w.nearKill(w.read[v]):
				w.t.Errorf("seed %d: %s lacks %s of %v: %v", w.seed, l.name, v, w.read[v], l.changes)
			}
			checked++
		}
	}
	if checked == 0 || len(witness) == 0 {
		w.t.Errorf("seed %d: the judge could check no sample", w.seed)
	}
	w.t.Logf("seed %d: %d rounds, %d kills, %d integrations, %d samples, %d judged, %d too near to a change", w.seed, w.rounds,
		len(w.kills), len(w.lives), len(witness), checked, open)
}

// wants reports whether a sample must go to the integration, by its place among the witness's samples and the time of
// its read. certain: it is known on which side of each change the sample was routed.
func (l *life) wants(object string, place int, at time.Time) (wanted, certain bool) {
	for _, c := range l.changes {
		switch {
		case place < c.had:
			return wanted, true
		case at.Before(c.to):
			return false, false
		}
		wanted = slices.Contains(c.objects, object)
	}
	return wanted, true
}

// nearKill reports whether a sample may have been lost with a run: the witness has it, and it was not committed.
func (w *raceWorld) nearKill(at time.Time) bool {
	return slices.ContainsFunc(w.kills, func(k window) bool { return at.After(k.from.Add(-lag)) && at.Before(k.to) })
}

// inOrder checks that the values of each object came in the order of the reads. Repetitions are allowed.
func (w *raceWorld) inOrder(name string, values []string) {
	w.t.Helper()
	last, seen := map[string]int{}, map[string]bool{}
	for _, v := range values {
		object, text, _ := strings.Cut(v, " ")
		n, _ := strconv.Atoi(text)
		if n < last[object] && !seen[v] {
			w.t.Errorf("seed %d: %s has %s after %d", w.seed, name, v, last[object])
		}
		last[object], seen[v] = max(n, last[object]), true
	}
}
