package status_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"noi-agent/status"
	"noi-agent/status/api"
)

// longLog is a world with many rows. It counts the queries.
type longLog struct {
	*world
	rows  int
	peak  uint64 // most bytes of the heap in use during a query
	pages int
}

func (l *longLog) Triggers(q api.TriggerQuery) (api.Triggers, error) {
	var m runtime.MemStats
	if l.pages++; l.pages%20 == 0 {
		runtime.GC()
		runtime.ReadMemStats(&m)
		l.peak = max(l.peak, m.HeapAlloc)
	}
	first := uint64(l.rows)
	if q.Before != 0 {
		first = q.Before - 1
	}
	out := api.Triggers{}
	for id := first; id > 0 && len(out.Triggers) < q.Limit; id-- {
		out.Triggers = append(out.Triggers, plainRow(id))
	}
	if last := first - uint64(len(out.Triggers)); last > 0 {
		next := last + 1
		out.Next = &next
	}
	_, _ = l.world.Triggers(q) // records the query
	return out, nil
}

func plainRow(id uint64) api.Trigger {
	return api.Trigger{
		ID: id, IntegrationID: "FFjU28MMaL3W9B9hhhhH", Success: true, State: api.StateDelivered,
		CompletedAt: "2022-06-28T08:20:37.000Z", Topic: "projects/p/topics/T", Attempts: 1,
		PublishedData: json.RawMessage(`{"published_at":"2022-06-28T08:20:29.502Z","device_id":"5300520006504b5957343920","data":-12.117188,` +
			`"sampled_at":"2022-06-28T08:20:29Z","object":"adc_vbterm","slave":"PS-PWM-30M"}`),
		IntegrationData: api.Answer{Device: "5300520006504b5957343920", MessageID: strconv.FormatUint(id, 10)},
	}
}

