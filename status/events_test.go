package status_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"noi-agent/status"
	"noi-agent/status/api"
	"noi-agent/status/logs"
)

// movingWorld is an agent that a test changes while it is watched.
type movingWorld struct {
	mu sync.Mutex
	*world
}

func (w *movingWorld) change(how func(w *world)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	how(w.world)
}

func (w *movingWorld) Status() api.Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.status
	s.UptimeS++
	return s
}

func (w *movingWorld) Objects() api.Objects {
	w.mu.Lock()
	defer w.mu.Unlock()
	return api.Objects{Objects: append([]api.Latest{}, w.objects.Objects...)}
}

func (w *movingWorld) Triggers(api.TriggerQuery) (api.Triggers, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return api.Triggers{Triggers: append([]api.Trigger{}, w.triggers.Triggers...)}, nil
}

func (w *movingWorld) Trigger(uint64) (api.TriggerDetail, error) { return api.TriggerDetail{}, nil }

func (w *movingWorld) PublishTrigger(context.Context, uint64) (api.Replay, error) {
	return api.Replay{}, nil
}

// value returns a row of the latest values.
func value(object, text string) api.Latest {
	return api.Latest{Line: "rs485", UnitID: 1, Object: object, Value: json.RawMessage(text)}
}

// eventWorld serves a moving world with a log.
func eventWorld(t *testing.T, change func(*status.Server)) (*movingWorld, *slog.Logger, *status.Server) {
	t.Helper()
	w, ring := &movingWorld{world: quiet()}, &logs.Ring{}
	w.status.Integrations = []api.Integration{{ID: "A", Gaps: []api.Gap{}, State: "ok"}}
	w.objects.Objects = []api.Latest{value("adc_vbterm", "12.1"), value("charge_state", `"BULK"`)}
	o := options(w.world)
	o.Reporter, o.TriggerLog, o.Logs, o.Run = w, w, ring, 7
	s := status.New(o)
	if change != nil {
		change(s)
	}
	serve(t, s)
	return w, slog.New(logs.NewHandler(ring, slog.NewTextHandler(io.Discard, nil))), s
}

// event is an event of a stream. A comment has neither name nor data.
type event struct{ id, name, data string }

// reading is a client that reads events.
type reading struct {
	t      *testing.T
	events chan event
}

// watch opens a stream. last is the Last-Event-ID.
func watch(t *testing.T, s *status.Server, query, last string) *reading {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Addr()+"/api/v1/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("the stream answers %d %s", resp.StatusCode, resp.Header)
	}
	out := &reading{t, make(chan event, 1000)}
	var reader sync.WaitGroup
	reader.Go(func() { read(resp.Body, out.events) })
	t.Cleanup(func() {
		cancel()
		_ = resp.Body.Close()
		reader.Wait()
	})
	return out
}

// read splits a stream into events. It closes out at the end.
func read(from io.Reader, out chan<- event) {
	defer close(out)
	var e event
	for lines := bufio.NewScanner(from); lines.Scan(); {
		key, text, _ := strings.Cut(lines.Text(), ": ")
		switch key {
		case "id":
			e.id = text
		case "event":
			e.name = text
		case "data":
			e.data = text
		case "":
			out <- e
			e = event{}
		}
	}
}

// next returns the next event with this name, and skips comments and other events.
func (r *reading) next(name string) event {
	r.t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case e, more := <-r.events:
			if !more {
				r.t.Fatalf("the stream ended before %s", name)
			}
			if e.name == name {
				return e
			}
		case <-limit:
			r.t.Fatalf("no %s event within a minute", name)
		}
	}
}

func TestAStreamBeginsWithWhoSends(t *testing.T) {
	w, _, s := eventWorld(t, nil)
	w.change(func(w *world) { w.status.Clock.BootID = "b" })
	r := watch(t, s, "", "")
	hello := decoded[api.Hello](t, []byte(r.next(api.EventHello).data))
	if hello.Version != "0.1.0" || hello.BootID != "b" || hello.DeviceID != w.status.DeviceID || hello.Now.IsZero() {
		t.Errorf("hello %+v", hello)
	}
	if e := r.next("resync"); !strings.HasPrefix(e.id, "7-") {
		t.Errorf("resync has the id %q", e.id)
	}
}

