package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"noi-agent/store"
	"noi-agent/store/storetest"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"
)

const (
	childPrefix = "noi-child-"
	childCheck  = childPrefix + "check" // what the child of an agent does
	childPanic  = childPrefix + "panic"
	childHang   = childPrefix + "hang"
	childTalk   = childPrefix + "talk"
	childUnable = childPrefix + "unable"
)

// child is the action of the re-executed test binary: it checks a file, panics or hangs.
func child(what, path string) int {
	switch what {
	case childCheck:
		return store.Verdict(path, os.Stderr)
	case childPanic:
		go func() { panic("freepages: failed to get all reachable pages") }()
		select {}
	case childHang:
		fmt.Fprintln(os.Stderr, "hanging")
		<-time.After(time.Hour)
	case childTalk:
		for range 1 << 16 {
			fmt.Fprintln(os.Stderr, "page 7: multiple references")
		}
		return 2
	case childUnable:
		fmt.Fprintln(os.Stderr, "too many open files")
		return 3
	case childUnprivileged:
		return exitCode(recoverUnprivileged(path))
	case childFill:
		return exitCode(fillBulky(path))
	case childDrain:
		return exitCode(drainBulky(path))
	}
	return 0
}

// counted does the check of an agent in a child process, and counts the checks.
type counted struct{ n int }

func (c *counted) check(ctx context.Context, path string) error {
	c.n++
	return store.InChild(os.Args[0], childCheck)(ctx, path)
}

func (c *counted) options() store.RecoverOptions { return store.RecoverOptions{Check: c.check} }

// hangs is longer than any recovery takes, also on a busy machine.
const hangs = 2 * time.Minute

// recoverAt starts a store as an agent does. The store is checked when the test ends.
func recoverAt(t *testing.T, path string, ro store.RecoverOptions) (*store.Store, store.Recovery) {
	t.Helper()
	begin := time.Now()
	s, r, err := store.Recover(t.Context(), path, store.Options{Now: soon}, ro)
	must(t, err)
	if took := time.Since(begin); took > hangs {
		t.Errorf("it took %v", took)
	}
	t.Cleanup(func() {
		must(t, s.Close())
		if err := store.Check(path); err != nil {
			t.Error(err)
		}
	})
	must(t, s.SetIntegrations(both))
	return s, r
}

// works checks that a store takes a sample and delivers it.
func works(t *testing.T, s *store.Store) {
	t.Helper()
	add(t, s, storetest.Sweep(s.Run(), 1_000_000, 1, "aws"))
	ds := pending(t, s, "aws", 5000)
	if len(ds) == 0 || ds[len(ds)-1].Sample.N != 1_000_000 {
		t.Errorf("%d pending, the new one is not among them", len(ds))
	}
}

// TestAnyFileStateComesUp is the table of what the path may contain.
func TestAnyFileStateComesUp(t *testing.T) {
	write := func(text string) func(*testing.T, string) {
		return func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte(text), 0o600)) }
	}
	for what, c := range map[string]struct {
		make    func(t *testing.T, path string)
		reason  string // why the file is moved aside; empty: it is opened as it is
		checks  int
		pending int // samples of aws that are still there
	}{
		"absent":  {func(*testing.T, string) {}, "", 0, 0},
		"clean":   {place, "", 0, 15},
		"unclean": {func(t *testing.T, p string) { place(t, p); must(t, os.Remove(p+".clean")) }, "", 1, 15},
		"touched": {func(t *testing.T, p string) { place(t, p); must(t, os.Chtimes(p, soon(), soon())) }, "", 1,
			15},
		"unpermitted": {func(t *testing.T, p string) { place(t, p); must(t, os.Chmod(p, 0)) }, "", 0, 15},
		"half":        {func(t *testing.T, p string) { place(t, p); cutAt(t, p, 2) }, "file is damaged", 1, -1},
		"one page": {func(t *testing.T, p string) { place(t, p); must(t, os.Truncate(p, 4096)) },
			"file is damaged", 1, 0},
		"two bytes": {write("no"), "file is damaged: ", 1, 0},
		"empty":     {write(""), "the file is empty", 0, 0},
		"text": {write(strings.Repeat("this is no database\n", 2000)), "file is damaged: invalid database",
			1, 0},
		"another program": {foreign, "file is damaged: it has no bucket \"meta\"", 1, 0},
		"directory": {func(t *testing.T, p string) { must(t, os.Mkdir(p, 0o700)) },
			"a directory has the file's name", 0, 0},
		"full directory": {func(t *testing.T, p string) { must(t, os.MkdirAll(filepath.Join(p, "x"), 0o700)) },
			"a directory", 0, 0},
		"pipe": {func(t *testing.T, p string) { must(t, syscall.Mkfifo(p, 0o600)) },
			"something that is no file", 0, 0},
		"dead link": {func(t *testing.T, p string) { must(t, os.Symlink("gone", p)) },
			"a link that leads nowhere", 0, 0},
		"circular link": {func(t *testing.T, p string) { must(t, os.Symlink(filepath.Base(p), p)) },
			"a link that leads nowhere", 0, 0},
	} {
		t.Run(what, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "noi.db")
			c.make(t, path)
			before, _ := os.Lstat(path)
			var checks counted
			begin := time.Now()
			s, r := recoverAt(t, path, checks.options())
			t.Logf("up in %v", time.Since(begin).Round(time.Millisecond))
			if !strings.Contains(r.Reason, c.reason) || r.Moved() != (c.reason != "") || checks.n != c.checks {
				t.Errorf("%d checks, reason %q", checks.n, r.Reason)
			}
			if r.Created != (what == "absent") || r.Checked != (c.checks > 0) {
				t.Errorf("recovery %+v", r)
			}
			if n := len(pending(t, s, "aws", 100)); c.pending >= 0 && n != c.pending {
				t.Errorf("%d pending", n)
			}
			works(t, s)
			if !r.Moved() {
				return
			}
			after, err := os.Lstat(r.Aside)
			must(t, err)
			if !os.SameFile(before, after) || !cmp.Equal(r.Kept, []string{path + ".damaged-0001"}) {
				t.Errorf("the file kept as %s is not the old one (%v)", r.Aside, r.Kept)
			}
		})
	}
}

