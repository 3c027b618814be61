package status_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"noi-agent/status"
	"noi-agent/status/api"
	"noi-agent/store"
)

// outboxWorld is an agent with an outbox and replays that the test sets.
type outboxWorld struct {
	*world
	asked  store.Range
	export func(ctx context.Context, w io.Writer) error
	replay func(ctx context.Context, report func(any) error) error
	id     string
}

func (w *outboxWorld) Export(ctx context.Context, r store.Range, format string, out io.Writer) (samples, damaged uint64, err error) {
	w.asked = r
	if _, err := io.WriteString(out, format+"\n"); err != nil {
		return 0, 0, err
	}
	return 7, 2, w.export(ctx, out)
}

func (w *outboxWorld) Replay(ctx context.Context, id string, r store.Range, report func(any) error) error {
	w.id, w.asked = id, r
	return w.replay(ctx, report)
}

var (
	errBusy  = errors.New("busy with another")
	midnight = time.Date(2022, 6, 28, 0, 0, 0, 0, time.UTC)
)

// outboxServer serves w on a socket and on TCP. Its clock always shows noon.
func outboxServer(t *testing.T, w *outboxWorld) (s *status.Server, socket string) {
	t.Helper()
	o := options(w.world)
	o.Socket, o.Exporter, o.Replayer = shortDir(t)+"/agent.sock", w, w
	o.Now = func() time.Time { return midnight.Add(12 * time.Hour) }
	o.ReplayStatus = func(err error) int {
		if errors.Is(err, errBusy) {
			return http.StatusConflict
		}
		return http.StatusServiceUnavailable
	}
	return status.New(o), o.Socket
}

func well(context.Context, io.Writer) error { return nil }

func TestExportIsStreamedAndSaysHowMuchItWas(t *testing.T) {
	w := &outboxWorld{world: quiet(), export: well}
	s, _ := outboxServer(t, w)
	serve(t, s)
	for query, want := range map[string]struct {
		body, contentType string
		r                 store.Range
	}{
		"":                       {"jsonl\n", "application/jsonl", store.Range{}},
		"?format=csv":            {"csv\n", "text/csv; charset=utf-8", store.Range{}},
		"?from=12h&to=":          {"jsonl\n", "application/jsonl", store.Range{From: midnight}},
		"?from=2022-06-28&to=1h": {"jsonl\n", "application/jsonl", store.Range{From: midnight, To: midnight.Add(11 * time.Hour)}},
		"?to=2022-06-28T02:00:00.5%2B02:00": {"jsonl\n", "application/jsonl",
			store.Range{To: midnight.Add(500 * time.Millisecond)}},
	} {
		resp, err := client("").Get("http://" + s.Addr() + "/api/v1/export" + query)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(body) != want.body || resp.Header.Get("Content-Type") != want.contentType || w.asked != want.r {
			t.Errorf("%s: %q as %q of %v: %v", query, body, resp.Header.Get("Content-Type"), w.asked, err)
		}
		if resp.Trailer.Get(status.HeaderSamples) != "7" || resp.Trailer.Get(status.HeaderDamaged) != "2" {
			t.Errorf("%s: trailers %v", query, resp.Trailer)
		}
	}
}

func TestExportRefusesWhatIsNotAsDescribed(t *testing.T) {
	s, _ := outboxServer(t, &outboxWorld{world: quiet(), export: well})
	serve(t, s)
	url := "http://" + s.Addr() + "/api/v1/export"
	for query, want := range map[string]string{
		"?form=1h":              "unknown parameter",
		"?from=1h&from=2h":      "given 2 times",
		"?from=yesterday":       "from: want a time as 2022-",
		"?to=-1h":               "to: want a time",
		"?from=1h&to=2h":        "is not before",
		"?from=1h&to=1h":        "is not before",
		"?format=xml":           "want jsonl or csv",
		"?from=2022-06-31":      "from: want",
		"?from=%zz":             "cannot be read",
		"?from=2022-06-28T8:20": "from: want",
	} {
		a := get(t, url+query)
		if a.code != http.StatusBadRequest {
			t.Errorf("%s: %d", query, a.code)
		}
		mustContain(t, fault(t, a), want)
	}
	if a := ask(t, client(""), http.MethodPost, url, nil); a.code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", a.code)
	}
	if a := ask(t, client(""), http.MethodHead, url, nil); a.code != http.StatusOK || a.body != "" {
		t.Errorf("HEAD: %d %q", a.code, a.body)
	}
}

