package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"testing"

	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/status"
	"noi-agent/status/api"
	"noi-agent/store"
	"noi-agent/store/storetest"
)

// readerOf counts what a download reads from the agent's store: rows in each read transaction, and memory.
type readerOf struct {
	*Agent
	reads int    // queries, each of which is one transaction
	most  uint64 // rows read in one of them
	peak  uint64 // bytes in use between two of them
}

func (r *readerOf) Triggers(q api.TriggerQuery) (api.Triggers, error) {
	before := r.store.Stats().RowsRead
	page, err := r.Agent.Triggers(q)
	r.most = max(r.most, r.store.Stats().RowsRead-before)
	if r.reads++; r.reads%50 == 0 {
		r.peak = max(r.peak, inUse())
	}
	return page, err
}

// inUse returns the memory in use after a garbage collection, in bytes.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A download of 100,000 rows reads at most 501 rows in one read transaction, and keeps only a few pages in memory.
// With a filter that hardly any row matches, it reads at most 2,000 rows in one.
func TestADownloadOfTheTriggerLogReadsInShortTransactions(t *testing.T) {
	const rows = 20_000
	a := withRows(t, rows)
	for _, c := range []struct {
		path        string
		lines, rows int // lines of the answer; rows read at most in one transaction
	}{
		{"triggers.csv", rows + 1, 501},
		{"triggers.jsonl", rows, 501},
		{"triggers.csv?success=false", 1, 2000},
		{"triggers.jsonl?object=T_rts", 0, 2000},
	} {
		r := &readerOf{Agent: a}
		before := inUse()
		if n := download(t, r, "/api/v1/"+c.path); n != c.lines {
			t.Errorf("%s has %d lines, want %d", c.path, n, c.lines)
		}
		if r.most > uint64(c.rows) || r.reads < rows/c.rows {
			t.Errorf("%s: %d rows read in one transaction of %d, want %d at most", c.path, r.most, r.reads, c.rows)
		}
		if grown := int64(r.peak) - int64(before); grown > 2<<20 {
			t.Errorf("%s: the memory in use has grown by %d bytes", c.path, grown)
		}
	}
}

// withRows returns an agent that does not run, with so many rows of deliveries in its file.
func withRows(t *testing.T, rows int) *Agent {
	t.Helper()
	const id = "FFjU28MMaL3W9B9hhhhH"
	parsed, catalog := parseConfig(t, fmt.Sprintf("device_id: 5300520006504b5957343920\nclock: {source: system}\nstate_dir: %s\n"+
		"integrations: [{id: %s, type: gcp, objects: all, project_id: my-project, topic: solar}]\n"+
		"triggers: {keep: %d, flush_every: 1m}\nbuffer: {commit_every: 0s}\n",
		t.TempDir(), id, rows))
	begin := func() *Agent {
		a, err := New(Options{Config: parsed, Catalog: catalog, Version: "1", Logger: slog.New(slog.DiscardHandler),
			NewSink: func(configs.Integration, string) (publish.Sink, error) { return nil, errors.New("none") }})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := begin()
	const batch = 1000
	for n := 1; n <= rows; n += batch {
		if err := a.store.Append(t.Context(), storetest.Sweep(1, uint64(n), batch, id)); err != nil {
			t.Fatal(err)
		}
		waiting, err := a.store.Pending(id, batch, nil)
		if err != nil || len(waiting) != batch {
			t.Fatalf("%d samples wait, %v", len(waiting), err)
		}
		results := make([]store.Result, batch)
		for i, d := range waiting {
			results[i] = store.Result{Seq: d.Seq, Index: d.Index, Outcome: store.Accepted, PublishedAt: storetest.Start,
				CompletedAt: storetest.Start, MessageID: fmt.Sprint(n + i)}
		}
		if err := a.store.Settle(id, results); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	again := begin()
	t.Cleanup(func() {
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	})
	return again
}

// download requests a path from the endpoint, and returns the number of lines in the answer.
func download(t *testing.T, r *readerOf, path string) (lines int) {
	t.Helper()
	s := status.New(status.Options{Reporter: r.Agent, TriggerLog: r, Health: r.Agent, Listen: "127.0.0.1:0"})
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	defer func() { cancel(); <-served }()
	answer, err := http.Get("http://" + s.Addr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	scan := bufio.NewScanner(answer.Body)
	for scan.Scan() {
		lines++
	}
	if scan.Err() != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("%s: %s, %v", path, answer.Status, scan.Err())
	}
	return lines
}
