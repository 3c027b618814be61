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

// askTimeout bounds the question to the agent, since Ctrl-C waits for it.
const askTimeout = time.Second

// agentReport is what the agent said of itself just before it was stopped.
type agentReport struct {
	Store struct {
		Committed uint64 `json:"committed"`
		Spared    uint64 `json:"spared"` // accepted before they had to be written
	} `json:"store"`
	Integrations []struct {
		Name   string `json:"name"`
		ID     string `json:"id"`
		Sent   uint64 `json:"sent"`
		Failed uint64 `json:"failed"`
	} `json:"integrations"`
}

// askAgent reads the status at addr. Nil: no answer came in time, or it was not an agent's.
func askAgent(ctx context.Context, addr string) *agentReport {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/api/v1/status", nil)
	if err != nil {
		return nil
	}
	// A transport of its own: no proxy, and no connection is left open.
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

// summarize prints what happened. The world must be closed.
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
		who := ""
		if len(w.fleet.units) > 1 {
			who = fmt.Sprintf("unit %d, %s: ", u.id, u.family.Slug)
		}
		row("controller", "%s%d requests answered, %d of them refused", who, u.slave.Requests(), u.refused)
	}
	words := []string{}
	for _, f := range faults {
		words = append(words, f.Error())
	}
	if len(words) == 0 {
		words = []string{"none"}
	}
	row("errors", "%s", strings.Join(words, "; "))
	_, _ = io.WriteString(out, b.String()) // a screen that is gone was reported already
}
