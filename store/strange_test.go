package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"noi-agent/store"
)

// nobody is the id of a user without files.
const nobody = 65534

const childUnprivileged = childPrefix + "unprivileged" // recovers a store and says what became of it

// TestAFileOfAnotherUserIsMovedAside starts a store as a user to whom the directory belongs and the file in it does
// not, as after the agent has run as root once. Where the directory is not the user's either, nothing is
// touched.
func TestAFileOfAnotherUserIsMovedAside(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a file that another user may not open")
	}
	for what, c := range map[string]struct {
		owner int // of the directory
		mode  fs.FileMode
		want  string
	}{
		"the directory is ours":       {nobody, 0o700, "moved, works: the file is not ours: "},
		"the directory is not either": {0, 0o755, "refused: permission denied"},
	} {
		t.Run(what, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "noi-strange") // t.TempDir lies in a directory that only its owner may enter
			must(t, err)
			t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
			path := filepath.Join(dir, "noi.db")
			place(t, path)
			before, err := os.Lstat(path)
			must(t, err)
			must(t, errors.Join(os.Chmod(dir, c.mode), os.Chown(dir, c.owner, c.owner)))
			if said := childOfNobody(t, path); !strings.HasPrefix(said, c.want) {
				t.Errorf("the child says %q, want %q", said, c.want)
			}
			kept := path
			if c.owner == nobody {
				kept = path + ".damaged-0001"
			}
			after, err := os.Lstat(kept)
			must(t, err)
			if !os.SameFile(before, after) || after.Size() != before.Size() ||
				!after.ModTime().Equal(before.ModTime()) {
				t.Errorf("%s is not the file as it was", kept)
			}
			must(t, store.Check(path))
		})
	}
}

// childOfNobody runs the child without privileges and returns its output.
func childOfNobody(t *testing.T, path string) string {
	t.Helper()
	// by its name the binary lies where only root may look
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", childUnprivileged, path)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		end := t.Skipf
		if os.Getenv("CI") == "true" {
			end = t.Fatalf // root may, unless a sandbox took it away: then say so to CI
		}
		end("no child without privileges: %v", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// recoverUnprivileged is the child: it starts a store as an agent does, without a check of its own, for nothing is to
// be checked.
func recoverUnprivileged(path string) error {
	if f, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
		return errors.Join(errors.New("the file can be opened: this is no test"), f.Close())
	}
	s, r, err := store.Recover(context.Background(), path, store.Options{Now: soon}, store.RecoverOptions{})
	if errors.Is(err, fs.ErrPermission) {
		fmt.Println("refused: permission denied:", err)
		return nil
	}
	if err == nil {
		err = s.SetIntegrations(both)
	}
	if err != nil {
		return fmt.Errorf("moved %v: %w", r.Moved(), err)
	}
	if r.Aside != path+".damaged-0001" || !r.Uncounted || r.Samples != 0 {
		return fmt.Errorf("recovery %+v", r)
	}
	fmt.Println("moved, works:", r.Reason)
	return s.Close()
}
