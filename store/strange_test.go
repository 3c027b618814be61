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

// nobody is the id of a user that owns no files.
const nobody = 65534

const childUnprivileged = childPrefix + "unprivileged" // recovers a store and prints the result

// TestAFileOfAnotherUserIsMovedAside: the store's user owns the directory, and another user owns the file, as after
// one run as root. If the user does not own the directory either, nothing is changed.
func TestAFileOfAnotherUserIsMovedAside(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a file that another user may not open")
	}
	for what, c := range map[string]struct {
		owner int // owner of the directory
		mode  fs.FileMode
		want  string
	}{
		"the directory is ours":       {nobody, 0o700, "moved, works: the file is not ours: "},
		"the directory is not either": {0, 0o755, "refused: permission denied"},
	} {
		t.Run(what, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "noi-strange") // only its owner may enter the parent of t.TempDir
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
				t.Errorf("%s is not the unchanged file", kept)
			}
			must(t, store.Check(path))
		})
	}
}

// childOfNobody runs the child without privileges and returns its output.
func childOfNobody(t *testing.T, path string) string {
	t.Helper()
	// Another user cannot reach the binary by its name.
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", childUnprivileged, path)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		end := t.Skipf
		if os.Getenv("CI") == "true" {
			end = t.Fatalf // root may do this, except in a sandbox: CI must see that
		}
		end("no child without privileges: %v", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// recoverUnprivileged is the child. It starts a store as an agent does, without a check of the file, because the file
// cannot be opened.
func recoverUnprivileged(path string) error {
	if f, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
		return errors.Join(errors.New("the file can be opened, so the test proves nothing"), f.Close())
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
