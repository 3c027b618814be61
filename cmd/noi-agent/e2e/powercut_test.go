package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/sinks/sinktest/standin"
	"noi-agent/store"
	"noi-agent/store/storetest"
)

const (
	// tracedSamples is the number of committed samples after which the traced daemon has done enough.
	tracedSamples = 200
	// deafSamples is the number of samples before Pub/Sub accepts messages: first there is a backlog, then it is sent.
	deafSamples = 80
	// cutsEnv makes the re-executed test binary replay the record in a directory.
	cutsEnv = "NOI_POWER_CUTS"
)

// record has everything that is known about a traced daemon.
type record struct {
	Steps []step
	// Taken is when a cloud got a sample, by integration and number, in unix seconds. From then on the sample may be
	// missing in the outbox.
	Taken map[string]map[int]float64
}

// TestPowerCutAtAnyMomentLosesNothingCommitted traces the real daemon's system calls while it fills and drains its
// store. Then it cuts the power after a random call, many times. Data that was not synced is on the disk in part, in
// any order, torn at sectors. Each time the agent must find a sound file with all samples that its log had called
// committed and no cloud had got.
//
// Then the test does the same with records of programs that sync too little or report too early, and must detect each
// of them.
func TestPowerCutAtAnyMomentLosesNothingCommitted(t *testing.T) {
	t.Parallel()
	modbustest.NeedPeer(t, "strace that may trace", "strace", "strace", "-f", "-o", "/dev/null", "true")
	traced := traceDaemon(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	t.Run("the daemon", func(t *testing.T) {
		cuts := storetest.Rounds(80, 1000)
		caught := replay(t, traced, seed, cuts, cuts)
		for _, c := range caught {
			t.Errorf("seed %d, %s", seed, c)
		}
		t.Logf("%d cuts, %d acknowledgements", cuts, acknowledgements(traced.Steps))
	})
	for what, spoil := range spoilers {
		t.Run(what, func(t *testing.T) {
			spoiled := record{Steps: spoil(traced.Steps), Taken: traced.Taken}
			// One cut in twenty detects a program without the data sync. The short test ends with the first cut that
			// detects it.
			caught := replay(t, spoiled, seed, 1000, storetest.Rounds(1, 1000))
			if len(caught) == 0 {
				t.Fatal("a thousand cuts did not detect it")
			}
			t.Logf("%d cuts detected it, the first: %s", len(caught), caught[0])
		})
	}
}

func acknowledgements(steps []step) (n int) {
	for _, s := range steps {
		if s.Deed == acknowledged {
			n++
		}
	}
	return n
}

// traceDaemon runs the built daemon under strace until it has done enough.
func traceDaemon(t *testing.T) record {
	t.Helper()
	binary := buildBinary(t, "..")
	w := newWorld(t, countingSlave())
	config := withAllAttributes(t, w.config(`objects: [Ahc_r, Ahl_t], intervals: {"*": 40ms}`, "all"))
	overTCP(t, config, w.pty.Path(), modbustest.ServeTCP(t, w.slave))
	marks := &committed{upTo: map[int]int{}}
	taken := watchClouds(w, marks)
	trace := filepath.Join(t.TempDir(), "trace")
	// With -D the daemon is our own child, so that we can signal it, and strace is our grandchild.
	cmd := exec.Command("strace", "-D", "-f", "--seccomp-bpf", "-ttt", "-xx", "-s", strconv.Itoa(16<<20), "-e", "trace="+traced, "-o", trace,
		binary, "run", "--config", config)
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() { defer close(read); marks.read(log) }()
	eventually(t, "the daemon commits enough", func() bool { return marks.runs()[1] >= tracedSamples })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-read
	if err := cmd.Wait(); err != nil {
		t.Errorf("the daemon ended with %v", err)
	}
	eventually(t, "strace writes the daemon's end", func() bool { return endsWith(trace, cmd.Process.Pid) })
	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	steps, err := parseTrace(f, filepath.Join(w.dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	if n := acknowledgements(steps); n < 20 {
		t.Fatalf("the trace shows %d acknowledgements: it proves nothing", n)
	}
	return record{steps, taken()}
}

// endsWith reports whether a trace ends with the end of a process: then all its threads have ended.
func endsWith(trace string, pid int) bool {
	text, err := os.ReadFile(trace)
	if err != nil {
		return false
	}
	text = bytes.TrimRight(text, "\n")
	last := string(text[bytes.LastIndexByte(text, '\n')+1:])
	return strings.HasPrefix(last, strconv.Itoa(pid)+" ") && strings.Contains(last, "+++")
}

// overTCP changes the configuration's slave to Modbus TCP.
func overTCP(t *testing.T, config, pty, address string) {
	t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "port: "+pty+"\n    baud: 115200", "port: tcp://"+address, 1)
	if changed == string(text) {
		t.Fatal("the configuration has no port to change")
	}
	if err := os.WriteFile(config, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}

// watchClouds makes SNS accept everything, and Pub/Sub nothing at first. It records when each sample was sent.
func watchClouds(w *world, marks *committed) (taken func() map[string]map[int]float64) {
	var mu sync.Mutex
	at := map[string]map[int]float64{snsID: {}, pubsubID: {}}
	note := func(id string, r standin.Request) *standin.Fault {
		now := float64(time.Now().UnixMicro()) / 1e6
		mu.Lock()
		defer mu.Unlock()
		for _, m := range r.Messages {
			sample := m.Attributes["sample_id"]
			n := number(sample[strings.LastIndexByte(sample, '-')+1:])
			if _, before := at[id][n]; !before {
				at[id][n] = now
			}
		}
		return nil
	}
	w.sns.SetFault(func(r standin.Request) *standin.Fault { return note(snsID, r) })
	w.pubsub.SetFault(func(r standin.Request) *standin.Fault {
		if marks.runs()[1] < deafSamples {
			return &standin.Fault{Code: "Unavailable", Text: "The service is currently unavailable."}
		}
		return note(pubsubID, r)
	})
	return func() map[string]map[int]float64 {
		mu.Lock()
		defer mu.Unlock()
		return at
	}
}

// replay cuts the power of a record so many times, and returns the failures, at most limit of them. It runs in a
// child, because a damaged file can end the process. Such a cut counts as a failure.
func replay(t *testing.T, r record, seed uint64, cuts, limit int) (caught []string) {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "record"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(gob.NewEncoder(f).Encode(r), f.Close()); err != nil {
		t.Fatal(err)
	}
	for next := 0; next < cuts && len(caught) < limit; {
		done, said := replayFrom(t, dir, seed, next, cuts, limit-len(caught))
		caught = append(caught, said...)
		next = done
	}
	return caught
}

// replayFrom runs one child. It returns the number of the first cut that is still to be made.
func replayFrom(t *testing.T, dir string, seed uint64, first, cuts, limit int) (next int, caught []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s", cutsEnv, dir), fmt.Sprintf("%s_RANGE=%d %d %d %d", cutsEnv, seed, first, cuts, limit))
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	next = first
	for lines := bufio.NewScanner(out); lines.Scan(); next++ {
		if text := lines.Text(); !strings.HasSuffix(text, " ok") {
			caught = append(caught, text)
		}
	}
	if err := cmd.Wait(); err != nil {
		line, _, _ := strings.Cut(said.String(), "\n")
		caught = append(caught, fmt.Sprintf("cut %d: the agent would have died: %v: %s", next, err, line))
		next++
	} else if next == first {
		t.Fatalf("the child that replays made no cut: %s", &said)
	}
	return next, caught
}

// replayCuts is the child. It prints a line for each cut.
func replayCuts(dir string) int {
	var seed uint64
	var first, cuts, limit int
	if _, err := fmt.Sscan(os.Getenv(cutsEnv+"_RANGE"), &seed, &first, &cuts, &limit); err != nil {
		return failed(err)
	}
	f, err := os.Open(filepath.Join(dir, "record"))
	if err != nil {
		return failed(err)
	}
	defer f.Close()
	var r record
	if err := gob.NewDecoder(f).Decode(&r); err != nil {
		return failed(err)
	}
	for n := first; n < cuts && limit > 0; n++ {
		state := filepath.Join(dir, strconv.Itoa(n))
		if err := r.cut(state, rand.New(rand.NewPCG(seed, uint64(n)))); err != nil {
			fmt.Printf("cut %d: %s\n", n, strings.ReplaceAll(err.Error(), "\n", "; "))
			limit--
		} else {
			fmt.Printf("cut %d: ok\n", n)
		}
		if err := os.RemoveAll(state); err != nil {
			return failed(err)
		}
	}
	return 0
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// cut simulates a power cut after a random step, and starts a store with the remaining files.
func (r record) cut(state string, rnd *rand.Rand) error {
	n := 1 + rnd.IntN(len(r.Steps)-1)
	if err := os.Mkdir(state, 0o700); err != nil {
		return err
	}
	for name, data := range cutAt(r.Steps, n, rnd) {
		if err := os.WriteFile(filepath.Join(state, name), data, 0o600); err != nil {
			return err
		}
	}
	committed := 0
	for _, s := range r.Steps[:n] {
		if s.Deed == acknowledged {
			committed = s.Upto
		}
	}
	if err := r.looksWhole(filepath.Join(state, "noi.db"), committed, r.Steps[n].At); err != nil {
		return fmt.Errorf("after step %d of %d, %d samples committed: %w", n, len(r.Steps), committed, err)
	}
	return nil
}

// looksWhole starts the store as the daemon does. A file that must be moved aside is a failure, even if all its
// samples can be salvaged.
func (r record) looksWhole(path string, committed int, at float64) error {
	if n := store.RunsAt(path); committed > 0 && (n < 1 || n > 1000) {
		return fmt.Errorf("a store in its place would count its runs from %d on", n)
	}
	s, recovery, err := store.Recover(context.Background(), path, store.Options{}, store.RecoverOptions{})
	if err != nil {
		return err
	}
	if recovery.Moved() {
		return errors.Join(fmt.Errorf("moved aside: %s", recovery.Reason), s.Close())
	}
	err = s.SetIntegrations([]store.Integration{{ID: snsID, Topic: testTopicARN}, {ID: pubsubID, Topic: testTopic}})
	for _, id := range []string{snsID, pubsubID} {
		err = errors.Join(err, r.nothingMissing(s, id, committed, at))
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	return store.Check(path)
}

// nothingMissing checks that the store has every committed sample that no cloud got before the power cut.
func (r record) nothingMissing(s *store.Store, id string, committed int, at float64) error {
	ds, err := s.Pending(id, 1_000_000, nil)
	if err != nil {
		return err
	}
	there := map[int]bool{}
	for _, d := range ds {
		if d.Run != 1 || there[int(d.Sample.N)] {
			return fmt.Errorf("%s: sample %d of run %d is stored twice, or was never offered", id, d.Sample.N, d.Run)
		}
		there[int(d.Sample.N)] = true
	}
	for n := 1; n <= committed; n++ {
		if when, taken := r.Taken[id][n]; !there[n] && (!taken || when > at) {
			return fmt.Errorf("%s: sample %d is missing", id, n)
		}
	}
	return nil
}
