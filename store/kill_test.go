package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"noi-agent/store"
	"noi-agent/store/storetest"
)

const (
	// killEnv names the file that the re-executed test binary appends to.
	killEnv = "NOI_STORE_KILL"
	// runsEnv is how many runs were counted elsewhere.
	runsEnv = "NOI_STORE_RUNS"
	// killRounds of a file's life; then it is counted, and another file begins.
	killRounds = 25
	// killWithin is how long a start may go on that is to be killed before it is through: with the check or the salvage
	// it takes 5 to 50 ms.
	killWithin = 40 * time.Millisecond
)

// appendUntilKilled is the child: a store that starts as an agent's does. It says "start", "ready", "+run n" for what
// Append has acknowledged and "-run n id" for what a cloud has taken, then goes on for ever.
func appendUntilKilled(path string) int {
	fmt.Println("start")
	runs, err := strconv.ParseUint(os.Getenv(runsEnv), 10, 64)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s, _, err := store.Recover(context.Background(), path,
		store.Options{Limits: store.Limits{CommitEvery: time.Millisecond},
			Now: func() time.Time { return storetest.Start }, Runs: runs},
		store.RecoverOptions{})
	if err == nil {
		err = s.SetIntegrations(both)
	}
	if err == nil {
		fmt.Println("ready")
		err = appendForEver(s)
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func appendForEver(s *store.Store) error {
	for n := uint64(1); ; n += 5 {
		if err := s.Append(context.Background(), storetest.Sweep(s.Run(), n, 5, "aws", "gcp")); err != nil {
			return err
		}
		fmt.Printf("+%d %d\n", s.Run(), n)
		for _, id := range []string{"aws", "gcp"} {
			ds, err := s.Pending(id, drained[id], nil)
			if err != nil {
				return err
			}
			for _, d := range ds {
				fmt.Printf("-%d %d %s\n", d.Run, d.Sample.N, id)
			}
			if err := s.Settle(id, results(store.Accepted, ds...)); err != nil {
				return err
			}
		}
		if s.Run()%2 == 0 { // the other half dies in commits
			if err := store.CompactNow(s); err != nil {
				return err
			}
		}
	}
}

// drained is how many of five new samples a cloud takes: aws waits for each, gcp has a backlog that grows.
var drained = map[string]int{"aws": 7, "gcp": 4}

type sampleKey struct{ run, n uint64 }

// life is what one file goes through, and what its children have said.
type life struct {
	t      *testing.T
	rnd    *rand.Rand
	path   string
	acked  map[sampleKey]bool
	taken  map[string]map[sampleKey]bool // by a cloud
	latest map[string]map[sampleKey]bool // taken from the child that runs, and not settled for sure
	// taken before an append of the same child that was acknowledged: the file knows
	settled map[string]map[sampleKey]bool
	damaged bool // since the last child that was ready
	tally   tally
}

// TestOutboxSurvivesKill kills a store that starts, recovers, appends, settles and is compacted, at any moment: in a
// part of the rounds before the store is ready, and in a part with a file that has lost its heads, so that the child
// dies while it moves the file aside and salvages it. What Append acknowledged is never missing, and nothing comes
// again that a commit has settled.
func TestOutboxSurvivesKill(t *testing.T) {
	seed := rand.Uint64()
	var mu sync.Mutex // guards sum
	var sum tally
	t.Run("lives", func(t *testing.T) { // which it waits for
		for n := range storetest.Rounds(2, 80) {
			t.Run(fmt.Sprint(seed+uint64(n)), func(t *testing.T) {
				t.Parallel()
				l := newLife(t, seed+uint64(n))
				for range killRounds {
					l.round()
				}
				l.count()
				mu.Lock()
				defer mu.Unlock()
				sum.add(l.tally)
			})
		}
	})
	t.Logf("%d kills, %d of them before the child was ready; %d files damaged; %d samples acknowledged, %d "+
		"deliveries, "+
		"%d of these again, at most %d in one file", sum.kills, sum.unready, sum.spoiled, sum.acked, sum.taken,
		sum.again, sum.most)
}

// tally has the counts of the test.
type tally struct {
	kills, unready int // unready: before the child was
	spoiled        int
	acked, taken   int
	again, most    int // deliveries that come again, most: of one life
}

func (y *tally) add(z tally) {
	y.kills, y.unready, y.spoiled = y.kills+z.kills, y.unready+z.unready, y.spoiled+z.spoiled
	y.acked, y.taken, y.again = y.acked+z.acked, y.taken+z.taken, y.again+z.again
	y.most = max(y.most, z.again)
}

func newLife(t *testing.T, seed uint64) *life {
	return &life{
		t: t, rnd: rand.New(rand.NewPCG(seed, 0)), path: filepath.Join(t.TempDir(), "noi.db"),
		acked:   map[sampleKey]bool{},
		latest:  map[string]map[sampleKey]bool{"aws": {}, "gcp": {}},
		taken:   map[string]map[sampleKey]bool{"aws": {}, "gcp": {}},
		settled: map[string]map[sampleKey]bool{"aws": {}, "gcp": {}},
	}
}

// round draws how one child dies.
func (l *life) round() {
	l.t.Helper()
	how := l.rnd.IntN(10)
	if how < 3 {
		l.loseHeads()
	}
	switch {
	case how < 5 && how > 0:
		l.killStarting(time.Duration(l.rnd.Int64N(int64(killWithin))))
	default:
		l.killWorking(1 + l.rnd.IntN(60))
	}
	switch err := store.Check(l.path); {
	case err == nil:
	case l.damaged && errors.Is(err, store.ErrDamaged):
	case len(l.acked) == 0 && errors.Is(err, fs.ErrNotExist):
	default:
		l.t.Fatal(err)
	}
}

// loseHeads clears the two pages that bbolt needs to open a file. They have no records, so a salvage finds all records.
func (l *life) loseHeads() {
	l.t.Helper()
	f, err := os.OpenFile(l.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	must(l.t, err)
	_, err = f.WriteAt(make([]byte, 2*os.Getpagesize()), 0)
	must(l.t, errors.Join(err, f.Close()))
	l.damaged = true
	l.tally.spoiled++
}

// killStarting kills a child so long after its first word.
func (l *life) killStarting(wait time.Duration) {
	l.t.Helper()
	l.run(func(cmd *exec.Cmd, line string, _ int) {
		if line == "start" {
			<-time.After(wait)
			must(l.t, cmd.Process.Kill())
		}
	})
}

// killWorking kills a child when it has said so many lines.
func (l *life) killWorking(lines int) {
	l.t.Helper()
	l.run(func(cmd *exec.Cmd, _ string, said int) {
		if said == lines {
			must(l.t, cmd.Process.Kill())
		}
	})
}

// run starts a child and has each be called for each of its lines. What it says until it is dead counts too.
func (l *life) run(each func(cmd *exec.Cmd, line string, said int)) {
	l.t.Helper()
	cmd := exec.CommandContext(l.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), killEnv+"="+l.path, fmt.Sprintf("%s=%d", runsEnv, 1000*l.tally.kills))
	cmd.Stderr = l.t.Output()
	out, err := cmd.StdoutPipe()
	must(l.t, err)
	must(l.t, cmd.Start())
	for _, taken := range l.latest {
		clear(taken)
	}
	said, ready := 0, false
	for sc := bufio.NewScanner(out); sc.Scan(); {
		if l.hear(sc.Text()) {
			said++
		}
		ready = ready || sc.Text() == "ready"
		each(cmd, sc.Text(), said)
	}
	l.tally.kills++
	if !ready {
		l.tally.unready++
	}
	if err := cmd.Wait(); cmd.ProcessState.Exited() {
		l.t.Fatalf("the child ended by itself: %v", err)
	}
}

// hear takes note of a line, and reports whether it is of a child at work.
func (l *life) hear(line string) bool {
	if line == "ready" {
		l.damaged = false
	}
	var k sampleKey
	var id string
	if n, _ := fmt.Sscanf(line, "-%d %d %s", &k.run, &k.n, &id); n == 3 {
		l.taken[id][k], l.latest[id][k] = true, true
		return true
	}
	if n, _ := fmt.Sscanf(line, "+%d %d", &k.run, &k.n); n != 2 {
		return false
	}
	for j := range uint64(5) {
		l.acked[sampleKey{k.run, k.n + j}] = true
	}
	for id, taken := range l.latest {
		maps.Copy(l.settled[id], taken)
		clear(taken)
	}
	return true
}

// count opens the file once more, and compares it with the output of the child.
func (l *life) count() {
	l.t.Helper()
	if len(l.acked) == 0 {
		l.t.Fatal("nothing was acknowledged: the test shows nothing")
	}
	s, _ := recoverAt(l.t, l.path, (&counted{}).options())
	l.tally.acked = len(l.acked)
	for _, id := range []string{"aws", "gcp"} {
		l.tally.again += l.countFor(s, id)
		l.tally.taken += len(l.taken[id])
	}
}

// countFor returns how many samples come again that a cloud has.
func (l *life) countFor(s *store.Store, id string) (again int) {
	l.t.Helper()
	there := map[sampleKey]bool{}
	for _, d := range pending(l.t, s, id, 1_000_000) {
		k := sampleKey{d.Run, d.Sample.N}
		switch {
		case there[k]:
			l.t.Errorf("%s: run %d sample %d is pending twice", id, k.run, k.n)
		case l.settled[id][k]:
			l.t.Errorf("%s: run %d sample %d comes again, and a commit had settled it", id, k.run, k.n)
		case l.taken[id][k]:
			again++
		}
		there[k] = true
	}
	var missing []sampleKey
	for k := range l.acked {
		if !there[k] && !l.taken[id][k] {
			missing = append(missing, k)
		}
	}
	if dropped := s.Stats().Integrations[id].Dropped; uint64(len(missing)) > dropped {
		l.t.Errorf("%s: these were acknowledged and are missing, and %d counted as dropped: %v", id, dropped, missing)
	}
	return again
}
