package wholefile

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAFileIsReplacedWithItsMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	for _, text := range []string{"first", "second"} {
		if err := Write(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("%q, %v, want %q", got, err, text)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	onlyFile(t, path)
}

// TestAnErrorLeavesTheOldOne: the path is a directory, so that the last step fails.
func TestAnErrorLeavesTheOldOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.MkdirAll(filepath.Join(path, "kept"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("new"), 0o600); err == nil {
		t.Error("a directory was replaced")
	}
	if _, err := os.Stat(filepath.Join(path, "kept")); err != nil {
		t.Error(err)
	}
	onlyFile(t, path)
}

func TestAFileInTheWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := Write("token", []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	onlyFile(t, "token")
}

// onlyFile checks that the directory of path has no other file.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("the directory has %v, %v", entries, err)
	}
}