// place creates a store that was closed cleanly, with 15 of 20 samples pending for aws.
func place(t *testing.T, path string) {
	t.Helper()
	must(t, os.Rename(filled(t), path))
	s, err := store.Open(path, store.Options{Now: soon})
	must(t, err)
	must(t, s.Close())
}

func cutAt(t *testing.T, path string, part int64) {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	must(t, os.Truncate(path, info.Size()/part))
}

// foreign is a sound bbolt file of another program.
func foreign(t *testing.T, path string) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err }))
	must(t, db.Close())
}

func newer(t *testing.T, path string) {
	t.Helper()
	place(t, path)
	damage(t, path, "meta", []byte("identity"),
		func(v []byte) []byte { return reseal("identity", append([]byte{99}, v[1:]...)) })
}

// TestStoreOfANewerVersionIsRefusedAndLeftUntouched is the start after a downgrade: the newer version must find its
// file unchanged.
func TestStoreOfANewerVersionIsRefusedAndLeftUntouched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	newer(t, path)
	before := contents(t, filepath.Dir(path))
	for range 2 { // systemd starts the daemon again and again
		_, r, err := store.Recover(t.Context(), path, store.Options{Now: soon}, new(counted).options())
		if !errors.Is(err, store.ErrVersion) || r.Moved() {
			t.Fatalf("recovery %+v, error %v", r, err)
		}
		for _, part := range []string{path, "newer version", "format 99, the highest known is 2",
			"install the newer version again"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("no %q in: %v", part, err)
			}
		}
	}
	if diff := cmp.Diff(before, contents(t, filepath.Dir(path))); diff != "" {
		t.Errorf("the directory has changed:\n%s", diff)
	}
	if _, err := store.Open(path, store.Options{Now: soon}); !errors.Is(err, store.ErrVersion) {
		t.Errorf("Open says %v", err)
	}
}

// contents returns the names and sums of the files of a directory.
func contents(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	found := map[string][32]byte{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		must(t, err)
		found[e.Name()] = sha256.Sum256(data)
	}
	return found
}

func TestNoteOfACleanStopHoldsForOneStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	place(t, path)
	must(t, os.WriteFile(path+".clean", []byte("noi-agent left noi.db complete: some other time\n"), 0o600))
	var checks counted
	s, _ := recoverAt(t, path, checks.options())
	if checks.n != 1 {
		t.Errorf("%d checks of a file that was changed after its close", checks.n)
	}
	if _, err := os.Stat(path + ".clean"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the note is still there while the store is in use: %v", err)
	}
	works(t, s)
}

func TestKillRunsTheCheckOnceAndCleanStopsNone(t *testing.T) {
	var checks counted
	l := newLife(t, 0)
	for round := range 3 {
		l.killWorking(5 + 20*round)
		before := checks.n
		for range 3 {
			s, r, err := store.Recover(t.Context(), l.path, store.Options{Now: soon}, checks.options())
			must(t, err)
			if r.Moved() {
				t.Errorf("a sound file was moved: %s", r.Reason)
			}
			must(t, s.Close())
		}
		if n := checks.n - before; n != 1 {
			t.Errorf("round %d: %d checks in the three starts after a kill", round, n)
		}
	}
	l.count()
}

