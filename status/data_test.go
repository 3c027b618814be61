package status_test

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"noi-agent/status"
	"noi-agent/status/api"
	"noi-agent/status/logs"
)

// TestAHistoryIsAskedForByItsPath has an object whose name needs escapes.
func TestAHistoryIsAskedForByItsPath(t *testing.T) {
	w := quiet()
	now := time.Date(2022, 6, 28, 8, 20, 29, 502_000_000, time.UTC)
	w.history = map[string]api.History{"rs485/1/T_ind[U]": {Object: "T_ind[U]", To: now,
		Buckets: []api.Bucket{{From: now.Add(-time.Hour), Min: 12.117188, Mean: 12.5, Max: 13, N: 3}}}}
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
	for _, query := range []string{"?level=all", "?limit=0", "?limit=1001", "?limit=x", "?lines=1", "?level=info&level=warn"} {
		if a := get(t, url+query); a.code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, a.code, a.body)
		}
	}
}

func TestAnAnswerThatIsKnownIsNotSentAgain(t *testing.T) {
	w := quiet()
	url := start(t, w)
	for _, path := range []string{"/api/v1/status", "/api/v1/objects", "/api/v1/triggers"} {
		first := get(t, url+path)
		tag := first.header.Get("ETag")
		if tag == "" || strings.HasPrefix(tag, "W/") {
			t.Errorf("%s: ETag %q, want a strong one", path, tag)
		}
		for _, list := range []string{tag, `"other", ` + tag, "W/" + tag} {
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
}

func TestAnUnknownParameterIsRefusedEverywhere(t *testing.T) {
	url := start(t, quiet())
	for _, path := range []string{"/api/v1/status", "/api/v1/objects", "/api/v1/triggers", "/api/v1/events", "/api/v1/logs",
		"/api/v1/objects/rs485/1/adc_vbterm/history"} {
		if a := get(t, url+path+"?mistyped=1"); a.code != http.StatusBadRequest || !strings.Contains(a.body, "mistyped") {
			t.Errorf("%s: %d %s", path, a.code, a.body)
		}
	}
}
