// Package clitest has what the tests of the commands and the end-to-end tests share: golden files, configurations,
// texts.
package clitest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The ids and topics in the configurations of the tests.
const (
	SNSID    = "FFjU28MMaL3W9B9hhhhH"
	PubSubID = "GGjU28MMaL3W9B9hhhhH"
	TopicARN = "arn:aws:sns:us-east-2:393221637266:MainSolarData"
	Topic    = "projects/test-project/topics/MainSolarData"
)

var update = flag.Bool("update", false, "write the golden files")

// WriteConfig writes a configuration into a new directory, and returns its path.
func WriteConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// MustHold fails the test for each part that the text does not contain.
func MustHold(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
}

// Golden compares got with a file under testdata/golden. With -update it writes the file.
func Golden(t *testing.T, name string, got []byte) {
	t.Helper()
	Renewed(t, filepath.Join("testdata", "golden", name), got)
}

// Document compares got with a file under docs/. With -update it writes the file. root is the path to the top of the
// module.
func Document(t *testing.T, root, name string, got []byte) {
	t.Helper()
	Renewed(t, filepath.Join(root, "docs", name), got)
}

// Renewed compares got with a file. With -update it writes the file.
func Renewed(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (make it with -update)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; if that is meant, run the test with -update and read the diff\ngot:\n%s\nwant:\n%s", path,
			got, want)
	}
}

// Buffer is a buffer that several goroutines may write.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *Buffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *Buffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// FileText returns the content of a file.
func FileText(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
