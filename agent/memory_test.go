package agent

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/status/api"
	"noi-agent/store"
)

func TestAfterThreeFailuresTheOutboxIsInMemoryAndTheDiskIsTriedAgain(t *testing.T) {
	state, memory := t.TempDir(), privateDir(t)
	parsed, catalog := parseConfig(t, "state_dir: "+state+"\n")
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
			Config: parsed, Catalog: catalog, Version: "1", Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Memory: memory,
		})
		if err != nil {
			t.Fatal(err)
		}
		status := a.Status()
		if status.Store.Start != c.start || counted.count() != c.after {
			t.Errorf("start %d: %q, %d failures counted", i, status.Store.Start, counted.count())
		}
		loud := len(status.Problems) == 1 && status.Problems[0].Code == api.StoreInMemory.Code && a.Ready() != nil
		if loud != (c.start == storeMemory) {
			t.Errorf("start %d: problems %+v, ready %v", i, status.Problems, a.Ready())
		}
		if device == "" {
			device = a.DeviceID()
		}
		if a.DeviceID() != device {
			t.Errorf("start %d: the device id is %s now and was %s", i, a.DeviceID(), device)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A new outbox in memory continues the run numbers of the disk. It knows since when there was no agent, because
// nothing else reports this before the disk is back.
func TestAnOutboxInMemoryKnowsTheRunBefore(t *testing.T) {
	state, memory := t.TempDir(), privateDir(t)
	parsed, catalog := parseConfig(t,
		"device_id: 5300520006504b5957343920\nclock: {source: system}\nstate_dir: "+state+"\n")
	begin := func() *Agent {
		t.Helper()
		a, err := New(Options{Config: parsed, Catalog: catalog, Version: "1",
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Memory: memory})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := begin(); a.store.Run() != 1 || a.failures.lastRun() != 1 {
		t.Errorf("on the disk: run %d", a.store.Run())
	}
	if err := failuresOf(memory, state).set(failuresMost); err != nil {
		t.Fatal(err)
	}
	if a := begin(); a.degraded == "" || a.store.Run() != 2 {
		t.Errorf("in memory: run %d", a.store.Run())
	}
	if err := failuresOf(memory, state).set(failuresMost); err != nil {
		t.Fatal(err)
	}
	third := begin()
	if third.store.Run() <= 2 {
		t.Errorf("in memory once more: run %d", third.store.Run())
	}
	if a := begin(); a.degraded != "" || a.store.Run() <= third.store.Run() {
		t.Errorf("back on the disk: run %d", a.store.Run())
	}
	if _, err := os.Stat(failuresOf(memory, state).path + ".outbox"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the outbox in memory is still there: %v", err)
	}
	if err := os.WriteFile(failuresOf(memory, state).path+".run", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := failuresOf(memory, state).lastRun(); r != 0 {
		t.Errorf("an empty note: %+v", r)
	}
}

// After a power cut no file in memory knows the last run. The outbox in memory must not use a run number of the disk:
// the store keeps one record of the clock for each run, and numbers of samples would be used twice.
func TestAfterAPowerCutAnOutboxInMemoryTakesNoRunOfTheDisk(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(store string) error
		want uint64 // the lowest run number of the outbox in memory
	}{
		"readable":          {func(string) error { return nil }, 3},
		"no second copy":    {func(store string) error { return os.Remove(store + ".names") }, 3},
		"empty second copy": {func(store string) error { return os.Truncate(store+".names", 0) }, 3},
		"no store": {func(store string) error {
			return errors.Join(os.Remove(store), os.Remove(store+".names"))
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			parsed, catalog := parseConfig(t, "clock: {source: system}\nstate_dir: "+state+"\n")
			begin := func(memory string) *Agent {
				t.Helper()
				a, err := New(Options{Config: parsed, Catalog: catalog, Version: "1",
					Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Memory: memory})
				if err == nil {
					err = a.Close()
				}
				if err != nil {
					t.Fatal(err)
				}
				return a
			}
			memory := privateDir(t)
			begin(memory)
			if a := begin(memory); a.store.Run() != 2 {
				t.Fatalf("on the disk: run %d", a.store.Run())
			}
			memory = privateDir(t) // empty, as after a power cut
			if err := errors.Join(c.harm(filepath.Join(state, "noi.db")),
				failuresOf(memory, state).set(failuresMost)); err != nil {
				t.Fatal(err)
			}
			a := begin(memory)
			if got := a.store.Run(); a.degraded == "" || got < c.want || c.want == 1 && got != 1 {
				t.Errorf("in memory: run %d, want %d or more", got, c.want)
			}
			if back := begin(memory); back.degraded != "" || back.store.Run() <= a.store.Run() {
				t.Errorf("back on the disk: run %d after %d", back.store.Run(), a.store.Run())
			}
		})
	}
}

// TestGapsOfTheTimeInMemoryAreOnTheDiskBeforeThatOutboxIsDeleted: the agent starts on the disk again, and is killed,
// or the power fails, right after that start. The gaps are on the disk then, with the marks of an operator who has
// acknowledged them.
func TestGapsOfTheTimeInMemoryAreOnTheDiskBeforeThatOutboxIsDeleted(t *testing.T) {
	const id = "FFjU28MMaL3W9B9hhhhH"
	state, memory := t.TempDir(), privateDir(t)
	parsed, catalog := parseConfig(t, "device_id: 5300520006504b5957343920\nclock: {source: system}\nstate_dir: "+state+`
integrations: [{id: `+id+`, type: gcp, objects: all, project_id: my-project, topic: solar}]
`)
	begin := func() *Agent {
		t.Helper()
		a, err := New(Options{Config: parsed, Catalog: catalog, Version: "1", Logger: slog.New(slog.DiscardHandler),
			Memory: memory, NewSink: func(configs.Integration, string) (publish.Sink, error) { return nil, errors.New("none") }})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(begin().Close())
	must(failuresOf(memory, state).set(failuresMost))
	a := begin()
	gap := func(object string) objects.Gap {
		return objects.Gap{Unit: "rs485/1", Object: object, From: time.Now(), To: time.Now(), Count: 7, Reason: objects.GapBus}
	}
	must(a.store.Missing(id, gap("adc_va")))
	if done, err := a.AcknowledgeGaps(time.Time{}); err != nil || done.Acknowledged != 1 {
		t.Fatalf("%d gaps acknowledged in memory, %v", done.Acknowledged, err)
	}
	must(a.store.Missing(id, gap("adc_vb")))
	must(a.Close())
	back := begin()
	defer func() { must(back.Close()) }()
	if _, err := os.Stat(failuresOf(memory, state).path + ".outbox"); back.degraded != "" || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("not back on the disk: %q, %v", back.degraded, err)
	}
	file, err := os.ReadFile(filepath.Join(state, "noi.db")) // the file after a kill
	must(err)
	left := filepath.Join(t.TempDir(), "noi.db")
	must(os.WriteFile(left, file, 0o600))
	killed, err := store.Open(left, store.Options{})
	must(err)
	defer func() { must(killed.Close()) }()
	rows, _, err := killed.Triggers(store.TriggerQuery{Gaps: true})
	must(err)
	marks := map[string]bool{} // acknowledged, by object
	for _, row := range rows {
		marks[row.Gap.Object] = row.Gap.Acknowledged && row.Gap.Count == 7
	}
	if len(rows) != 2 || !maps.Equal(marks, map[string]bool{"adc_va": true, "adc_vb": false}) {
		t.Errorf("gaps %+v, want both, and the mark of the first", rows)
	}
	if in := back.store.Stats().Integrations[id]; in.Unseen != 1 || len(in.Gaps) != 1 || in.Gaps[0].Gap.Object != "adc_vb" {
		t.Errorf("%d gaps are shown as news: %+v, want the one that is not acknowledged", in.Unseen, in.Gaps)
	}
}

func TestFailuresInARowAreCounted(t *testing.T) {
	elapsed := time.Minute
	a := &Agent{failures: failuresOf(t.TempDir(), "/var/lib/noi-agent"),
		clock: clock.Clock{Elapsed: func() time.Duration { return elapsed }}}
	broken := errors.New("commit: input/output error")
	for i, c := range []struct {
		ran  time.Duration
		err  error
		want int
	}{
		{time.Minute, broken, 1}, {time.Minute, broken, 2}, {2 * time.Hour, broken, 1}, {time.Minute, broken, 2},
		{time.Minute, nil, 0},
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
			t.Errorf("%v does not count as a failure of the disk", e)
		}
	}
	for _, e := range []syscall.Errno{syscall.EACCES, syscall.ENOENT} {
		if diskFailed(e) {
			t.Errorf("%v counts as a failure of the disk", e)
		}
	}
	if none := failuresOf("", "x"); none.set(3) != nil || none.count() != 0 {
		t.Error("a failure is counted although there is no directory in memory")
	}
	if !strings.Contains(failuresOf("/run/noi-agent", "x").path, "/run/noi-agent/store-failures-") {
		t.Error("the count is not in its file")
	}
}

// TestAnAgentInMemoryEndsWhenTheDiskIsBack: the parent of the state directory does not exist. Then the probes find
// it, and create the state directory.
func TestAnAgentInMemoryEndsWhenTheDiskIsBack(t *testing.T) {
	card := filepath.Join(t.TempDir(), "card")
	if err := os.WriteFile(card, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(card, "state")
	memory := privateDir(t)
	parsed, catalog := parseConfig(t, "device_id: 5300520006504b5957343920\nstate_dir: "+state+"\n")
	if err := failuresOf(memory, state).set(failuresMost); err != nil {
		t.Fatal(err)
	}
	log := &countedLog{}
	a, err := New(Options{Config: parsed, Catalog: catalog, Version: "1", Logger: slog.New(log), Memory: memory})
	if err != nil {
		t.Fatal(err)
	}
	a.probes = time.Millisecond
	ended := make(chan error, 1)
	go func() { ended <- a.Run(t.Context()) }()
	for log.count("the disk still fails") < 2 {
		time.Sleep(time.Millisecond)
	}
	if err := errors.Join(os.Remove(card), os.MkdirAll(card, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, errDiskBack) {
		t.Errorf("it ended with %v", err)
	}
	if n := log.count("the disk has passed a probe"); n != probesInRow {
		t.Errorf("%d probes passed, want %d", n, probesInRow)
	}
	if left, err := os.ReadDir(state); err != nil || len(left) > 0 {
		t.Errorf("the probes left %v: %v", left, err)
	}
}

// TestAnAgentStaysInMemoryUntilNothingWaits has each kind of data wait in memory, while the disk is sound. The agent
// goes back to the disk, at a start or after the probes, only when none waits.
func TestAnAgentStaysInMemoryUntilNothingWaits(t *testing.T) {
	const id = "FFjU28MMaL3W9B9hhhhH"
	sweep := objects.Sweep{
		Source: objects.Source{Line: "rs485", UnitID: 1},
		Samples: []objects.Sample{{Object: "adc_vb", N: 1, Seq: 1, Value: objects.Number(12),
			SampledAt: time.Now().Add(-time.Hour)}},
		Routes: []objects.Route{{Integration: id, Picked: []int{0}}},
	}
	settled := func(s *store.Store, o store.Outcome) error {
		err := s.Append(t.Context(), sweep)
		ds, pending := s.Pending(id, 1, nil)
		for _, d := range ds {
			err = errors.Join(err, s.Settle(id, []store.Result{{Seq: d.Seq, Index: d.Index, Outcome: o,
				CompletedAt: time.Now()}}))
		}
		return errors.Join(err, pending)
	}
	for name, c := range map[string]struct {
		leave func(*store.Store) error
		stays bool
	}{
		"nothing":       {func(s *store.Store) error { return settled(s, store.Accepted) }, false},
		"a sample":      {func(s *store.Store) error { return s.Append(t.Context(), sweep) }, true},
		"a dead letter": {func(s *store.Store) error { return settled(s, store.Failed) }, true},
		"a gap to announce": {func(s *store.Store) error {
			return s.Missing(id, objects.Gap{Unit: "rs485/1", Object: "adc_vb", From: time.Now(), To: time.Now(),
				Count: 1, Reason: objects.GapBus})
		}, true},
		"a gap without its times": {func(s *store.Store) error {
			return s.MissingSpan(id, store.Span{
				Gap: objects.Gap{Unit: "rs485/1", Object: "adc_vb", Run: s.Run(), First: 1, Last: 1, Count: 1,
					Reason: objects.GapBus},
				Begins: store.Instant{Run: s.Run(), At: time.Unix(0, 0), Uptime: 1, Unsure: true},
				Ends:   store.Instant{Run: s.Run(), At: time.Unix(1, 0), Uptime: 2, Unsure: true},
			})
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			state, memory := t.TempDir(), privateDir(t)
			parsed, catalog := parseConfig(t, "device_id: 5300520006504b5957343920\nclock: {source: system}\nstate_dir: "+state+`
integrations: [{id: `+id+`, type: gcp, objects: all, project_id: my-project, topic: solar, gaps: true}]
`)
			begin := func() *Agent {
				t.Helper()
				a, err := New(Options{
					Config: parsed, Catalog: catalog, Version: "1",
					Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Memory: memory,
					NewSink: func(configs.Integration, string) (publish.Sink, error) {
						return nil, errors.New("no cloud here")
					},
					Time: clock.Source{Boot: "boot-1", Uptime: func() time.Duration { return time.Hour }},
				})
				if err != nil {
					t.Fatal(err)
				}
				return a
			}
			if err := failuresOf(memory, state).set(failuresMost); err != nil {
				t.Fatal(err)
			}
			a := begin()
			run := a.store.Run()
			if a.degraded == "" || !a.sentAll() {
				t.Fatalf("a new outbox in memory: %q", a.degraded)
			}
			if err := c.leave(a.store); err != nil {
				t.Fatal(err)
			}
			if a.sentAll() == c.stays {
				t.Errorf("the agent would end: %v", !c.stays)
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			a = begin()
			if in := a.degraded != ""; in != c.stays || a.store.Run() <= run {
				t.Errorf("in memory: %v (%s), run %d after %d", in, a.degraded, a.store.Run(), run)
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func parseConfig(t *testing.T, text string) (*configs.Config, *objects.Catalog) {
	t.Helper()
	catalog, err := objects.LoadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	parsed, faults := configs.Parse([]byte(text), catalog)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	return parsed, catalog
}

// countedLog counts records by their message.
type countedLog struct {
	mu   sync.Mutex
	seen map[string]int
}

func (l *countedLog) Enabled(context.Context, slog.Level) bool { return true }
func (l *countedLog) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *countedLog) WithGroup(string) slog.Handler            { return l }
func (l *countedLog) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = map[string]int{}
	}
	l.seen[r.Message]++
	return nil
}

func (l *countedLog) count(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[message]
}

func TestADiskPassesOnlyWhenItCanBeReadAndWritten(t *testing.T) {
	dir := t.TempDir()
	if err := probeDisk(dir); err != nil {
		t.Error(err)
	}
	// a directory: reading it fails with an error of the system
	if err := os.Mkdir(filepath.Join(dir, "noi.db"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := probeDisk(dir); err == nil {
		t.Error("the probe succeeds although the store cannot be read")
	}
	if err := probeDisk(filepath.Join(dir, "none")); err == nil {
		t.Error("the probe succeeds although there is no store")
	}
}