// An error before the first bytes is a normal answer with a status. After an error in the middle, the client must be able to see that the
// answer is incomplete.
func TestExportThatFailsIsNeverTakenForWhole(t *testing.T) {
	w := &outboxWorld{world: quiet()}
	s, _ := outboxServer(t, w)
	serve(t, s)
	url := "http://" + s.Addr() + "/api/v1/export"
	w.export = func(context.Context, io.Writer) error { return errors.New("the file is damaged") }
	if a := get(t, url); a.code != http.StatusInternalServerError || fault(t, a) != "export: the file is damaged" {
		t.Errorf("at once: %d %s", a.code, a.body)
	}
	w.export = func(_ context.Context, out io.Writer) error {
		_, _ = io.WriteString(out, strings.Repeat("x", 100<<10))
		return errors.New("the file is damaged")
	}
	resp, err := client("").Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if n, err := io.Copy(io.Discard, resp.Body); err == nil || n == 0 {
		t.Errorf("after %d bytes: %v, want a broken answer", n, err)
	}
}

// The time limits of small answers do not end a long answer. A client that reads nothing is disconnected.
func TestExportMayTakeLongButNotStandStill(t *testing.T) {
	const limit = 500 * time.Millisecond // long enough for a request on a busy machine
	w := &outboxWorld{world: quiet()}
	s, _ := outboxServer(t, w)
	s.SetLimits(4, limit, time.Second)
	s.SetHeaderLimit(limit)
	serve(t, s)
	w.export = func(ctx context.Context, out io.Writer) error {
		for range 4 { // together longer than any limit
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(limit):
			}
			if _, err := io.WriteString(out, strings.Repeat("x", 40<<10)); err != nil {
				return err
			}
		}
		return nil
	}
	url := "http://" + s.Addr() + "/api/v1/export"
	if a := get(t, url); len(a.body) != 160<<10+len("jsonl\n") {
		t.Errorf("%d bytes", len(a.body))
	}
	ended := make(chan error, 1)
	w.export = func(_ context.Context, out io.Writer) error {
		for {
			if _, err := out.Write(make([]byte, 1<<20)); err != nil {
				ended <- err
				return err
			}
		}
	}
	resp, err := client("").Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := <-ended; err == nil {
		t.Error("a client that reads nothing blocks the agent")
	}
}

const (
	replayURL  = "http://agent/api/v1/replay"
	goodReplay = `{"integration":"x","from":"12h","to":""}`
)

// sentLine is a line of a replay's report.
func sentLine(state string, sent int) string {
	return fmt.Sprintf("{\"state\":%q,\"sent\":%d,\"rejected\":0,\"damaged\":0}\n", state, sent)
}

