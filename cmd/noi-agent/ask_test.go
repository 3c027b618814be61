package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"noi-agent/agent"
)

func TestStatusShowsTheNextPublication(t *testing.T) {
	next := time.Date(2022, 6, 28, 8, 30, 11, 0, time.UTC)
	var out bytes.Buffer
	printIntegrations(&out, []agent.IntegrationStatus{{ID: "FFjU28MMaL3W9B9hhhhH", NextPublication: &next}, {ID: "GGjU28MMaL3W9B9hhhhH"}})
	rows := strings.Split(out.String(), "\n")
	if !strings.HasSuffix(rows[0], "\tnext publication 2022-06-28T08:30:11Z") || strings.Contains(rows[1], "publication") {
		t.Errorf("%q", rows)
	}
}
