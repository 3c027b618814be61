package status_test

import (
	"archive/zip"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"noi-agent/status"
	"noi-agent/status/api"
	"noi-agent/status/bundle"
	"noi-agent/status/logs"
)

// TestAHistoryIsAskedForByItsPath requests the history of an object whose name needs escapes.
func TestAHistoryIsAskedForByItsPath(t *testing.T) {
	w := quiet()
	now := time.Date(2022, 6, 28, 8, 20, 29, 502_000_000, time.UTC)
	w.history = map[string]api.History{"rs485/1/T_ind[U]": {Object: "T_ind[U]", To: now,
		Runs: []api.Run{}, Gaps: []api.HistoryGap{}, Buckets: []api.Bucket{{From: now.Add(-time.Hour), Min: 12.117188, Mean: 12.5, Max: 13, N: 3}}}}
	url := start(t, w) + "/api/v1/objects/"
	a := get(t, url+"rs485/1/T_ind%5BU%5D/history?hours=6")
	h := decoded[api.History](t, []byte(a.body))
	if a.code != http.StatusOK || h.Object != "T_ind[U]" || h.To.Sub(h.From) != 6*time.Hour {
		t.Errorf("%d %s", a.code, a.body)
	}
	mustContain(t, a.body, `{"from":"2022-06-28T07:20:29.502Z","min":12.117188,"mean":12.5,"max":13,"n":3}`)
	for path, code := range map[string]int{
		"rs485/1/T_ind%5BU%5D/history": 200, "rs485/1/other/history": 404, "rs485/x/T_ind%5BU%5D/history": 404,
		"rs485/2/T_ind%5BU%5D/history": 404, "rs485/1/T_ind%5BU%5D/history?hours=0": 400,
		"rs485/1/T_ind%5BU%5D/history?hours=169": 400, "rs485/1/T_ind%5BU%5D/history?hours=1.5": 400,
		"rs485/1/T_ind%5BU%5D/history?hour=1": 400, "rs485/1/T_ind%5BU%5D/history?hours=1&hours=1": 400,
	} {
		if a := get(t, url+path); a.code != code {
			t.Errorf("%s: %d, want %d: %s", path, a.code, code, a.body)
		}
	}
}

// TestMoreHoursThanAreKeptAreRefused: an answer with fewer hours than requested would look complete.
func TestMoreHoursThanAreKeptAreRefused(t *testing.T) {
	w := quiet()
	w.history = map[string]api.History{"rs485/1/adc_vbterm": {Object: "adc_vbterm", To: time.Date(2022, 6, 28, 8, 0, 0, 0, time.UTC),
		Runs: []api.Run{}, Gaps: []api.HistoryGap{}, Buckets: []api.Bucket{}}}
	url := start(t, w) + "/api/v1/objects/rs485/1/adc_vbterm/history"
	for _, c := range []struct {
		kept        time.Duration
		query, says string
		code        int
	}{
		{24 * time.Hour, "?hours=99", `parameter \"hours\": want a number from 1 to 24, not \"99\"; status.history`, 400},
		{24 * time.Hour, "?hours=0", `from 1 to 24, not \"0\"`, 400},
		{24*time.Hour + time.Millisecond, "?hours=25", "from 1 to 24, not", 400},
		{24 * time.Hour, "?hours=24", "adc_vbterm", 200},
		{24 * time.Hour, "", "adc_vbterm", 200},
		{90 * time.Minute, "?hours=2", "adc_vbterm", 200},
		{90 * time.Minute, "?hours=3", "from 1 to 2, not", 400},
		{90 * time.Minute, "", "adc_vbterm", 200},
		{168 * time.Hour, "?hours=169", `want a number from 1 to 168, not \"169\"`, 400},
		{168 * time.Hour, "?hours=168", "adc_vbterm", 200},
	} {
		w.kept = c.kept
		if a := get(t, url+c.query); a.code != c.code || !strings.Contains(a.body, c.says) {
			t.Errorf("%s with %v kept: %d %s, want %d %s", c.query, c.kept, a.code, a.body, c.code, c.says)
		}
	}
}

func TestTheLogIsAskedForByLevelAndText(t *testing.T) {
	ring := &logs.Ring{}
	log := slog.New(logs.NewHandler(ring, slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug})))
	log.Debug("read", "object", "adc_va")
	log.Info("agent started")
	log.Warn("AWS refuses", "integration", "A")
	o := options(quiet())
	o.Logs = ring
	s := status.New(o)
	serve(t, s)
	url := "http://" + s.Addr() + "/api/v1/logs"
	for query, want := range map[string]string{
		"": "read object=adc_va|agent started|AWS refuses integration=A", "?level=info": "agent started|AWS refuses integration=A",
		"?limit=1": "AWS refuses integration=A", "?text=aws": "AWS refuses integration=A", "?level=error": "",
		"?after=1&limit=1&level=info": "AWS refuses integration=A", "?after=3": "", "?after=2": "AWS refuses integration=A",
		"?level=debug&text=ADC_VA": "read object=adc_va", "?level=&text=&limit=": "read object=adc_va|agent started|AWS refuses integration=A",
	} {
		a := get(t, url+query)
		var got []string
		for _, l := range decoded[api.Logs](t, []byte(a.body)).Lines {
			got = append(got, l.Text)
		}
		if a.code != http.StatusOK || strings.Join(got, "|") != want {
			t.Errorf("%s: %d %q, want %q", query, a.code, got, want)
		}
	}
	for _, query := range []string{"?level=all", "?limit=0", "?limit=1001", "?limit=x", "?after=-1", "?lines=1", "?level=info&level=warn"} {
		if a := get(t, url+query); a.code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, a.code, a.body)
		}
	}
}