// TestTriggersAsAFileAreReadInPages: each row comes exactly once, in pages of 500, and only a few pages are in
// memory.
func TestTriggersAsAFileAreReadInPages(t *testing.T) {
	const rows = 100_000
	for _, name := range []string{"csv", "jsonl"} {
		l := &longLog{world: quiet(), rows: rows}
		o := options(l.world)
		o.TriggerLog = l
		s := status.New(o)
		serve(t, s)
		var before runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		resp, err := http.Get("http://" + s.Addr() + "/api/v1/triggers." + name + "?integration=FFjU28MMaL3W9B9hhhhH")
		if err != nil {
			t.Fatal(err)
		}
		lines := 0
		for scan := bufio.NewScanner(resp.Body); scan.Scan(); {
			lines++
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		want := map[string]int{"csv": rows + 1, "jsonl": rows}[name]
		if q, _ := l.lastAsked(); lines != want || l.pages != rows/500 || q.Limit != 500 || q.Integration == "" {
			t.Errorf("%s: %d lines in %d pages, the last %+v", name, lines, l.pages, q)
		}
		grown := int64(l.peak) - int64(before.HeapAlloc)
		if recording := os.Getenv(recordDir) != ""; grown > 4<<20 && !recording { // the whole answer is recorded

			t.Errorf("%s: the memory in use has grown by %d bytes", name, grown)
		}
	}
}

// TestTriggersAsCSVAreReadAsWritten: a reader of RFC 4180 gets the same values. No cell is a formula, and numbers
// stay numbers.
func TestTriggersAsCSVAreReadAsWritten(t *testing.T) {
	w := quiet()
	bad := plainRow(2)
	bad.Success, bad.State = false, api.StateRefused
	bad.IntegrationData = api.Answer{Error: "=cmd|' /C calc'!A0, \"x\"\r\nmore"}
	bad.PublishedData = json.RawMessage(`{"data":"@SUM(1)","object":"+x","slave":"-y"}`)
	gap := api.Trigger{ID: 1, State: api.StateDropped, PublishedData: json.RawMessage("null"), Gap: &api.Gap{Object: "adc_va"}}
	w.triggers.Triggers = []api.Trigger{plainRow(3), bad, gap}
	a := get(t, start(t, w)+"/api/v1/triggers.csv")
	if a.code != http.StatusOK || a.header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.Contains(a.header.Get("Content-Disposition"), "triggers.csv") {
		t.Fatalf("%d %v", a.code, a.header)
	}
	if strings.Count(a.body, "\r\n") != 5 { // four rows, and one inside a cell
		t.Errorf("lines do not end as in RFC 4180: %q", a.body)
	}
	records, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil || len(records) != 4 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	at := func(record int, column string) string { return records[record][slices.Index(records[0], column)] }
	for column, want := range map[string]string{"id": "3", "success": "true", "state": "delivered", "data": "-12.117188", "object": "adc_vbterm", "message_id": "3"} {
		if got := at(1, column); got != want {
			t.Errorf("%s is %q, want %q", column, got, want)
		}
	}
	for column, want := range map[string]string{"data": "'@SUM(1)", "object": "'+x", "slave": "'-y", "success": "false", "state": "refused"} {
		if got := at(2, column); got != want {
			t.Errorf("%s is %q, want %q", column, got, want)
		}
	}
	if got := at(2, "error"); !strings.HasPrefix(got, "'=cmd|") {
		t.Errorf("the error is %q", got)
	}
	if at(3, "object") != "adc_va" || at(3, "published_data") != "" {
		t.Errorf("the gap is %q", records[3])
	}
}

func TestPagesOfTriggersAreLinked(t *testing.T) {
	w, next := quiet(), uint64(17)
	w.triggers = api.Triggers{Triggers: []api.Trigger{plainRow(17)}, Next: &next}
	url := start(t, w)
	a := get(t, url+"/api/v1/triggers?object=T_*&limit=1&before=20")
	if link := a.header.Get("Link"); link != `</api/v1/triggers?before=17&limit=1&object=T_%2A>; rel="next"` {
		t.Errorf("Link: %s", link)
	}
	w.triggers.Next = nil
	if link := get(t, url+"/api/v1/triggers").header.Get("Link"); link != "" {
		t.Errorf("the last page has Link: %s", link)
	}
}

func TestATriggerIsAskedForByItsID(t *testing.T) {
	w := quiet()
	failed := plainRow(18)
	failed.Success = false
	w.triggers.Triggers = []api.Trigger{failed, plainRow(17)}
	o := options(w)
	o.Socket = t.TempDir() + "/s"
	s := status.New(o)
	serve(t, s)
	for _, c := range []struct {
		method, path string
		code         int
		want         string
	}{
		{"GET", "/17", 200, `"id":17,`}, {"GET", "/16", 404, "no trigger 16"}, {"GET", "/0", 404, "want the id of a row"},
		{"GET", "/x", 404, "want the id of a row"}, {"POST", "/17", 405, "not allowed"}, {"POST", "/17/publish", 200, `"sent":1`},
		{"POST", "/18/publish", 409, "not delivered yet"}, {"POST", "/16/publish", 404, "no trigger 16"}, {"GET", "/17/publish", 405, ""},
	} {
		var a answer
		if c.method == "POST" {
			a = post(t, client(o.Socket), "http://localhost/api/v1/triggers"+c.path, "{}")
		} else {
			a = ask(t, client(o.Socket), c.method, "http://localhost/api/v1/triggers"+c.path, nil)
		}
		if a.code != c.code || !strings.Contains(a.body, c.want) {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.code, a.body)
		}
	}
	if a := post(t, client(""), "http://"+s.Addr()+"/api/v1/triggers/17/publish", "{}"); a.code != http.StatusUnauthorized {
		t.Errorf("over TCP without a token: %d", a.code)
	}
}

// FuzzTriggerQuery: each query gets an answer, or an error with the name of the wrong parameter. The log gets only valid queries.
func FuzzTriggerQuery(f *testing.F) {
	for _, seed := range []string{"integration=x&object=T_*&success=false&state=set+aside&from=24h&to=1h&gaps=true&before=9&limit=500", "limit=0", "from=%00", "a;b", "state=-"} {
		f.Add(seed)
	}
	parse := status.ParseTriggerQuery
	now := time.Date(2022, 6, 28, 8, 20, 29, 0, time.UTC)
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parse(raw, now)
		if err != nil {
			if err.Error() == "" || !strings.Contains(fmt.Sprint(err), "parameter") && !strings.Contains(err.Error(), "query") {
				t.Errorf("%q: the error %v names no parameter", raw, err)
			}
			return
		}
		if q.Limit < 1 || q.Limit > 500 || q.State != "" && !slices.Contains(api.TriggerStates(), q.State) ||
			!q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) || len(q.Object) > 256 {
			t.Errorf("%q gives %+v", raw, q)
		}
	})
}
