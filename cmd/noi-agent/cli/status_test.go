package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/status/api"
	"noi-agent/status/wording"
)

// siteNow is the time at the site.
var siteNow = time.Date(2022, 6, 28, 8, 20, 40, 0, time.UTC)

func ago(d time.Duration) *time.Time { t := siteNow.Add(-d); return &t }

func seconds(n int64) *int64 { return &n }

// site is a gateway with two controllers and two integrations, without a fault.
func site() *api.Status {
	perDay, perSample := 1.3, 548.4
	return &api.Status{
		Endpoint: &api.Endpoint{Addresses: []string{"http://127.0.0.1:8780"}},
		DeviceID: "5300520006504b5957343920", Version: "1.0.10", StartedAt: *ago(41 * 24 * time.Hour), UptimeS: 41 * 86400,
		Clock: api.Clock{State: "good", Source: "auto", Reason: "timesyncd has synchronised it"},
		Lines: []api.Line{{
			Name: "rs485", Port: "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10K5XYZ-if00-port0", State: "ok", Load: 0.61,
			Counters: api.Counters{Requests: 41204, Timeouts: 3},
			Slaves: []api.Slave{
				{Refused: []string{}, UnitID: 1, Slave: "battery-shed", ProductCode: "PS-PWM-30M", CCFirmware: "v01.04.06", Family: "PSPWM", State: "ok", AgeS: seconds(3), Objects: 53, Missed: 1,
					NoValue: map[string]string{"T_rts": "not_a_number"}, Counters: api.Counters{TurnaroundP50: 20.9, TurnaroundP99: 31}},
				{Refused: []string{}, UnitID: 2, Slave: "water-pump", ProductCode: "PS-PWM-30M", CCFirmware: "v01.04.06", Family: "PSPWM", State: "ok", AgeS: seconds(5), Objects: 1},
			},
		}},
		Integrations: []api.Integration{
			{ID: clitest.SNSID, Name: "main-solar", Type: "aws", Topic: clitest.TopicARN, State: "ok", LastSuccess: ago(3 * time.Second), Sent: 1000,
				Uplink: api.Uplink{TodaySent: 300_000, TodayReceived: 10_000, MonthSent: 9_400_000, PerSample: &perSample}},
			{ID: clitest.PubSubID, Name: "bigquery", Type: "gcp", Topic: clitest.Topic, State: "ok", Gaps: []api.Gap{}, LastSuccess: ago(4 * time.Second), Uplink: api.Uplink{TodaySent: 20_000}},
		},
		Store: api.Store{KeptAside: []string{}, Bytes: 11 << 20, Samples: 120, Committed: 9, Spared: 1400, PerDay: &perDay, Start: "clean", Settings: api.Buffer{
			MaxSize: 256 << 20, MaxAge: "720h0m0s", WhenFull: "drop_oldest", CommitEvery: "1s", RetainAfterAck: "0s", KeepTriggers: 1000, FlushEvery: "1m0s"}},
	}
}

func siteValues() api.Objects {
	row := func(unit int, volts string) api.Latest {
		return api.Latest{Line: "rs485", UnitID: unit, Object: "adc_vbterm", Value: json.RawMessage(volts), Unit: "V"}
	}
	return api.Objects{Objects: []api.Latest{row(1, "12.117188"), row(2, "12.48")}}
}

