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
	// runsEnv is the number of runs that are known from outside the file.
	runsEnv = "NOI_STORE_RUNS"
	// killRounds is the number of children that one file gets. Then its samples are counted, and another file begins.
	killRounds = 25
	// killWithin is the longest time from the start of a child to its kill, for a kill before the child is ready.
	// With a check or a salvage a start takes 5 to 50 ms.
	killWithin = 40 * time.Millisecond
)

// appendUntilKilled is the child. It starts a store as an agent does. It prints "start", "ready", "+run n" for a
// sample that Append has acknowledged and "-run n id" for a sample that a cloud has accepted, until it is killed.
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
		if s.Run()%2 == 0 { // the other half of the runs is killed during commits
			if err := store.CompactNow(s); err != nil {
				return err
			}
		}
	}
}

// drained is how many of five new samples a cloud takes. aws takes all that there are, gcp has a backlog that grows.
var drained = map[string]int{"aws": 7, "gcp": 4}

type sampleKey struct{ run, n uint64 }

// life is the history of one file, and the output of its children.
type life struct {
	t      *testing.T
	rnd    *rand.Rand
	path   string
	acked  map[sampleKey]bool
	taken  map[string]map[sampleKey]bool // by a cloud
	latest map[string]map[sampleKey]bool // taken from the running child, perhaps not settled in the file
	// taken before an acknowledged append of the same child: settled in the file
	settled map[string]map[sampleKey]bool
	damaged bool // since the last child that was ready
	tally   tally
}

// TestOutboxSurvivesKill kills a store at any moment while it starts, recovers, appends, settles and compacts its
// file. In some rounds the kill comes before the store is ready. In some the file has lost its heads, so that the
// child is killed while it moves the file aside and salvages it. A sample that Append acknowledged is never missing.
// A sample that a commit has settled is never pending again.
func TestOutboxSurvivesKill(t *testing.T) {
	seed := rand.Uint64()
	var mu sync.Mutex // guards sum
	var sum tally
	t.Run("lives", func(t *testing.T) { // ends when all lives have ended
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

// tally counts what the test did.
type tally struct {
	kills, unready int // unready: killed before the child was ready
	spoiled        int
	acked, taken   int
	again, most    int // again: deliveries that come a second time; most: the most in one life
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

// round decides at random how one child is killed.
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

// loseHeads clears the two pages that bbolt needs to open a file. These pages have no records, so a salvage finds all
// records.
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

// killStarting kills a child at the given time after its first line.
func (l *life) killStarting(wait time.Duration) {
	l.t.Helper()
	l.run(func(cmd *exec.Cmd, line string, _ int) {
		if line == "start" {
			<-time.After(wait)
			must(l.t, cmd.Process.Kill())
		}
	})
}

// killWorking kills a child when it has printed so many lines.
func (l *life) killWorking(lines int) {
	l.t.Helper()
	l.run(func(cmd *exec.Cmd, _ string, said int) {
		if said == lines {
			must(l.t, cmd.Process.Kill())
		}
	})
}

// run starts a child and calls each for each line of its output, including the lines before its death.
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
		l.t.Fatalf("the child ended without a kill: %v", err)
	}
}

// hear records a line. It reports whether the line is from a child that is ready.
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

// count opens the file once more and compares it with the output of the children.
func (l *life) count() {
	l.t.Helper()
	if len(l.acked) == 0 {
		l.t.Fatal("no sample was acknowledged: the test proves nothing")
	}
	s, _ := recoverAt(l.t, l.path, (&counted{}).options())
	l.tally.acked = len(l.acked)
	for _, id := range []string{"aws", "gcp"} {
		l.tally.again += l.countFor(s, id)
		l.tally.taken += len(l.taken[id])
	}
}

// countFor returns how many samples are pending although the cloud has them.
func (l *life) countFor(s *store.Store, id string) (again int) {
	l.t.Helper()
	there := map[sampleKey]bool{}
	for _, d := range pending(l.t, s, id, 1_000_000) {
		k := sampleKey{d.Run, d.Sample.N}
		switch {
		case there[k]:
			l.t.Errorf("%s: run %d sample %d is pending twice", id, k.run, k.n)
		case l.settled[id][k]:
			l.t.Errorf("%s: run %d sample %d is pending again after a commit had settled it", id, k.run, k.n)
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
