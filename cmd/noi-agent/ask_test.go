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

func TestStatusShowsWhatAnIntegrationCosts(t *testing.T) {
	perSample := 548.4
	var out bytes.Buffer
	printIntegrations(&out, []agent.IntegrationStatus{
		{Uplink: agent.Uplink{TodaySent: 900_000, TodayReceived: 300_000, MonthSent: 20_000_000, MonthReceived: 3_000_000, PerSample: &perSample}}, {},
	})
	rows := strings.Split(out.String(), "\n")
	if !strings.HasSuffix(rows[0], "\t1.2 MB today, 23.0 MB this month, 548 bytes up a sample") || !strings.HasSuffix(rows[1], "\t0.0 MB today, 0.0 MB this month") {
		t.Errorf("%q", rows)
	}
}