func TestTheChildIsBelieved(t *testing.T) {
	for what, c := range map[string]struct {
		check   func(context.Context, string) error
		limit   time.Duration
		reason  string
		failure string
	}{
		"panic": {store.InChild(os.Args[0], childPanic), 0, "file is damaged: panic: freepages", ""},
		"hang": {store.InChild(os.Args[0], childHang), 200 * time.Millisecond, "could not be checked within 200 ms",
			""},
		"flood":     {store.InChild(os.Args[0], childTalk), 0, "file is damaged: page 7: multiple references", ""},
		"unable":    {store.InChild(os.Args[0], childUnable), 0, "", "could not check the store: too many open files"},
		"no child":  {store.InChild("/nonexistent/agent"), 0, "", "run the child that checks the store"},
		"no option": {nil, 0, "", ""},
	} {
		t.Run(what, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "noi.db")
			place(t, path)
			must(t, os.Remove(path+".clean"))
			s, r, err := store.Recover(t.Context(), path, store.Options{Now: soon},
				store.RecoverOptions{Check: c.check, Limit: c.limit})
			if c.failure != "" {
				if err == nil || !strings.Contains(err.Error(), c.failure) || r.Moved() {
					t.Fatalf("%v, %+v", err, r)
				}
				return
			}
			must(t, err)
			if !strings.Contains(r.Reason, c.reason) || r.Moved() != (c.reason != "") || len(r.Reason) > 4096 {
				t.Errorf("reason %q", r.Reason)
			}
			must(t, s.SetIntegrations(both))
			if n := len(pending(t, s, "aws", 100)); n != 15 {
				t.Errorf("%d pending: a sound file that was taken for damaged lost samples", n)
			}
			must(t, s.Close())
			must(t, store.Check(path))
		})
	}
}

func TestEndedStartMovesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	place(t, path)
	must(t, os.Remove(path+".clean"))
	ctx, cancel := context.WithCancel(t.Context())
	_, r, err := store.Recover(ctx, path, store.Options{},
		store.RecoverOptions{Check: func(ctx context.Context, path string) error {
			cancel()
			return store.InChild(os.Args[0], childHang)(ctx, path)
		}})
	if !errors.Is(err, context.Canceled) || r.Moved() {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestFileOfARunningAgentIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{})
	var checks counted
	_, r, err := store.Recover(t.Context(), path, store.Options{}, checks.options())
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), "state_dir") || r.Moved() || checks.n != 0 {
		t.Errorf("%v, %+v", err, r)
	}
	add(t, s, storetest.Sweep(1, 1, 3, "aws")) // the first agent still works
}

func TestOnlyTheNewestAreKeptAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	for i := range 7 {
		must(t, os.WriteFile(path, []byte(strings.Repeat("x", 5000+i)), 0o600))
		s, r, err := store.Recover(t.Context(), path, store.Options{Now: soon}, store.RecoverOptions{})
		must(t, err)
		if want := fmt.Sprintf("%s.damaged-%04d", path, i+1); r.Aside != want || len(r.Kept) != min(i+1, 3) ||
			r.Kept[len(r.Kept)-1] != want {
			t.Errorf("time %d: %+v", i+1, r)
		}
		must(t, s.Close())
	}
	must(t, os.Truncate(path+".damaged-0006", 65<<20)) // a store of 1 KiB may take 64 MiB and 2 KiB
	must(t, os.WriteFile(path, []byte("short"), 0o600))
	s, r, err := store.Recover(t.Context(), path, store.Options{Limits: store.Limits{MaxSize: 1 << 10}, Now: soon},
		store.RecoverOptions{})
	must(t, err)
	if !cmp.Equal(r.Kept, []string{path + ".damaged-0007", path + ".damaged-0008"}) {
		t.Errorf("kept %v", r.Kept)
	}
	must(t, s.Close())
}

// TestWhereNothingCanBeDone runs as an ordinary user: root is refused nothing.
func TestWhereNothingCanBeDone(t *testing.T) {
	if os.Getuid() == 0 {
		asNobody(t)
		return
	}
	for what, c := range map[string]struct {
		make func(path string) error
		want string
	}{
		"no directory": {func(path string) error { return os.Remove(filepath.Dir(path)) },
			"create the directory"},
		"nothing in it": {func(path string) error { return os.Chmod(filepath.Dir(path), 0o500) },
			"must be able to write in state_dir"},
		"damaged and kept so": {spoilAndForbid, "must be able to write in state_dir"},
	} {
		dir := filepath.Join(t.TempDir(), "state")
		must(t, os.Mkdir(dir, 0o700))
		t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
		path := filepath.Join(dir, "noi.db")
		must(t, c.make(path))
		_, _, err := store.Recover(t.Context(), path, store.Options{}, store.RecoverOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func spoilAndForbid(path string) error {
	return errors.Join(os.WriteFile(path, []byte("none"), 0o600), os.Chmod(filepath.Dir(path), 0o500))
}

// asNobody runs the calling test once more, as the user nobody.
func asNobody(t *testing.T) {
	t.Helper()
	dir, err := os.MkdirTemp("", "noi-nobody-") // t.TempDir lets no other user in
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o777))
	binary, err := os.ReadFile(os.Args[0])
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "test"), binary, 0o755))
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "test"), "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
}
