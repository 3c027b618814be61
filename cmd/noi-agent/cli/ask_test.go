package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/status/api"
)

func TestStatusShowsTheNextPublication(t *testing.T) {
	next := time.Date(2022, 6, 28, 8, 30, 11, 0, time.UTC)
	var out bytes.Buffer
	printIntegrations(&out, []api.Integration{{ID: "FFjU28MMaL3W9B9hhhhH", NextPublication: &next}, {ID: "GGjU28MMaL3W9B9hhhhH"}}, nil)
	rows := strings.Split(out.String(), "\n")
	if !strings.HasSuffix(rows[0], "\tnext publication 2022-06-28T08:30:11Z") || strings.Contains(rows[1], "publication") {
		t.Errorf("%q", rows)
	}
}

func TestStatusShowsDeadLettersAndTheNewestGaps(t *testing.T) {
	from, to := time.Date(2022, 6, 28, 6, 2, 11, 0, time.UTC), time.Date(2022, 6, 28, 8, 20, 11, 0, time.UTC)
	gaps := []api.Gap{
		{Unit: "rs485/2", Object: "adc_vbterm", From: &from, To: &to, Count: 138, Reason: "bus"},
		{Reason: "damaged: they were in a part that does not read"},
		{Unit: "rs485/1", To: &to, Count: 9, Reason: "a_new_word"},
		{Object: "T_batt", From: &from, Count: 1, Reason: "max_size"},
		{Object: "fifth", Reason: "line"}, {Object: "sixth", Reason: "line"},
	}
	problems := []api.Problem{
		{Code: "dead_letters", Subject: "GGjU28MMaL3W9B9hhhhH", Since: to},
		{Code: "integration_waiting", Subject: "FFjU28MMaL3W9B9hhhhH", Since: to},
		{Code: "dead_letters", Subject: "FFjU28MMaL3W9B9hhhhH", Since: from},
	}
	var out bytes.Buffer
	printIntegrations(&out, []api.Integration{{
		ID: "FFjU28MMaL3W9B9hhhhH", Dead: 3, Gaps: gaps,
		Uplink: api.Uplink{TodaySent: 1234567, TodayReceived: 43210, MonthSent: 30500000, MonthReceived: 812},
	}}, problems)
	clitest.MustHold(t, out.String(), "uplink today 1.2 MB sent, 43.2 kB received; this month 30.5 MB sent, 812 B received\n",
		"dead letters: 3 since 2022-06-28T06:02:11Z, see `noi-agent deadletters list`",
		"gap: adc_vbterm of rs485/2, 2022-06-28T06:02:11Z to 2022-06-28T08:20:11Z, 138 samples: no valid reply from the controller (bus)\n",
		"gap: objects not known, times not known, number of samples not known: the stored record is damaged (damaged): they were in a part",
		"gap: objects not known of rs485/1, until 2022-06-28T08:20:11Z, 9 samples: a_new_word\n",
		"gap: T_batt, from 2022-06-28T06:02:11Z, 1 samples: the outbox was full (max_size)\n",
		"gap: fifth", "older gaps: noi-agent triggers --gaps --integration FFjU28MMaL3W9B9hhhhH")
	if strings.Contains(out.String(), "sixth") {
		t.Errorf("more than the newest five:\n%s", &out)
	}

	out.Reset()
	printIntegrations(&out, []api.Integration{{ID: "FFjU28MMaL3W9B9hhhhH", Gaps: []api.Gap{}}}, nil)
	if n := strings.Count(out.String(), "\n"); n != 1 || strings.Contains(out.String(), "dead") || strings.Contains(out.String(), "gap") {
		t.Errorf("an integration that lacks nothing:\n%s", &out)
	}
}

func TestStatusShowsHowTheStoreCameUp(t *testing.T) {
	settings := api.Buffer{MaxSize: 1 << 28, MaxAge: "720h0m0s", WhenFull: "drop_oldest", CommitEvery: "1s", RetainAfterAck: "0s", KeepTriggers: 1000, FlushEvery: "1m0s"}
	perDay := 12.4
	var out bytes.Buffer
	printStore(&out, api.Store{
		Start: "renewed", Salvaged: 40312, Corrupt: 2, KeptAside: []string{"noi.db.damaged-0001", "noi.db.damaged-0002"}, PerDay: &perDay, Settings: settings,
	})
	clitest.MustHold(t, out.String(),
		"start: renewed (the old file could not be used and was moved aside); 40312 samples salvaged; 2 damaged records\n",
		"kept aside: noi.db.damaged-0001, noi.db.damaged-0002\n", "12.4 MB a day written",
		"in force: buffer: max_size 268435456 bytes, max_age 720h, when_full drop_oldest, commit_every 1s, retain_after_ack 0s; triggers: keep 1000, flush_every 1m\n")

	out.Reset()
	printStore(&out, api.Store{Start: "clean", Settings: settings})
	clitest.MustHold(t, out.String(), "start: clean (as it was left)\n")
	for _, word := range []string{"salvaged", "damaged", "kept aside"} {
		if strings.Contains(out.String(), word) {
			t.Errorf("%q without a cause:\n%s", word, &out)
		}
	}
}

func TestStatusShowsWhatASampleCosts(t *testing.T) {
	perSample := 548.4
	var out bytes.Buffer
	printIntegrations(&out, []api.Integration{{Uplink: api.Uplink{MonthSent: 20_000_000, PerSample: &perSample}}, {}}, nil)
	rows := strings.Split(out.String(), "\n")
	if !strings.HasSuffix(rows[0], "this month 20.0 MB sent, 0 B received; 548 bytes up a sample") || strings.Contains(rows[1], "a sample") {
		t.Errorf("%q", rows)
	}
}

func TestTriggersShowAGapAsNoPublication(t *testing.T) {
	var out bytes.Buffer
	printTrigger(&out, &api.Trigger{
		ID: 7, IntegrationID: clitest.SNSID, CompletedAt: "?", PublishedData: []byte("null"), IntegrationData: api.Answer{Error: "Gap: 5 samples"}, Topic: "t", Gap: &api.Gap{Count: 5},
	})
	printTrigger(&out, &api.Trigger{
		ID: 8, IntegrationID: clitest.SNSID, CompletedAt: "?", PublishedData: []byte("{}"), IntegrationData: api.Answer{MessageID: "m41"}, Topic: "t", Success: true, Attempts: 1, Replayed: true,
	})
	want := "7  ?  " + clitest.SNSID + "\n    Gap: 5 samples\n    t\n" +
		"8  ?  " + clitest.SNSID + "  success=true  attempts=1  replayed=true\n    {}\n    message m41\n    t\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
}
