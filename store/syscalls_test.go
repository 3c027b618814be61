package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"noi-agent/modbus/modbustest"
	"noi-agent/store"
	"noi-agent/store/storetest"
)

// failEnv names the file that the re-executed test binary uses once, while a system call fails.
const failEnv = "NOI_STORE_FAIL"

// failDone is the exit code of a child that did everything. failErr is that of a child that met an error and printed
// it.
const (
	failDone = 0
	failErr  = 1
)

// useOnce is the child. It starts, appends, drains, and closes. It prints "+run n" and "-run n id" like
// appendUntilKilled. A full store does not end it.
func useOnce(path string) int {
	s, _, err := store.Recover(context.Background(), path, store.Options{Now: soon}, store.RecoverOptions{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return failErr
	}
	err = s.SetIntegrations(both)
	for n := uint64(1); n <= 20 && (err == nil || errors.Is(err, store.ErrFull)); n += 5 {
		err = appendAndTake(s, n)
	}
	if err := errors.Join(err, s.Close()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return failErr
	}
	return failDone
}

func appendAndTake(s *store.Store, n uint64) error {
	full := s.Append(context.Background(), storetest.Sweep(s.Run(), n, 5, "aws", "gcp"))
	if full != nil && !errors.Is(full, store.ErrFull) {
		return full
	}
	if full == nil {
		fmt.Printf("+%d %d\n", s.Run(), n)
	}
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
	return full
}

// failure is one kind of failing system call. calls lists the names that kernels of different machines have for it.
type failure struct {
	file  string // state of the file at the start, a key of files
	calls string
	errno string
	from  string // "+": the n-th and all later calls fail, as on a full disk
	every int    // step between the calls that are tried: 1 tries all
}

// failures are a few in the short test, because every run starts a process under strace. The long test has all.
func failures() []failure {
	if !storetest.Torture() {
		return []failure{
			{"no file", "ftruncate", "ENOSPC", "", 2}, {"a used file", "pwrite64", "ENOSPC", "", 6},
			{"a used file", "fdatasync", "EIO", "", 1},
			{"a used file", "openat", "EMFILE", "", 4}, {"a broken file", "fsync", "EIO", "", 2},
			{"a broken file", "renameat,renameat2,rename", "EIO", "", 1},
			{"a broken file", "linkat,link", "EIO", "", 1},
		}
	}
	var all []failure
	for file := range files {
		for _, calls := range []string{
			"pwrite64", "fdatasync", "fsync", "ftruncate", "openat", "renameat,renameat2,rename", "linkat,link",
			"unlinkat,unlink",
		} {
			for _, errno := range []string{"EIO", "ENOSPC", "EMFILE"} {
				// A file that returns EIO when it is opened cannot be read at all: its samples are lost, and the file
				// is kept aside.
				if (errno == "EMFILE") == (calls == "openat") {
					all = append(all, failure{file, calls, errno, "", 1}, failure{file, calls, errno, "+", 1})
				}
			}
		}
	}
	return all
}

// files are the states of the store's file at the start of a child.
var files = map[string]func(*life){
	"no file":       func(*life) {},
	"a used file":   func(l *life) { l.work() },
	"a broken file": func(l *life) { l.work(); l.loseHeads() },
}

// TestEveryFailedSystemCallEndsInAnErrorAndLosesNothing lets the n-th system call of a kind fail, for each n until
// there are no more calls. The store may end with an error, but not with a panic or a signal. The next start finds
// all samples that were acknowledged, before the failure and after it.
func TestEveryFailedSystemCallEndsInAnErrorAndLosesNothing(t *testing.T) {
	modbustest.NeedPeer(t, "strace that may trace", "strace", "strace", "-f", "-o", "/dev/null", "true")
	found := map[string]*life{}
	for what, prepare := range files {
		found[what] = newLife(t, 0)
		prepare(found[what])
	}
	for _, f := range failures() {
		t.Run(fmt.Sprintf("%s/%s %s%s", f.file, f.calls, f.errno, f.from), func(t *testing.T) {
			t.Parallel()
			places, runs, ended := map[int]bool{}, 0, 0
			for range storetest.Rounds(1, 3) {
				for n := 1; ; n += f.every {
					hit, ok := failOnce(t, f, n, found[f.file])
					if len(hit) == 0 {
						break
					}
					runs++
					for _, place := range hit {
						places[place] = true
					}
					if !ok {
						ended++
					}
				}
			}
			t.Logf("%s, %s %s%s: %d runs with a failure, at %d places; %d of them ended in an error", f.file, f.calls,
				f.errno, f.from, runs, len(places), ended)
		})
	}
}

// again returns a copy of this life, with copies of its files.
func (l *life) again(t *testing.T) *life {
	t.Helper()
	next := newLife(t, 0)
	must(t, os.CopyFS(filepath.Dir(next.path), os.DirFS(filepath.Dir(l.path))))
	maps.Copy(next.acked, l.acked)
	for id := range l.taken {
		maps.Copy(next.taken[id], l.taken[id])
		maps.Copy(next.settled[id], l.settled[id])
	}
	return next
}

// failOnce reports which calls failed, and whether the child succeeded nevertheless. strace counts the calls of each
// thread, and Go moves a goroutine from one thread to another. So the calls that fail differ from run to run, and may
// be more than one.
func failOnce(t *testing.T, f failure, n int, from *life) (hit []int, ok bool) {
	t.Helper()
	l := from.again(t)
	trace := filepath.Join(t.TempDir(), "trace")
	args := []string{"-f", "--seccomp-bpf", "-o", trace, "-e", "trace=" + f.calls, "-e",
		fmt.Sprintf("inject=%s:error=%s:when=%d%s", f.calls, f.errno, n, f.from)}
	if f.calls == "openat" { // only calls for the store's file: the dynamic linker opens files too
		dir := filepath.Dir(l.path)
		for _, name := range []string{dir, l.path, l.path + ".clean", l.path + ".names", l.path + ".names.new-",
			l.path + ".damaged-0001"} {
			args = append(args, "-P", name)
		}
	}
	code, said := l.use(append([]string{"strace"}, append(args, os.Args[0])...)...)
	traced, err := os.ReadFile(trace)
	must(t, err)
	if code != failDone && code != failErr || bytes.Contains(said, []byte("panic:")) ||
		bytes.Contains(said, []byte("fatal error:")) {
		t.Errorf("%d: exit code %d:\n%s", n, code, said)
	}
	if hit = injected(string(traced)); len(hit) == 0 && code != failDone {
		t.Errorf("%d: no call failed, exit code %d:\n%s", n, code, said)
	}
	s, _ := recoverAt(t, l.path, store.RecoverOptions{})
	for _, id := range []string{"aws", "gcp"} {
		l.countFor(s, id)
	}
	works(t, s)
	must(t, s.Close())
	return hit, code == failDone
}

// injected returns the numbers of the traced calls that strace made fail.
func injected(trace string) (hit []int) {
	calls := 0
	for line := range strings.Lines(trace) {
		if strings.Contains(line, "(") && !strings.Contains(line, " resumed>") {
			calls++
		}
		if strings.Contains(line, "(INJECTED)") {
			hit = append(hit, calls)
		}
	}
	return hit
}

// work runs a child without failing calls.
func (l *life) work() {
	l.t.Helper()
	if code, said := l.use(os.Args[0]); code != failDone {
		l.t.Fatalf("exit code %d:\n%s", code, said)
	}
	must(l.t, os.Remove(l.path+".clean"))
}

// use runs a child to its end, and records its output.
func (l *life) use(argv ...string) (code int, stderr []byte) {
	l.t.Helper()
	cmd := exec.CommandContext(l.t.Context(), argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), failEnv+"="+l.path)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		l.t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		l.hear(strings.TrimSpace(line))
	}
	return cmd.ProcessState.ExitCode(), said.Bytes()
}
