package status_test

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"noi-agent/status"
	"noi-agent/status/api"
)

func TestAPISendsWhatTheAgentSaysByteForByte(t *testing.T) {
	w := quiet()
	const (
		state   = `"device_id":"<b> & \"ü\""`
		objects = `{"objects":[{"line":"rs485","slave":"PS-PWM-30M","unit_id":1,"object":"T_ind[U]","value":-0.5,`
		rows    = `"published_data":{"data":12.117188,"object":"adc_vbterm"},`
	)
	w.status.DeviceID = `<b> & "ü"`
	w.objects = decoded[api.Objects](t, []byte(objects+`"unit":"°C"}]}`))
	w.triggers = decoded[api.Triggers](t, []byte(`{"triggers":[{`+rows+`"id":7,"state":"delivered","completed_at":"2022-06-28T08:20:37.000Z"}]}`))
	url := start(t, w)
	for path, want := range map[string]string{
		"/api/v1/status": state, "/api/v1/objects": objects, "/api/v1/triggers": rows,
	} {
		a := get(t, url+path)
		if a.code != http.StatusOK || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d\n got %s\nwant %s", path, a.code, a.body, want)
		}
		if got := a.header.Get("Content-Type"); got != "application/json" {
			t.Errorf("%s: content type %q", path, got)
		}
	}
}

func TestBothListenersServeTheSame(t *testing.T) {
	o := options(quiet())
	o.Socket = shortDir(t) + "/agent.sock"
	o.Now = func() time.Time { return time.Date(2022, 6, 28, 8, 20, 40, 0, time.UTC) } // the page shows the time
	s := status.New(o)
	serve(t, s)
	for _, path := range []string{"/", "/values", "/api/v1/status", "/api/v1/objects", "/api/v1/triggers", "/healthz", "/readyz"} {
		tcp := get(t, "http://"+s.Addr()+path)
		unix := ask(t, client(o.Socket), http.MethodGet, "http://agent"+path, nil)
		if tcp.code != http.StatusOK || unix.code != tcp.code || unix.body != tcp.body {
			t.Errorf("%s: TCP %d, socket %d, or different bodies", path, tcp.code, unix.code)
		}
		if tcp.body == "" {
			t.Errorf("%s: empty", path)
		}
	}
}

func TestHeadGivesTheHeadersOnly(t *testing.T) {
	url := start(t, quiet())
	for _, path := range []string{"/", "/api/v1/status", "/healthz"} {
		head, full := ask(t, client(""), http.MethodHead, url+path, nil), get(t, url+path)
		if head.code != http.StatusOK || head.body != "" {
			t.Errorf("HEAD %s: %d, body %q", path, head.code, head.body)
		}
		if got, want := head.header.Get("Content-Length"), full.header.Get("Content-Length"); got != want || want == "" {
			t.Errorf("HEAD %s: length %q, GET says %q", path, got, want)
		}
	}
}

func TestHealthTellsTheReason(t *testing.T) {
	w := quiet()
	url := start(t, w)
	if a := get(t, url+"/healthz"); a.code != http.StatusOK || a.body != "ok\n" {
		t.Errorf("healthy: %d %q", a.code, a.body)
	}
	w = quiet()
	w.healthy, w.ready = errors.New("line rs485 stands still"), errors.New("line rs485 is not open")
	url = start(t, w)
	for path, want := range map[string]string{"/healthz": "line rs485 stands still\n", "/readyz": "line rs485 is not open\n"} {
		if a := get(t, url+path); a.code != http.StatusServiceUnavailable || a.body != want {
			t.Errorf("%s: %d %q", path, a.code, a.body)
		}
	}
}

func TestTriggerQueryReachesTheLog(t *testing.T) {
	yes, no := true, false
	for query, want := range map[string]api.TriggerQuery{
		"":                                      {Limit: 50},
		"?":                                     {Limit: 50},
		"?integration=&success=&limit=&before=": {Limit: 50},
		"?integration=FFjU28MMaL3W9B9hhhhH":     {Integration: "FFjU28MMaL3W9B9hhhhH", Limit: 50},
		"?success=true&limit=1":                 {Success: &yes, Limit: 1},
		"?success=false&limit=500":              {Success: &no, Limit: 500},
		"?gaps=true":                            {Gaps: true, Limit: 50},
		"?before=18446744073709551615":          {Limit: 50, Before: math.MaxUint64},
		"?object=T_ind%5BU%5D":                  {Limit: 50, Object: "T_ind[U]"},
		"?state=set%20aside":                    {Limit: 50, State: "set aside"},
		"?state=set_aside":                      {Limit: 50, State: "set aside"},
		"?from=2022-06-28T08:20:29Z":            {Limit: 50, From: time.Date(2022, 6, 28, 8, 20, 29, 0, time.UTC)},
		"?from=2022-06-01&to=2022-06-28":        {Limit: 50, From: time.Date(2022, 6, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2022, 6, 28, 0, 0, 0, 0, time.UTC)},
	} {
		w := quiet()
		if a := get(t, start(t, w)+"/api/v1/triggers"+query); a.code != http.StatusOK {
			t.Errorf("%q: %d %s", query, a.code, a.body)
			continue
		}
		got, _ := w.lastAsked()
		if got.Gaps != want.Gaps || got.Integration != want.Integration || got.Limit != want.Limit || got.Before != want.Before ||
			got.Object != want.Object || got.State != want.State || !got.From.Equal(want.From) || !got.To.Equal(want.To) {
			t.Errorf("%q: %+v, want %+v", query, got, want)
		}
		if (got.Success == nil) != (want.Success == nil) || got.Success != nil && *got.Success != *want.Success {
			t.Errorf("%q: success %v, want %v", query, got.Success, want.Success)
		}
	}
}