func TestWhatChangesIsSent(t *testing.T) {
	w, log, s := eventWorld(t, nil)
	r := watch(t, s, "?topics=status,values,triggers,logs", "")
	r.next("resync")

	w.change(func(w *world) {
		w.objects.Objects[0] = value("adc_vbterm", "12.2")
		w.status.Problems = []api.Problem{api.LineDown.Of("rs485", time.Time{}, "gone")}
		w.status.Integrations = []api.Integration{{ID: "A", Gaps: []api.Gap{}, State: "retrying", Sent: 1}}
		w.triggers.Triggers = []api.Trigger{{ID: 2, Success: true}, {ID: 1}}
	})
	log.Warn("the port is gone", "line", "rs485")
	if e := r.next(api.EventProblem); len(decoded[api.Problems](t, []byte(e.data)).Problems) != 1 {
		t.Errorf("problem %s", e.data)
	}
	if e := r.next(api.EventStatus); decoded[api.Status](t, []byte(e.data)).Integrations[0].State != "retrying" {
		t.Errorf("status %s", e.data)
	}
	values := decoded[api.Objects](t, []byte(r.next(api.EventValues).data)).Objects
	if len(values) != 1 || values[0].Object != "adc_vbterm" || string(values[0].Value) != "12.2" {
		t.Errorf("values %+v, want the one that changed", values)
	}
	for _, id := range []uint64{1, 2} {
		if row := decoded[api.Trigger](t, []byte(r.next(api.EventTrigger).data)); row.ID != id {
			t.Errorf("trigger %d, want %d", row.ID, id)
		}
	}
	if l := decoded[api.LogLine](t, []byte(r.next(api.EventLog).data)); l.Text != "the port is gone line=rs485" || l.N != 1 {
		t.Errorf("log %+v", l)
	}

	// A row whose message is tried again is an event of its own.
	w.change(func(w *world) {
		w.status.Integrations = []api.Integration{{ID: "A", Gaps: []api.Gap{}, State: "retrying", Sent: 1, Failed: 1}}
		w.triggers.Triggers = []api.Trigger{{ID: 2, Success: true}, {ID: 1, Attempts: 2}}
	})
	if row := decoded[api.Trigger](t, []byte(r.next(api.EventTrigger).data)); row.ID != 1 || row.Attempts != 2 {
		t.Errorf("after the second attempt: %+v", row)
	}
}

func TestOnlyTheTopicsThatAreAskedForAreSent(t *testing.T) {
	w, log, s := eventWorld(t, nil)
	r := watch(t, s, "?topics=logs", "")
	r.next("resync")
	w.change(func(w *world) {
		w.objects.Objects[0] = value("adc_vbterm", "12.2")
		w.status.Problems = []api.Problem{api.LineDown.Of("rs485", time.Time{}, "gone")}
	})
	log.Info("line")
	if e := <-r.events; e.name != api.EventLog {
		t.Errorf("the first event is %+v, want a line of the log", e)
	}
}

func TestMoreNewsThanAStreamCarriesAreFetched(t *testing.T) {
	w, log, s := eventWorld(t, nil)
	r := watch(t, s, "?topics=logs", "")
	r.next("resync")
	for i := range 200 {
		log.Info(fmt.Sprint(i))
	}
	r.next("resync")
	rows := watch(t, s, "?topics=triggers", "")
	rows.next("resync")
	w.change(func(w *world) {
		w.status.Integrations = []api.Integration{{ID: "A", Gaps: []api.Gap{}, Sent: 50}}
		for id := uint64(50); id > 0; id-- {
			w.triggers.Triggers = append(w.triggers.Triggers, api.Trigger{ID: id})
		}
	})
	rows.next("resync")
}