// lineFaults are the faults of a line that has one fault.
func lineFaults() api.LineFaults {
	return api.LineFaults{Faults: []api.LineFault{{Line: "rs485", UnitID: 1, At: time.Date(2022, 6, 28, 8, 20, 29, 0, time.UTC),
		AgeS: 3, Kind: "exception", Error: "illegal data address (02)", Request: "01 04 E0 00 00 01 07 CA",
		Received: "01 84 02 C2 C1", Length: 5}}}
}

func TestFailedExchangesCanBeAskedFor(t *testing.T) {
	o := options(quiet())
	o.LineFaults = lineFaults
	s := status.New(o)
	serve(t, s)
	url := "http://" + s.Addr() + "/api/v1/lines/faults"
	a := get(t, url)
	list := decoded[api.LineFaults](t, []byte(a.body)).Faults
	if a.code != http.StatusOK || len(list) != 1 || list[0] != lineFaults().Faults[0] {
		t.Errorf("%d %s", a.code, a.body)
	}
	if a := get(t, url+"?line=rs485"); a.code != http.StatusBadRequest {
		t.Errorf("with a parameter: %d %s", a.code, a.body)
	}
}

func TestABundleHasWhatIsNeededToHelp(t *testing.T) {
	w, ring, dir := quiet(), &logs.Ring{}, t.TempDir()
	w.status.Lines = []api.Line{{Name: "rs485", Counters: api.Counters{CRCErrors: 17}}}
	w.objects.Objects = []api.Latest{value("adc_vbterm", "12.1")}
	slog.New(logs.NewHandler(ring, slog.NewTextHandler(io.Discard, nil))).Info("agent started", "url", "http://u:CANARY@h")
	config := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(config, []byte("external_id: CANARY\nlines: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options(w)
	o.Logs, o.Files = ring, []bundle.File{{Name: "config.yaml", Path: config}, {Name: "integrations.yaml", Path: dir + "/absent"}}
	o.LineFaults = lineFaults
	o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "noi_up 1\n") })
	s := status.New(o)
	serve(t, s)
	a := get(t, "http://"+s.Addr()+"/api/v1/bundle")
	if a.code != http.StatusOK || a.header.Get("Content-Type") != "application/zip" ||
		!strings.HasPrefix(a.header.Get("Content-Disposition"), `attachment; filename="noi-bundle-5300520006504b5957343920-20`) {
		t.Fatalf("%d %v", a.code, a.header)
	}
	z, err := zip.NewReader(strings.NewReader(a.body), int64(len(a.body)))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"config.yaml": "lines: []", "version.json": `"version":"0.1.0"`, "status.json": `"device_id":"5300520006504b5957343920"`,
		"lines.json": `"crc_errors":17`, "line-faults.json": `"request":"01 04`, "objects.json": `"adc_vbterm"`, "log.txt": "INFO agent started", "metrics.txt": "noi_up 1",
		bundle.Removed: "config.yaml:1: external_id",
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if part, ok := want[f.Name]; err != nil || !ok || !strings.Contains(string(text), part) {
			t.Errorf("%s: %v, %s, want %s", f.Name, err, text, part)
		}
		if strings.Contains(string(text), "CANARY") {
			t.Errorf("%s has a secret: %s", f.Name, text)
		}
		delete(want, f.Name)
	}
	if len(want) > 0 {
		t.Errorf("missing in the bundle: %v", want)
	}
}

func TestAnAnswerThatIsKnownIsNotSentAgain(t *testing.T) {
	w := quiet()
	url := start(t, w)
	for _, path := range []string{"/api/v1/status", "/api/v1/objects", "/api/v1/triggers"} {
		first := get(t, url+path)
		tag := first.header.Get("ETag")
		if !strings.HasPrefix(tag, `W/"`) {
			t.Errorf("%s: ETag %q, want a weak one", path, tag)
		}
		for _, list := range []string{tag, `"other", ` + tag, strings.TrimPrefix(tag, "W/")} {
			again := ask(t, client(""), http.MethodGet, url+path, map[string]string{"If-None-Match": list})
			if again.code != http.StatusNotModified || again.body != "" || again.header.Get("ETag") != tag {
				t.Errorf("%s with %s: %d %q", path, list, again.code, again.body)
			}
		}
		if other := ask(t, client(""), http.MethodGet, url+path, map[string]string{"If-None-Match": `"other"`}); other.code != 200 {
			t.Errorf("%s with another tag: %d", path, other.code)
		}
	}
	w.objects.Objects = append(w.objects.Objects, value("adc_vbterm", "12.1"))
	before := get(t, url+"/api/v1/status").header.Get("ETag")
	if after := get(t, url+"/api/v1/objects").header.Get("ETag"); after == before {
		t.Error("a new value has the old tag")
	}
	before = get(t, url+"/api/v1/objects").header.Get("ETag")
	w.objects.Objects[0].AgeS += 5
	if after := get(t, url+"/api/v1/objects").header.Get("ETag"); after != before {
		t.Error("an unchanged value is sent again five seconds later")
	}
}

func TestAnUnknownParameterIsRefusedEverywhere(t *testing.T) {
	url := start(t, quiet())
	for _, path := range []string{"/api/v1/status", "/api/v1/objects", "/api/v1/triggers", "/api/v1/events", "/api/v1/logs",
		"/api/v1/bundle", "/api/v1/objects/rs485/1/adc_vbterm/history"} {
		if a := get(t, url+path+"?mistyped=1"); a.code != http.StatusBadRequest || !strings.Contains(a.body, "mistyped") {
			t.Errorf("%s: %d %s", path, a.code, a.body)
		}
	}
}
