package agent

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// privateDir is a temporary directory that no other user can write, whatever the umask is.
func privateDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// In a directory that others can write, nothing is read and nothing is written.
func TestAnOutboxInMemoryNeedsADirectoryThatOthersCannotWrite(t *testing.T) {
	for name, prepare := range map[string]func(dir string) (memory string, err error){
		"others can write":  func(dir string) (string, error) { return dir, os.Chmod(dir, 0o777|os.ModeSticky) },
		"a group can write": func(dir string) (string, error) { return dir, os.Chmod(dir, 0o770) },
		"a link": func(dir string) (string, error) {
			link := filepath.Join(t.TempDir(), "link")
			return link, os.Symlink(dir, link)
		},
		"another user's": func(dir string) (string, error) {
			if os.Geteuid() != 0 {
				t.Skip("only root can give a directory to another user")
			}
			return dir, os.Chown(dir, 65534, 65534)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, state := privateDir(t), t.TempDir()
			if err := failuresOf(dir, state).set(failuresMost); err != nil { // as another user may have written it
				t.Fatal(err)
			}
			memory, err := prepare(dir)
			if err != nil {
				t.Fatal(err)
			}
			path := failuresOf(memory, state).path
			log := &countedLog{}
			parsed, catalog := parseConfig(t, "device_id: 5300520006504b5957343920\nstate_dir: "+state+"\n")
			a, err := New(Options{Config: parsed, Catalog: catalog, Version: "1", Logger: slog.New(log),
				Memory: memory})
			if err != nil {
				t.Fatal(err)
			}
			if a.degraded != "" ||
				log.count("if the disk fails, no outbox is kept in memory: other users could write to its directory") != 1 {
				t.Errorf("the agent uses the directory (%q), and the log has %v", a.degraded, log.seen)
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(path + ".run"); err == nil {
				t.Error("the agent has written into the directory")
			}
		})
	}
}

// The agent follows no link in the place of a file in memory, neither to read nor to write.
func TestFilesInMemoryAreNoLinks(t *testing.T) {
	f := failuresOf(privateDir(t), "/var/lib/noi-agent")
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("3 5"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{f.path, f.path + ".run"} {
		if err := os.Symlink(victim, name); err != nil {
			t.Fatal(err)
		}
	}
	if n, r := f.count(), f.lastRun(); n != 0 || r != 0 {
		t.Errorf("the agent reads %d failures and the run %+v through a link", n, r)
	}
	if f.set(1) == nil || f.note(7) == nil {
		t.Error("the agent writes through a link")
	}
	if data, err := os.ReadFile(victim); err != nil || string(data) != "3 5" {
		t.Errorf("the file behind the link holds %q: %v", data, err)
	}
}

// The agent does not use an outbox that another user has prepared.
func TestAnOutboxInMemoryIsTheAgentsOwn(t *testing.T) {
	state := t.TempDir()
	for name, prepare := range map[string]func(dir string) error{
		"the directory is a link": func(dir string) error { return os.Symlink(t.TempDir(), dir) },
		"others can write":        func(dir string) error { return os.Mkdir(dir, 0o777) },
		"the file is a link": func(dir string) error {
			if err := os.Mkdir(dir, 0o700); err != nil {
				return err
			}
			return os.Symlink("/dev/null", filepath.Join(dir, "noi.db"))
		},
	} {
		f := failuresOf(privateDir(t), state)
		dir := f.path + ".outbox"
		if err := prepare(dir); err != nil {
			t.Fatal(err)
		}
		if name == "others can write" { // independent of the umask
			if err := os.Chmod(dir, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		if path, err := f.outbox(filepath.Join(state, "noi.db")); err == nil || path != "" ||
			!strings.Contains(err.Error(), ".outbox") {
			t.Errorf("%s: the outbox is used: %q, %v", name, path, err)
		}
	}
	f := failuresOf(privateDir(t), state)
	if path, err := f.outbox(filepath.Join(state, "noi.db")); err != nil || path == "" {
		t.Errorf("no outbox yet: %q, %v", path, err)
	}
}