func TestABrowserThatComesBackMissesNothing(t *testing.T) {
	_, log, s := eventWorld(t, nil)
	first := watch(t, s, "?topics=logs", "")
	first.next("resync")
	log.Info("one")
	one := first.next(api.EventLog)
	log.Info("two")
	two := first.next(api.EventLog)
	again := watch(t, s, "?topics=logs", one.id)
	again.next(api.EventHello)
	if e := <-again.events; e != two {
		t.Errorf("back after %s it gets %+v, want %+v", one.id, e, two)
	}
}

func TestAStreamWithoutNewsHasComments(t *testing.T) {
	_, _, s := eventWorld(t, func(s *status.Server) { s.SetStreamLimits(time.Minute, 50*time.Millisecond, time.Minute) })
	r := watch(t, s, "?topics=logs", "")
	r.next("resync")
	r.next("")
}

func TestQueriesOfEventsThatAreRefused(t *testing.T) {
	_, _, s := eventWorld(t, nil)
	for _, query := range []string{"?topic=status", "?topics=all", "?topics=status,,values", "?topics=a&topics=b", "?%"} {
		if a := get(t, "http://"+s.Addr()+"/api/v1/events"+query); a.code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, a.code, a.body)
		}
	}
	if s.Watched() {
		t.Error("a refused query watches")
	}
}

func TestThereAreThirtyTwoStreams(t *testing.T) {
	_, _, s := eventWorld(t, nil)
	for range 32 {
		watch(t, s, "", "")
	}
	a := get(t, "http://"+s.Addr()+"/api/v1/events")
	if a.code != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("the 33rd stream: %d %v", a.code, a.header)
	}
	if a := get(t, "http://"+s.Addr()+"/api/v1/status"); a.code != http.StatusOK {
		t.Errorf("the status with 32 open streams: %d", a.code)
	}
}

// opened opens a stream of events over a new connection.
func opened(t *testing.T, s *status.Server) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_, err = fmt.Fprintf(c, "GET /api/v1/events HTTP/1.1\r\nHost: %s\r\n\r\n", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the stream is open", s.Watched)
	return c.(*net.TCPConn)
}

// until waits until a condition is true.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); !is(); {
		if time.Now().After(limit) {
			t.Fatalf("not within a minute: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestAClientThatHasLeftTheNetworkIsFreed lets the kernel drop everything that arrives at a client, including
// acknowledgements, as when a phone leaves the Wi-Fi.
func TestAClientThatHasLeftTheNetworkIsFreed(t *testing.T) {
	for name, pause := range map[string]time.Duration{"nothing is sent": time.Hour, "a comment is sent": 100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			_, _, s := eventWorld(t, func(s *status.Server) { s.SetStreamLimits(time.Hour, pause, 2*time.Second) })
			raw, err := opened(t, s).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}} // "return 0": keeps no byte
			err = raw.Control(func(fd uintptr) {
				err = unix.SetsockoptSockFprog(int(fd), syscall.SOL_SOCKET, unix.SO_ATTACH_FILTER,
					&unix.SockFprog{Len: 1, Filter: &drop[0]})
			})
			if err != nil {
				t.Skip("no filter on sockets here: ", err)
			}
			until(t, "the stream is freed", func() bool { return !s.Watched() })
		})
	}
}

func TestAClientThatDoesNotReadIsFreed(t *testing.T) {
	_, _, s := eventWorld(t, func(s *status.Server) { s.SetStreamLimits(200*time.Millisecond, time.Hour, time.Hour) })
	opened(t, s)
	until(t, "the stream is freed", func() bool {
		s.PublishLog(make([]byte, 1<<18)) // some of these are more than the sockets can buffer
		return !s.Watched()
	})
}

func TestTheEndOfTheServerEndsStreams(t *testing.T) {
	o := options(quiet())
	s := status.New(o)
	stop := serve(t, s)
	r := watch(t, s, "", "")
	r.next("resync")
	began := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	for range r.events { //nolint:revive // until the channel is closed
	}
	if took := time.Since(began); took >= 2*time.Second {
		t.Errorf("the end took %v: the grace of slow readers", took)
	}
}