// brokenSite is site with a cloud that refuses, a silent controller and old losses.
func brokenSite() *api.Status {
	s := site()
	s.Lines[0].Slaves[1].State, s.Lines[0].Slaves[1].AgeS = "silent", seconds(240)
	in := &s.Integrations[0]
	in.State, in.Backlog, in.Oldest, in.LastSuccess, in.Dead = "waiting", 1204, ago(18*time.Minute), ago(18*time.Minute), 1
	in.LastError = "AuthorizationError: User: arn:aws:iam::940497413619:user/push is not authorized to perform: SNS:Publish"
	from, to := *ago(30 * time.Hour), *ago(29 * time.Hour)
	in.Gaps = []api.Gap{{Unit: "rs485/1", Object: "adc_vbterm", From: &from, To: &to, Count: 1, Reason: "bus"}, {Reason: "damaged: part of a file"}}
	s.Problems = []api.Problem{
		api.CloudWaiting.Of(in.ID, *ago(18 * time.Minute), in.LastError).With("name", "main-solar", "cloud", "AWS"),
		api.SlaveRefuses.Of("rs485/1", *ago(69 * time.Minute), "adc_va: illegal data address (02)").With("name", "battery-shed"),
		api.SlaveNoIdentity.Of("rs485/2", *ago(time.Hour), "unit rs485/2 gave no product code").With("name", "water-pump"),
	}
	s.Problems[1].Folded = []api.Folded{{Code: "slave_not_identified", Subject: "rs485/1", Effect: api.None,
		Title: "battery-shed does not identify itself"}}
	for i := range s.Problems {
		s.Problems[i].AgeS = int64(siteNow.Sub(s.Problems[i].Since).Seconds())
	}
	return s
}

// siteFaults are failed exchanges: of a line of the site, and of a line that it does not have.
func siteFaults() api.LineFaults {
	return api.LineFaults{Faults: []api.LineFault{
		{Line: "rs485", UnitID: 2, At: *ago(4 * time.Minute), Kind: "timeout", Error: "timeout", Request: "02 04 00 12 00 02 D1 FD"},
		{Line: "rs485", UnitID: 1, At: *ago(time.Hour), Kind: "checksum", Error: "bad frame: wrong CRC", Request: "01 04 00 12 00 21 90 17",
			Received: "01 04 42 4A 0F", Length: 71},
		{Line: "other", UnitID: 9, At: *ago(time.Hour), Kind: "exception", Error: "illegal data address (02)", Request: "09 04", Received: "09 84 02", Length: 3},
	}}
}

func pageOf(s *api.Status, l look, verbose bool) string {
	var out bytes.Buffer
	page := statusPage{host: "main-solar-gw", s: s, values: siteValues(), faults: siteFaults(), own: "1.0.10", look: l,
		now: siteNow, cli: &commandLine{}, verbose: verbose}
	page.print(&out)
	return out.String()
}

func screen(width int) look { return look{terminal: true, width: width, header: true} }

// TestStatusPagesAreAsWritten compares the output at each width with golden files that a person has checked.
func TestStatusPagesAreAsWritten(t *testing.T) {
	var out strings.Builder
	show := func(title, text string) { fmt.Fprintf(&out, "### %s\n%s\n", title, text) }
	show("all well, 80 columns", pageOf(site(), screen(80), false))
	show("all well, 120 columns", pageOf(site(), screen(120), false))
	show("problems, 80 columns", pageOf(brokenSite(), screen(80), false))
	show("problems, 40 columns", pageOf(brokenSite(), screen(40), false))
	show("problems, behind a pipe", pageOf(brokenSite(), look{width: 80, header: true}, false))
	show("problems, verbose, 100 columns", pageOf(brokenSite(), screen(100), true))
	clitest.Golden(t, "status-pages.txt", []byte(out.String()))
}

// TestStatusNamesTheCertificate: the certificate is shown only if the page is served with TLS.
func TestStatusNamesTheCertificate(t *testing.T) {
	s := site()
	if text := pageOf(s, screen(120), false); strings.Contains(text, "certificate") || !strings.Contains(text, "http://127.0.0.1:8780") {
		t.Errorf("without TLS:\n%s", text)
	}
	s.Endpoint = nil
	if text := pageOf(s, screen(120), false); strings.Contains(text, "http://") {
		t.Errorf("the agent has no page, but an address is shown:\n%s", text)
	}
	print := strings.TrimSuffix(strings.Repeat("9F:3A:", 16), ":")
	s.Endpoint = &api.Endpoint{Addresses: []string{"https://10.0.0.1:8443", "https://main-solar-gw:8443"}, Fingerprint: print}
	text := pageOf(s, screen(120), false)
	if !strings.Contains(text, "\ncertificate "+print+"\n") || !strings.Contains(text, "https://10.0.0.1:8443") || strings.Contains(text, "http://") {
		t.Errorf("with TLS:\n%s", text)
	}
}

