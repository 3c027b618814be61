package store_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"noi-agent/store"
	"noi-agent/store/storetest"
)

// killEnv tells the re-executed test binary which file to append to.
const killEnv = "NOI_STORE_KILL"

// appendUntilKilled is the child: it says "+run n" for what Append has acknowledged and "-run n"
// for what it has taken out of aws's queue, then goes on for ever.
func appendUntilKilled(path string) int {
	s, err := store.Open(path, store.Options{CommitEvery: time.Millisecond, Now: func() time.Time { return storetest.Start }})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := s.SetIntegrations(both); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for n := uint64(1); ; n += 5 {
		if err := s.Append(context.Background(), storetest.Sweep(s.Run(), n, 5, "aws", "gcp")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Printf("+%d %d\n", s.Run(), n)
		ds, err := s.Pending("aws", 7)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		for _, d := range ds {
			fmt.Printf("-%d %d\n", d.Run, d.Sample.N)
		}
		if err := s.Settle("aws", results(store.Accepted, ds...)); err != nil {
			return 1
		}
	}
}

type sampleKey struct{ run, n uint64 }

func TestOutboxSurvivesKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	acked, taken := map[sampleKey]bool{}, map[sampleKey]bool{}
	for round := range 8 {
		killOnce(t, path, 1+rnd.IntN(150), acked, taken)
		if err := store.Check(path); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	if len(acked) == 0 {
		t.Fatal("nothing was acknowledged: the test shows nothing")
	}
	s := openAt(t, path, store.Options{})
	checkNothingMissing(t, s, acked, taken)
}

func checkNothingMissing(t *testing.T, s *store.Store, acked, taken map[sampleKey]bool) {
	t.Helper()
	for _, id := range []string{"aws", "gcp"} {
		there := map[sampleKey]bool{}
		for _, d := range pending(t, s, id, 1_000_000) {
			k := sampleKey{d.Run, d.Sample.N}
			if there[k] {
				t.Errorf("%s: run %d sample %d is pending twice", id, k.run, k.n)
			}
			there[k] = true
		}
		for k := range acked {
			if !there[k] && (id == "gcp" || !taken[k]) {
				t.Errorf("%s: run %d sample %d was acknowledged and is missing", id, k.run, k.n)
			}
		}
	}
}

// killOnce runs the child until it has said so many lines, and kills it.
func killOnce(t *testing.T, path string, lines int, acked, taken map[sampleKey]bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), killEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	sc := bufio.NewScanner(out)
	for i := 0; sc.Scan(); i++ {
		var sign rune
		var k sampleKey
		if _, err := fmt.Sscanf(sc.Text(), "%c%d %d", &sign, &k.run, &k.n); err != nil {
			break // torn by the kill
		}
		if sign == '-' {
			taken[k] = true
		} else {
			for j := range uint64(5) {
				acked[sampleKey{k.run, k.n + j}] = true
			}
		}
		if i == lines {
			must(t, cmd.Process.Kill()) // what it says until it is dead counts too
		}
	}
	if err := cmd.Wait(); cmd.ProcessState.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
}
