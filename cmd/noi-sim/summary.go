package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// askTimeout is the time limit for the status of the agent. After a Ctrl-C, noi-sim waits for the status.
const askTimeout = time.Second

// agentReport has fields of the agent's status just before noi-sim stopped the agent.
type agentReport struct {
	Store struct {
		Committed uint64 `json:"committed"`
		Spared    uint64 `json:"spared"` // all integrations accepted them before a write to the disk was due
	} `json:"store"`
	Integrations []struct {
		Name   string `json:"name"`
		ID     string `json:"id"`
		Sent   uint64 `json:"sent"`
		Failed uint64 `json:"failed"`
	} `json:"integrations"`
}

// askAgent reads the status at addr. It returns nil if no answer came in time, or if the answer is not a status.
func askAgent(ctx context.Context, addr string) *agentReport {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/api/v1/status", nil)
	if err != nil {
		return nil
	}
	// This transport uses no proxy and leaves no connection open.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	var report agentReport
	if response.StatusCode != http.StatusOK ||
		json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&report) != nil {
		return nil
	}
	return &report
}

// summarize prints the counts and the errors of the run. The world must be closed.
func summarize(out io.Writer, w *world, report *agentReport, faults []error) {
	var b strings.Builder
	row := func(title, format string, args ...any) {
		fmt.Fprintf(&b, "  %-14s "+format+"\n", append([]any{title}, args...)...)
	}
	b.WriteString("summary\n")
	if report == nil {
		row("samples read", "unknown: the status page did not answer")
	} else {
		row("samples read", "%d before the agent was asked to stop; the samples of its last commit are not counted",
			report.Store.Committed+report.Store.Spared)
		for _, i := range report.Integrations {
			name := i.Name
			if name == "" {
				name = i.ID
			}
			row("published", "%s: %d sent, %d failed, earlier runs of this store included", name, i.Sent, i.Failed)
		}
	}
	total := 0
	for _, c := range []struct {
		title string
		tally *tally
	}{{"SNS", w.snsTally}, {"Pub/Sub", w.pubsubTally}} {
		messages, distinct, refused := c.tally.counts()
		total += messages
		row(c.title, "%d received, %d distinct, %d refused", messages, distinct, refused)
	}
	row("both clouds", "%d received", total)
	for _, u := range w.fleet.units {
		unit := ""
		if len(w.fleet.units) > 1 {
			unit = fmt.Sprintf("unit %d, %s: ", u.id, u.family.Slug)
		}
		row("controller", "%s%d requests answered, %d of them refused", unit, u.slave.Requests(), u.refused)
	}
	words := []string{}
	for _, f := range faults {
		words = append(words, f.Error())
	}
	if len(words) == 0 {
		words = []string{"none"}
	}
	row("errors", "%s", strings.Join(words, "; "))
	_, _ = io.WriteString(out, b.String()) // if out is closed, the screen has reported the error already
}