// TestStatusFitsTheTerminal: no line is too wide at any width, and a page without problems has at most 24 lines of 80
// columns.
func TestStatusFitsTheTerminal(t *testing.T) {
	for width := 40; width <= 200; width++ {
		for _, s := range []*api.Status{site(), brokenSite()} {
			for line := range strings.Lines(pageOf(s, screen(width), false)) {
				if n := runes(strings.TrimSuffix(line, "\n")); n > width && strings.Contains(strings.TrimSpace(line), " ") && !strings.Contains(line, "arn:aws") {
					t.Errorf("at %d columns a line has %d: %q", width, n, line)
				}
			}
		}
	}
	if n := strings.Count(pageOf(site(), screen(80), false), "\n"); n > 24 {
		t.Errorf("a page without problems has %d lines", n)
	}
}

func TestSentenceNamesTheWorst(t *testing.T) {
	with := func(problems ...api.Problem) *api.Status { s := site(); s.Problems = problems; return s }
	at := *ago(18 * time.Minute)
	never := site()
	never.Integrations[0].LastSuccess, never.Integrations[1].LastSuccess = nil, nil
	for _, c := range []struct {
		s    *api.Status
		want string
	}{
		{site(), "✓ Everything works. Last message 3 s ago."},
		{never, "✓ Everything works. No message was sent yet."},
		{&api.Status{}, "– Not configured yet."},
		{with(api.SlaveRefuses.Of("rs485/1", at, "")), "! 1 thing needs attention. Some samples may be missing. Last message 3 s ago."},
		{with(api.CloudRetrying.Of("x", at, "")), "! 1 thing needs attention. No data is being lost. Last message 3 s ago."},
		{with(api.CloudWaiting.Of("x", at, ""), api.SlaveRefuses.Of("rs485/1", at, "")), "✗ 2 things need attention. Some samples may be missing. Last message 3 s ago."},
		{with(api.SlaveNoReply.Of("rs485/1", at, ""), api.CloudWaiting.Of("x", at, "")), "✗ Samples are being lost since 03:02:40. Last message 3 s ago."},
		{with(api.SlaveNoIdentity.Of("rs485/1", at, "")), "✓ Everything works. Last message 3 s ago."},
	} {
		if got := wording.StateOf(c.s, siteNow.Local()).Sentence(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestBehindAPipeNothingIsShortened: the output has tabs, whole texts, no escape sequence, and as many cells in each
// row as in the header.
func TestBehindAPipeNothingIsShortened(t *testing.T) {
	text := pageOf(brokenSite(), look{width: 40, header: true}, false)
	if strings.ContainsAny(text, "\x1b…") {
		t.Errorf("shortened or coloured:\n%s", text)
	}
	clitest.MustHold(t, text, "\t/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10K5XYZ-if00-port0\t", "main-solar\taws\t")
	cells := 0
	for line := range strings.Lines(text) {
		switch n := strings.Count(line, "\t"); {
		case n == 0:
			cells = 0
		case cells == 0:
			cells = n
		case n != cells:
			t.Errorf("%d cells under a header of %d: %q", n+1, cells+1, line)
		}
	}
}

func TestTablesMaySkipTheirHeader(t *testing.T) {
	for _, l := range []look{{width: 80}, {terminal: true, width: 80}} {
		var out bytes.Buffer
		table := table{columns: []column{{name: "NAME"}, {name: "N", right: true}}}
		table.add("a", "1")
		table.print(&out, l)
		if strings.Contains(out.String(), "NAME") || !strings.HasPrefix(out.String(), "a") {
			t.Errorf("%q", out.String())
		}
	}
}

func triggerRows() []api.Trigger {
	from := *ago(time.Hour)
	return []api.Trigger{
		{ID: 9982, IntegrationID: clitest.SNSID, State: api.StateRetrying, CompletedAt: "2022-06-28T08:20:37.002Z", Attempts: 3, Topic: clitest.TopicARN,
			PublishedData:   json.RawMessage(`{"published_at":"2022-06-28T08:20:29.502Z","data":12.117188,"sampled_at":"2022-06-28T08:20:29Z","object":"adc_vbterm","slave":"PS-PWM-30M","cc_firmware":"v01.04.06"}`),
			IntegrationData: api.Answer{Device: "5300520006504b5957343920", Error: "AuthorizationError: User: arn:aws:iam::940497413619:user/push is not authorized"}},
		{ID: 9981, IntegrationID: clitest.PubSubID, State: api.StateDelivered, CompletedAt: "2022-06-28T08:20:29.502Z", Attempts: 1, Success: true, Topic: clitest.Topic,
			PublishedData: json.RawMessage(`{"data":"BULK","object":"charge_state"}`), IntegrationData: api.Answer{MessageID: "4985640066378276"}},
		{ID: 9980, IntegrationID: clitest.PubSubID, State: api.StateDelivered, CompletedAt: "2022-06-28T08:20:28.000Z", Attempts: 1, Success: true, Replayed: true, Topic: clitest.Topic,
			PublishedData: json.RawMessage(`{"data":[],"object":"array_fault"}`), IntegrationData: api.Answer{MessageID: "4985640066378275"}},
		{ID: 9979, IntegrationID: clitest.SNSID, State: api.StateDropped, CompletedAt: "2022-06-28T08:20:20.000Z", Topic: clitest.TopicARN, PublishedData: json.RawMessage("null"),
			IntegrationData: api.Answer{Error: "Gap: 5 samples"}, Gap: &api.Gap{Unit: "rs485/1", Object: "adc_vbterm", From: &from, Count: 5, Reason: "bus"}},
	}
}

// detailOf returns a row as the daemon describes it.
func detailOf(row api.Trigger) *api.TriggerDetail {
	text := func(s string) *string { return &s }
	d := &api.TriggerDetail{Trigger: row, Integration: "bigquery", Line: "rs485", UnitID: 1, Slave: "battery-shed", Object: "charge_state", Value: json.RawMessage(`"BULK"`)}
	d.SampledAt, d.PublishedAt, d.SampleID = text("2022-06-28T08:20:29Z"), text("2022-06-28T08:20:29.502Z"), "5300520006504b5957343920-9f3a1c02-41-77213"
	d.CanPublish = row.Success
	if row.State == api.StateRetrying {
		left := 32.0
		p := api.CloudNoPermission.Of(row.IntegrationID, siteNow, "").With("name", "main-solar", "cloud", "AWS", "type", "aws")
		d.Integration, d.NextAttemptInS, d.Code, d.Title, d.Remedy = "main-solar", &left, p.Code, p.Title, p.Remedy
		d.Object, d.Value, d.Unit = "adc_vbterm", json.RawMessage("12.117188"), "V"
	}
	return d
}

func TestTriggersAreTheOriginalsTable(t *testing.T) {
	var out bytes.Buffer
	for _, l := range []look{screen(80), screen(120), screen(40), {header: true}} {
		fmt.Fprintf(&out, "### terminal %t, %d columns\n", l.terminal, l.width)
		triggerTable(triggerRows(), l).print(&out, l)
	}
	for _, row := range triggerRows() {
		fmt.Fprintf(&out, "### show %d\n", row.ID)
		printTrigger(&out, detailOf(row), 80, &commandLine{})
	}
	clitest.Golden(t, "triggers.txt", out.Bytes())
}
