package agent

import (
	"errors"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"noi-agent/configs"
	"noi-agent/objects"
)

func TestAfterThreeFailuresTheOutboxIsInMemoryAndTheDiskIsTriedAgain(t *testing.T) {
	state, memory := t.TempDir(), t.TempDir()
	catalog, err := objects.LoadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	parsed, faults := configs.Parse([]byte("state_dir: "+state+"\n"), catalog)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	device := ""
	for i, c := range []struct {
		failed int
		start  string
		after  int // failures counted after the start
	}{
		{0, storeCreated, 0}, {2, storeClean, 2}, {3, storeMemory, 2}, {2, storeClean, 2},
	} {
		counted := failuresOf(memory, state)
		if err := counted.set(c.failed); err != nil {
			t.Fatal(err)
		}
		a, err := New(Options{
			Config: parsed, Catalog: catalog, Version: "1", Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Memory: memory,
		})
		if err != nil {
			t.Fatal(err)
		}
		status := a.status()
		if status.Store.Start != c.start || counted.count() != c.after {
			t.Errorf("start %d: %q, %d failures counted", i, status.Store.Start, counted.count())
		}
		loud := len(status.Problems) == 1 && status.Problems[0].Code == storeInMemory.Code && a.Ready() != nil
		if loud != (c.start == storeMemory) {
			t.Errorf("start %d: problems %+v, ready %v", i, status.Problems, a.Ready())
		}
		if device == "" {
			device = a.DeviceID()
		}
		if a.DeviceID() != device {
			t.Errorf("start %d: it is %s now and was %s", i, a.DeviceID(), device)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFailuresInARowAreCounted(t *testing.T) {
	elapsed := time.Minute
	a := &Agent{failures: failuresOf(t.TempDir(), "/var/lib/noi-agent"), clock: clock{elapsed: func() time.Duration { return elapsed }}}
	broken := errors.New("commit: input/output error")
	for i, c := range []struct {
		ran  time.Duration
		err  error
		want int
	}{
		{time.Minute, broken, 1}, {time.Minute, broken, 2}, {2 * time.Hour, broken, 1}, {time.Minute, broken, 2}, {time.Minute, nil, 0},
	} {
		elapsed = c.ran
		a.countFailure(c.err)
		if got := a.failures.count(); got != c.want {
			t.Errorf("run %d: %d in a row, want %d", i, got, c.want)
		}
	}
}

func TestOnlyTheMediumCountsAsAFailingDisk(t *testing.T) {
	for _, e := range []syscall.Errno{syscall.EIO, syscall.EROFS, syscall.ENOSPC} {
		if !diskFailed(errors.Join(errors.New("open the store"), e)) {
			t.Errorf("%v does not", e)
		}
	}
	for _, e := range []syscall.Errno{syscall.EACCES, syscall.ENOENT} {
		if diskFailed(e) {
			t.Errorf("%v does", e)
		}
	}
	if none := failuresOf("", "x"); none.set(3) != nil || none.count() != 0 {
		t.Error("without a place in memory something is counted")
	}
	if !strings.Contains(failuresOf("/run/noi-agent", "x").path, "/run/noi-agent/store-failures-") {
		t.Error("the count is elsewhere")
	}
}
