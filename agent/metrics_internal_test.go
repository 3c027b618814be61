package agent

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"noi-agent/agent/clock"
	"strings"
	"testing"
	"time"

	"noi-agent/status/api"

	"noi-agent/agent/poll"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// everything is a status that makes every metric appear.
func everything() api.Status {
	at, age := time.Unix(1_656_404_429, 0), int64(3)
	slave := api.Slave{
		UnitID: 1, Slave: "PS-PWM-30M", State: poll.SlaveOK, AgeS: &age, Reasons: map[string]uint64{"not_a_number": 1, "range": 2},
		Counters: api.Counters{
			Replies: 4, ExceptionCodes: map[string]uint64{"02": 1, "06": 2},
			TurnaroundP50: 20, TurnaroundP99: 35.5, TurnaroundSum: 0.125,
		},
	}
	alarm := api.Problem{Code: "controller_alarm", Severity: api.Warning, Subject: "rs485/1"}
	return api.Status{
		DeviceID: "d", Version: "v", Clock: api.Clock{Source: "auto", State: clock.Good, Service: "none", LastGood: &at},
		Lines:        []api.Line{{Name: "rs485", State: poll.LineOK, Slaves: []api.Slave{slave}}},
		Integrations: []api.Integration{{ID: "i", Type: "aws", Oldest: &at, LastSuccess: &at}},
		Problems:     []api.Problem{alarm, alarm},
	}
}

func TestMetricsAreCleanByPromlint(t *testing.T) {
	r := registry(everything)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
	}
	for _, name := range []string{"noi_slave_exceptions_total", "noi_problem", "go_goroutines", "process_resident_memory_bytes"} {
		if !names[name] {
			t.Errorf("%s is missing", name)
		}
	}
	complaints, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range complaints {
		t.Errorf("%s: %s", c.Metric, c.Text)
	}
}

// The quantiles include the last replies, sum and count include all.
func TestTurnaroundIsASummary(t *testing.T) {
	const want = `# HELP noi_slave_turnaround_seconds Time from the end of a request to the begin of its reply, of the last 128 replies.
# TYPE noi_slave_turnaround_seconds summary
noi_slave_turnaround_seconds{line="rs485",unit="1",quantile="0.5"} 0.02
noi_slave_turnaround_seconds{line="rs485",unit="1",quantile="0.99"} 0.0355
noi_slave_turnaround_seconds_sum{line="rs485",unit="1"} 0.125
noi_slave_turnaround_seconds_count{line="rs485",unit="1"} 4
`
	err := testutil.GatherAndCompare(registry(everything), strings.NewReader(want), "noi_slave_turnaround_seconds")
	if err != nil {
		t.Error(err)
	}
}

// scrape returns the metrics of a status, and the log output of the request.
func scrape(t *testing.T, s api.Status) (page, logged string) {
	t.Helper()
	var log bytes.Buffer
	rec := httptest.NewRecorder()
	handler := served(registry(func() api.Status { return s }), slog.New(slog.NewTextHandler(&log, nil)))
	handler.ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if rec.Code != http.StatusOK {
		t.Errorf("code %d: %s", rec.Code, rec.Body)
	}
	return rec.Body.String(), log.String()
}

func TestMetricsReplaceWhatIsNotUTF8(t *testing.T) {
	s := everything()
	s.Lines[0].Slaves[0].Slave, s.Lines[0].Slaves[0].CCFirmware = "PS-PWM-30M \xB0C", "\"<b>\\\n"
	s.Lines[0].Slaves[0].Reasons = map[string]uint64{"\xFF\xFE": 1}
	page, logged := scrape(t, s)
	for _, series := range []string{
		`noi_slave_info{cc_firmware="\"<b>\\\n",family="",line="rs485",slave="PS-PWM-30M ` + "\uFFFD" + `C",unit="1"} 1`,
		`noi_slave_no_sample_objects_total{line="rs485",reason="` + "\uFFFD" + `",unit="1"} 1`,
	} {
		if !strings.Contains(page, "\n"+series+"\n") {
			t.Errorf("%s is missing in\n%s", series, page)
		}
	}
	if logged != "" {
		t.Error(logged)
	}
}

// A series that cannot be shown is left out, and all others are shown.
func TestMetricsLeaveOutOnlyTheSeriesThatIsWrong(t *testing.T) {
	twice := everything()
	twice.Integrations = append(twice.Integrations, twice.Integrations[0])
	page, logged := scrape(t, twice)
	for _, series := range []string{
		`noi_integration_up{integration="i",type="aws"} 0`, `noi_line_up{line="rs485"} 1`, "noi_store_bytes 0",
	} {
		if n := strings.Count(page, "\n"+series+"\n"); n != 1 {
			t.Errorf("%s is there %d times", series, n)
		}
	}
	if !strings.Contains(logged, "noi_integration_up") {
		t.Errorf("the log does not name the series: %s", logged)
	}
}