func TestBadTriggerQueryNamesParameterAndWayOut(t *testing.T) {
	w := quiet()
	url := start(t, w)
	for query, parts := range map[string][]string{
		"?limit=0":                       {"limit", "1 to 500", `"0"`},
		"?limit=501":                     {"limit", "1 to 500"},
		"?limit=-1":                      {"limit", "1 to 500"},
		"?limit=1.5":                     {"limit", "1 to 500"},
		"?limit=99999999999999999":       {"limit", "1 to 500"},
		"?success=yes":                   {"success", "true or false", `"yes"`},
		"?success=TRUE":                  {"success", "true or false"},
		"?gaps=1":                        {"gaps", "true or false"},
		"?before=0":                      {"before", "from 1 up"},
		"?before=x":                      {"before", "from 1 up"},
		"?before=18446744073709551616":   {"before", "from 1 up"},
		"?limit=5&limit=6":               {"limit", "2 times", "once"},
		"?limmit=5":                      {"limmit", "integration, object, success, state, from, to, gaps, before, limit"},
		"?state=failed":                  {"state", "delivered, retrying, refused, set aside, dropped", `"failed"`},
		"?from=yesterday":                {"from", "2022-06-28T08:20:29Z", `"yesterday"`},
		"?from=2022-06-28&to=2022-06-01": {"to", "after from"},
		"?a=b;c":                         {"query", "name=value"},
		"?limit=%zz":                     {"query", "name=value"},
	} {
		a := get(t, url+"/api/v1/triggers"+query)
		var fault api.Error
		if err := json.Unmarshal([]byte(a.body), &fault); err != nil || a.code != http.StatusBadRequest {
			t.Errorf("%q: %d %s %v", query, a.code, a.body, err)
			continue
		}
		mustContain(t, fault.Detail, parts...)
		if strings.Count(fault.Detail, "not \"") > 1 {
			t.Errorf("%q: the value is named twice: %s", query, fault.Detail)
		}
	}
	if _, n := w.lastAsked(); n != 0 {
		t.Errorf("%d bad queries reached the trigger log", n)
	}
}

func TestAnswerThatCannotBeMadeIsAnErrorAndNotHalfADocument(t *testing.T) {
	w := quiet()
	w.status.Lines, w.triggersErr = []api.Line{{Load: math.NaN()}}, errors.New("store is closed")
	url := start(t, w)
	for path, part := range map[string]string{"/api/v1/status": "NaN", "/api/v1/triggers": "store is closed"} {
		a := get(t, url+path)
		var fault api.Error
		if err := json.Unmarshal([]byte(a.body), &fault); err != nil || a.code != http.StatusInternalServerError {
			t.Errorf("%s: %d %s", path, a.code, a.body)
		}
		mustContain(t, fault.Detail, part)
	}
}

func TestNothingButReadingIsServed(t *testing.T) {
	url := start(t, quiet())
	for _, path := range []string{"/", "/system", "/api/v1/status", "/api/v1/objects", "/api/v1/triggers", "/healthz", "/readyz"} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			a := ask(t, client(""), method, url+path, nil)
			if a.code != http.StatusMethodNotAllowed || a.header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %d, Allow %q", method, path, a.code, a.header.Get("Allow"))
			}
			if strings.HasPrefix(path, "/api/") != json.Valid([]byte(a.body)) {
				t.Errorf("%s %s: body %q", method, path, a.body)
			}
		}
	}
}

func TestUnknownPathIsJSONForProgramsAndTextForPeople(t *testing.T) {
	url := start(t, quiet())
	for path, contentType := range map[string]string{
		"/api/v1/nothing": "application/problem+json", "/api/v1/status/": "application/problem+json", "/api/": "application/problem+json",
		"/api/v1/no/such": "application/problem+json", "/metrics": "text/plain; charset=utf-8",
		"/favicon.ico": "text/plain; charset=utf-8", "/no/such": "text/plain; charset=utf-8",
	} {
		a := get(t, url+path)
		if a.code != http.StatusNotFound || a.header.Get("Content-Type") != contentType {
			t.Errorf("%s: %d, %s", path, a.code, a.header.Get("Content-Type"))
		}
		mustContain(t, a.body, path)
	}
}
