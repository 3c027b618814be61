package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"noi-agent/sinks/sinktest/standin"
)

// TestKilledDaemonWithADamagedStoreComesUpByItself kills the real daemon with a backlog, damages its store so that
// bbolt cannot open it, and starts the daemon again. Its own child finds the damage, and every committed sample
// reaches both clouds under its old id.
func TestKilledDaemonWithADamagedStoreComesUpByItself(t *testing.T) {
	t.Parallel()
	binary := buildBinary(t, "..")
	w := newWorld(t, countingSlave())
	config := withAllAttributes(t, w.config(`objects: [Ahc_r, Ahl_t], intervals: {"*": 20ms}`, "all"))
	for _, cloud := range []interface{ SetDown(bool) error }{w.sns, w.pubsub} {
		if err := cloud.SetDown(true); err != nil {
			t.Fatal(err)
		}
	}
	marks := &committed{upTo: map[int]int{}}
	child, read := startChild(t, binary, config, marks)
	eventually(t, "a backlog", func() bool { return marks.runs()[1] > 100 })
	if err := child.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-read
	_ = child.Wait() // killed
	db := filepath.Join(w.dir, "state", "noi.db")
	f, err := os.OpenFile(db, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 8192), 0); err != nil { // both heads
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	clearWeather(t, w)
	child, read = startChild(t, binary, config, marks)
	eventually(t, "both clouds have all that was committed before", func() bool {
		before := map[int]int{1: marks.runs()[1]}
		return missing(before, w.sns.Messages()) == 0 && missing(before, w.pubsub.Messages()) == 0
	})
	var status struct {
		Store struct {
			Start     string
			Salvaged  int
			KeptAside []string `json:"kept_aside"`
		}
		Problems []struct{ Code, Detail string }
	}
	if err := json.Unmarshal(w.get("/api/v1/status"), &status); err != nil {
		t.Fatal(err)
	}
	told := false
	for _, p := range status.Problems {
		told = told || p.Code == "store_recovered" && strings.Contains(p.Detail, "file is damaged") && strings.Contains(p.Detail, db+".damaged-0001")
	}
	if s := status.Store; !told || s.Start != "renewed" || s.Salvaged < 100 || len(s.KeptAside) != 1 {
		t.Errorf("status %+v", status)
	}
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-read
	if err := child.Wait(); err != nil {
		t.Errorf("the daemon ended with %v", err)
	}
	for cloud, messages := range map[string][]standin.Message{"SNS": w.sns.Messages(), "Pub/Sub": w.pubsub.Messages()} {
		checkRepetitions(t, cloud, messages)
	}
}

func TestStoreCheckCommandExitsAsTheDaemonExpects(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "noi.db")
	if code, _, stderr := run1("store-check", path); code != 3 || !strings.Contains(stderr, "no such file") {
		t.Errorf("no file exits %d: %s", code, stderr)
	}
	if err := os.WriteFile(path, []byte("no store"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := run1("store-check", path); code != 2 || !strings.Contains(stderr, "file is damaged") {
		t.Errorf("a damaged file exits %d: %s", code, stderr)
	}
	if _, stdout, _ := run1("--help"); strings.Contains(stdout, "store-check") {
		t.Error("the child's command is shown to people")
	}
}