func TestReplayIsStreamedAsLines(t *testing.T) {
	w := &outboxWorld{world: quiet()}
	s, socket := outboxServer(t, w)
	s.SetHeaderLimit(500 * time.Millisecond) // a replay may take longer than this
	serve(t, s)
	w.replay = func(ctx context.Context, report func(any) error) error {
		if err := report(api.Replay{State: "sending", Sent: 1}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
		return report(api.Replay{State: "done", Sent: 2})
	}
	a := post(t, client(socket), replayURL, goodReplay)
	if a.code != http.StatusOK || a.body != sentLine("sending", 1)+sentLine("done", 2) || w.id != "x" || !w.asked.From.Equal(midnight) {
		t.Errorf("%d %q, asked for %s %v", a.code, a.body, w.id, w.asked)
	}
	w.replay = func(_ context.Context, report func(any) error) error {
		_ = report(api.Replay{State: "sending", Sent: 1})
		return errors.New("cut short")
	}
	if a := post(t, client(socket), replayURL, goodReplay); a.body != sentLine("sending", 1)+"{\"error\":\"cut short\",\"state\":\"failed\"}\n" {
		t.Errorf("%q", a.body)
	}
	w.replay = func(context.Context, func(any) error) error { return errBusy }
	if a := post(t, client(socket), replayURL, goodReplay); a.code != http.StatusConflict || fault(t, a) != errBusy.Error() {
		t.Errorf("%d %q", a.code, a.body)
	}
}

func TestReplayEndsWhenTheClientGoes(t *testing.T) {
	w := &outboxWorld{world: quiet()}
	s, socket := outboxServer(t, w)
	serve(t, s)
	ended := make(chan error, 1)
	w.replay = func(ctx context.Context, report func(any) error) error {
		_ = report(api.Replay{State: "sending", Sent: 1})
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, replayURL, strings.NewReader(goodReplay))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := client(socket).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_ = resp.Body.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestReplayRefusesWhatIsNotAsDescribed(t *testing.T) {
	w := &outboxWorld{world: quiet(), replay: func(context.Context, func(any) error) error { t.Error("it begins"); return nil }}
	s, socket := outboxServer(t, w)
	serve(t, s)
	for body, want := range map[string]string{
		``:                                  "want {",
		`{"integration":"x"} {}`:            "nothing behind",
		`{"integration":"x","form":"1h"}`:   "form",
		`{"from":"1h"}`:                     "integration: want",
		`{"integration":"x","from":"soon"}`: "from: want a time",
	} {
		a := post(t, client(socket), replayURL, body)
		if a.code != http.StatusBadRequest {
			t.Errorf("%s: %d", body, a.code)
		}
		mustContain(t, fault(t, a), want)
	}
	if a := post(t, client(socket), replayURL, `{"integration":"`+strings.Repeat("x", 2000)+`"}`); a.code != http.StatusRequestEntityTooLarge {
		t.Errorf("2 KB: %d", a.code)
	}
	if a := post(t, client(""), "http://"+s.Addr()+"/api/v1/replay", goodReplay); a.code != http.StatusUnauthorized {
		t.Errorf("over TCP: %d", a.code)
	}
	if a := ask(t, client(socket), http.MethodGet, replayURL, nil); a.code != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST" {
		t.Errorf("GET: %d", a.code)
	}
}

// TestTimesAsPeopleWriteThem: a time in the form of the command line's tables is a valid parameter.
func TestTimesAsPeopleWriteThem(t *testing.T) {
	now := time.Date(2022, 6, 28, 3, 20, 40, 0, time.FixedZone("", -5*60*60))
	for text, want := range map[string]string{
		"2022-06-28T08:20:37Z": "2022-06-28T08:20:37Z", "2022-06-28 03:20:37 -05:00": "2022-06-28T08:20:37Z", "2022-06-28 03:20:37": "2022-06-28T08:20:37Z",
		"2022-06-28 03:20": "2022-06-28T08:20:00Z", "2022-06-28": "2022-06-28T00:00:00Z", "1h": "2022-06-28T07:20:40Z",
	} {
		r, err := status.ParseRange(text, "", now)
		if got := r.From.Format(time.RFC3339); err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", text, got, err, want)
		}
	}
	for _, wrong := range []string{"2022-06-28 25:00", "28.6.2022", "1h ago", "-1h"} {
		if _, err := status.ParseRange(wrong, "", now); err == nil {
			t.Errorf("%s is a time", wrong)
		}
	}
}
