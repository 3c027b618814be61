package status_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"noi-agent/status"
	"noi-agent/status/api"
)

// lineWorld is an agent whose lines give the answers of the test.
type lineWorld struct {
	*world
	registers []uint16
	err       error
	wait      bool        // the read waits until its context ends
	asked     chan [5]any // line, unit, function, address, count
}

func (w *lineWorld) Read(ctx context.Context, line string, unit int, function byte, addr, count uint16) ([]uint16, time.Time, error) {
	w.asked <- [5]any{line, unit, function, addr, count}
	if w.wait {
		<-ctx.Done()
		return nil, time.Time{}, ctx.Err()
	}
	return w.registers, time.Date(2022, 6, 28, 10, 20, 29, 502_026_256, time.FixedZone("CEST", 7200)), w.err
}

func (w *lineWorld) Probe(ctx context.Context, line string, unit int, function byte) (api.Probe, error) {
	_, _, err := w.Read(ctx, line, unit, function, 0, 1)
	return api.Probe{UnitID: unit, State: api.UnitPresent, ProductCode: "PS-PWM-30M"}, err
}

// lineServer serves w on a socket and on TCP.
func lineServer(t *testing.T, w *lineWorld, change func(*status.Options)) (s *status.Server, socket string) {
	t.Helper()
	w.asked = make(chan [5]any, 16)
	o := options(w.world)
	o.Socket, o.Reader = shortDir(t)+"/agent.sock", w
	if change != nil {
		change(&o)
	}
	return status.New(o), o.Socket
}

func post(t *testing.T, c *http.Client, url, body string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

const (
	readURL  = "http://agent/api/v1/read"
	goodRead = `{"line":"rs485","unit_id":1,"function":4,"address":18,"count":2}`
)

func TestReadAsksTheLineAndAnswersWithRegisters(t *testing.T) {
	w := &lineWorld{world: quiet(), registers: []uint16{0x4A0F, 0}}
	s, socket := lineServer(t, w, nil)
	serve(t, s)
	a := post(t, client(socket), readURL, goodRead)
	if want := `{"registers":[18959,0],"at":"2022-06-28T08:20:29.502Z"}` + "\n"; a.code != http.StatusOK || a.body != want {
		t.Errorf("%d %s, want %s", a.code, a.body, want)
	}
	if asked := <-w.asked; asked != [5]any{"rs485", 1, byte(4), uint16(18), uint16(2)} {
		t.Errorf("the line was asked %v", asked)
	}
}

func TestProbeAsksOneUnit(t *testing.T) {
	w := &lineWorld{world: quiet()}
	s, socket := lineServer(t, w, nil)
	serve(t, s)
	const probeURL = "http://agent/api/v1/probe"
	a := post(t, client(socket), probeURL, `{"line":"rs485","unit_id":247,"function":3}`)
	if p := decoded[api.Probe](t, []byte(a.body)); a.code != http.StatusOK || p.State != "present" || p.UnitID != 247 || p.ProductCode != "PS-PWM-30M" {
		t.Errorf("%d %s", a.code, a.body)
	}
	if asked := <-w.asked; asked != [5]any{"rs485", 247, byte(3), uint16(0), uint16(1)} {
		t.Errorf("the line was asked %v", asked)
	}
	for body, want := range map[string]string{
		`{"unit_id":1,"function":4}`:                          "line: want the name of a line",
		`{"line":"rs485","function":4}`:                       "unit_id: want 1 to 247",
		`{"line":"rs485","unit_id":248,"function":4}`:         "not 248",
		`{"line":"rs485","unit_id":1,"function":6}`:           "function: want 3 or 4",
		`{"line":"rs485","unit_id":1}`:                        "function: want 3 or 4",
		`{"line":"rs485","unit_id":1,"function":4,"count":1}`: `unknown key "count"`,
		`[]`: `want {"line":"rs485","unit_id":1,"function":4}`,
	} {
		if a := post(t, client(socket), probeURL, body); a.code != http.StatusBadRequest || !strings.Contains(fault(t, a), want) {
			t.Errorf("%s: %d %s, want %s", body, a.code, a.body, want)
		}
	}
	if a := post(t, client(""), "http://"+s.Addr()+"/api/v1/probe", `{"line":"rs485","unit_id":1,"function":4}`); a.code != http.StatusUnauthorized {
		t.Errorf("over TCP without a login: %d", a.code)
	}
	if len(w.asked) > 0 {
		t.Error("the line was asked")
	}
}

func TestReadNeedsALoginOverTCP(t *testing.T) {
	w := &lineWorld{world: quiet()}
	s, _ := lineServer(t, w, nil)
	serve(t, s)
	a := post(t, client(""), "http://"+s.Addr()+"/api/v1/read", goodRead)
	if a.code != http.StatusUnauthorized {
		t.Errorf("over TCP: %d", a.code)
	}
	mustContain(t, fault(t, a), "Log in to change things.")
	mustContain(t, a.body, "noi-agent read", "noi-agent login")
	if len(w.asked) > 0 {
		t.Error("the line was asked")
	}
}

func TestReadRefusesWhatIsNotAsDescribed(t *testing.T) {
	w := &lineWorld{world: quiet()}
	s, socket := lineServer(t, w, nil)
	serve(t, s)
	for body, want := range map[string]string{
		``:                       "want {",
		`[]`:                     "want {",
		`{"line":"a"`:            "want {",
		goodRead + `{}`:          "nothing behind",
		goodRead + ` x`:          "nothing behind",
		with(`"lien":"rs485"`):   "lien",
		with(`"line":""`):        "line: want",
		with(`"unit_id":-1`):     "unit_id: want 1 to 247",
		with(`"unit_id":null`):   "unit_id: want 1 to 247",
		with(`"unit_id":248`):    "unit_id: want 1 to 247",
		with(`"function":6`):     "function: want 3 or 4",
		with(`"function":256`):   "want {",
		with(`"address":null`):   "address: want",
		with(`"address":65536`):  "want {",
		with(`"address":65535`):  "only 1 registers from 0xFFFF",
		with(`"count":0`):        "count: want 1 to 125",
		with(`"count":126`):      "count: want 1 to 125",
		with(`"count":1.5`):      "want {",
		`{"line":"a","count":1}`: "unit_id: want",
	} {
		a := post(t, client(socket), readURL, body)
		if a.code != http.StatusBadRequest {
			t.Errorf("%s: %d", body, a.code)
		}
		mustContain(t, fault(t, a), want)
	}
	a := post(t, client(socket), readURL, `{"line":"`+strings.Repeat("x", 2000)+`"}`)
	if a.code != http.StatusRequestEntityTooLarge {
		t.Errorf("2 KB: %d %s", a.code, a.body)
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
		if a := ask(t, client(socket), method, readURL, nil); a.code != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, a.code, a.header.Get("Allow"))
		}
	}
	if len(w.asked) > 0 {
		t.Error("the line was asked")
	}
}

// with returns a valid body with one more key, such as "count":0. A repeated key replaces the first one.
func with(key string) string { return strings.TrimSuffix(goodRead, "}") + "," + key + "}" }

func fault(t *testing.T, a answer) string {
	t.Helper()
	var e api.Error
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || e.Detail == "" || e.Title == "" || e.Status != a.code ||
		a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("no error in %q: %v", a.body, err)
	}
	return strings.TrimSpace(e.Error() + "\n" + e.Hint)
}

func TestReadTellsWhatWentWrongOnTheLine(t *testing.T) {
	silent := errors.New("read unit 1 0x0012+2: timeout")
	w := &lineWorld{world: quiet(), err: silent}
	s, socket := lineServer(t, w, func(o *status.Options) {
		o.ReadStatus = func(err error) int {
			if errors.Is(err, silent) {
				return http.StatusGatewayTimeout
			}
			return http.StatusTeapot
		}
	})
	serve(t, s)
	if a := post(t, client(socket), readURL, goodRead); a.code != http.StatusGatewayTimeout || fault(t, a) != silent.Error() {
		t.Errorf("%d %s", a.code, a.body)
	}
	s, socket = lineServer(t, w, nil)
	serve(t, s)
	if a := post(t, client(socket), readURL, goodRead); a.code != http.StatusBadGateway {
		t.Errorf("without a mapping: %d", a.code)
	}
}

// A read may take longer than other requests, but not without a limit.
func TestReadWaitsForTheLineWithALimitOfItsOwn(t *testing.T) {
	w := &lineWorld{world: quiet(), wait: true}
	s, socket := lineServer(t, w, nil)
	s.SetLimits(4, time.Millisecond, time.Second)
	s.SetLineLimit(50 * time.Millisecond)
	serve(t, s)
	a := post(t, client(socket), readURL, goodRead)
	if a.code != http.StatusGatewayTimeout {
		t.Errorf("%d %s", a.code, a.body)
	}
	mustContain(t, fault(t, a), "within 50 ms", "noi-agent status")
}

func TestWithoutAReaderThereIsNothingToAsk(t *testing.T) {
	o := options(quiet())
	o.Socket = shortDir(t) + "/agent.sock"
	serve(t, status.New(o))
	if a := post(t, client(o.Socket), readURL, goodRead); a.code != http.StatusNotFound {
		t.Errorf("%d %s", a.code, a.body)
	}
}
