package sinktest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"noi-agent/sinks"
	"noi-agent/sinks/sinktest/standin"
)

func accepted(t *testing.T, r Rig) {
	msgs := Messages(3)
	msgs[1].Attributes = []sinks.Attribute{{Name: "object", Value: "T_ind[U]"}, {Name: "unit", Value: "rs485/1"}}
	results := Drain(t, r.Sink, msgs)
	want(t, results, sinks.Accepted)
	wantTaken(t, r.Cloud, msgs)
	for i, m := range r.Cloud.Messages() {
		if m.ID != results[i].MessageID {
			t.Errorf("message %d: id %q, the cloud gave %q", i, results[i].MessageID, m.ID)
		}
		attrs := map[string]string{}
		for _, a := range msgs[i].Attributes {
			attrs[a.Name] = a.Value
		}
		if !maps.Equal(m.Attributes, attrs) {
			t.Errorf("message %d: attributes %v, want %v", i, m.Attributes, attrs)
		}
	}
}

func empty(t *testing.T, r Rig) {
	r.Cloud.SetFault(func(standin.Request) *standin.Fault {
		t.Error("a request without a message")
		return nil
	})
	if results := r.Sink.Publish(t.Context(), nil); len(results) != 0 {
		t.Errorf("%d results for no message", len(results))
	}
}

func window(t *testing.T, r Rig) {
	msgs := Messages(r.Sink.Window())
	results := publish(t, r.Sink, msgs)
	want(t, results, sinks.Accepted)
	if len(results) != len(msgs) {
		t.Errorf("one request took %d of a window of %d", len(results), len(msgs))
	}
}

// order sends more messages than one request can have, with repeated keys.
func order(t *testing.T, r Rig) {
	msgs := Messages(25)
	for i := range msgs {
		msgs[i].Key = fmt.Sprintf("rs485/1/object_%d", i%4)
	}
	want(t, Drain(t, r.Sink, msgs), sinks.Accepted)
	wantTaken(t, r.Cloud, msgs)
}

func outage(t *testing.T, r Rig) {
	msgs := Messages(3)
	setDown(t, r, true)
	for range 3 {
		want(t, publish(t, r.Sink, msgs), sinks.Retry)
	}
	setDown(t, r, false)
	want(t, Drain(t, r.Sink, msgs), sinks.Accepted)
	wantTaken(t, r.Cloud, msgs)
}

// reconnect breaks the connection while no request is in flight. The first request afterwards may fail, but no later
// one.
func reconnect(t *testing.T, r Rig) {
	msgs := Messages(3)
	want(t, publish(t, r.Sink, msgs[:1]), sinks.Accepted)
	setDown(t, r, true)
	setDown(t, r, false)
	second := publish(t, r.Sink, msgs[1:2])[0]
	if second.Outcome == sinks.Retry {
		second = publish(t, r.Sink, msgs[1:2])[0]
	}
	want(t, []sinks.Result{second}, sinks.Accepted)
	want(t, publish(t, r.Sink, msgs[2:]), sinks.Accepted)
	wantTaken(t, r.Cloud, msgs)
}

func denial(t *testing.T, r Rig) {
	msgs := Messages(3)
	r.Cloud.SetFault(standin.Always(r.Denied))
	results := Drain(t, r.Sink, msgs)
	want(t, results, sinks.Wait)
	for i, res := range results {
		if res.Error() != r.Denial {
			t.Errorf("result %d:\n got %s\nwant %s", i, res.Error(), r.Denial)
		}
	}
	wantTaken(t, r.Cloud, nil)
	r.Cloud.SetFault(nil)
	want(t, Drain(t, r.Sink, msgs), sinks.Accepted)
	wantTaken(t, r.Cloud, msgs)
}

func throttling(t *testing.T, r Rig) { passes(t, r, r.Throttled, sinks.Retry) }

func missingTopic(t *testing.T, r Rig) { passes(t, r, r.Missing, sinks.Wait) }

func internal(t *testing.T, r Rig) { passes(t, r, r.Internal, sinks.Retry) }

// passes makes the cloud answer everything with a fault, in its own words, and then stops the fault.
func passes(t *testing.T, r Rig, fault standin.Fault, o sinks.Outcome) {
	t.Helper()
	msgs := Messages(2)
	r.Cloud.SetFault(standin.Always(fault))
	results := Drain(t, r.Sink, msgs)
	want(t, results, o)
	if results[0].Code != fault.Code || results[0].Text != fault.Text {
		t.Errorf("got %q", results[0].Error())
	}
	wantTaken(t, r.Cloud, nil)
	r.Cloud.SetFault(nil)
	want(t, Drain(t, r.Sink, msgs), sinks.Accepted)
	wantTaken(t, r.Cloud, msgs)
}

// partial makes the cloud fail for one message of seven, for a while. The others are accepted, now or after the
// fault, and each exactly once.
func partial(t *testing.T, r Rig) {
	msgs := Messages(7)
	fault := r.Internal
	fault.Only = func(m standin.Message) bool { return string(m.Body) == string(msgs[3].Body) }
	r.Cloud.SetFault(standin.Always(fault))
	results := Drain(t, r.Sink, msgs)
	var left []sinks.Message
	for i, res := range results {
		switch {
		case res.Outcome == sinks.Retry:
			left = append(left, msgs[i])
		case res.Outcome != sinks.Accepted || i == 3:
			t.Fatalf("message %d: %s (%s)", i, res.Outcome, res.Error())
		}
	}
	r.Cloud.SetFault(nil)
	want(t, Drain(t, r.Sink, left), sinks.Accepted)
	bodies := func(n int, body func(i int) []byte) (out []string) {
		for i := range n {
			out = append(out, string(body(i)))
		}
		slices.Sort(out)
		return out
	}
	got := r.Cloud.Messages()
	taken, sent := bodies(len(got), func(i int) []byte { return got[i].Body }),
		bodies(len(msgs), func(i int) []byte { return msgs[i].Body })
	if !slices.Equal(taken, sent) {
		t.Errorf("the cloud has %q, want each of %q once", taken, sent)
	}
}

// asksToWait compares the wait that the cloud requests with the wait in the result.
func asksToWait(t *testing.T, r Rig) {
	for _, c := range []struct{ asked, told time.Duration }{
		{0, 0}, {7 * time.Second, 7 * time.Second}, {48 * time.Hour, sinks.MaxAfter},
	} {
		fault := r.Throttled
		fault.After = c.asked
		r.Cloud.SetFault(standin.Always(fault))
		results := publish(t, r.Sink, Messages(2))
		want(t, results, sinks.Retry)
		if results[0].After != c.told || results[1].After != c.told {
			t.Errorf("asked for %s, told %s", c.asked, results[0].After)
		}
	}
	r.Cloud.SetFault(nil)
	results := publish(t, r.Sink, Messages(1))
	if want(t, results, sinks.Accepted); results[0].After != 0 {
		t.Errorf("accepted, but with a wait of %s", results[0].After)
	}
}

// badMessage tries each place of a bad message in a row of seven.
func badMessage(t *testing.T, r Rig) {
	var sent []sinks.Message
	for bad := range 7 {
		msgs := Messages(7)
		for i := range msgs {
			msgs[i].Body = fmt.Appendf(nil, `{"round":%d,"data":%d}`, bad, i)
		}
		fault := r.Invalid
		fault.Only = func(m standin.Message) bool { return string(m.Body) == string(msgs[bad].Body) }
		r.Cloud.SetFault(standin.Always(fault))
		checkRejected(t, Drain(t, r.Sink, msgs), bad, r.Invalid.Code)
		sent = append(sent, slices.Delete(msgs, bad, bad+1)...)
	}
	wantTaken(t, r.Cloud, sent)
}

// tooLarge sends a message that is too large for any request, between two that fit.
func tooLarge(t *testing.T, r Rig) {
	msgs := Messages(3)
	msgs[1].Body = []byte(`"` + strings.Repeat("x", r.TooLarge) + `"`)
	checkRejected(t, Drain(t, r.Sink, msgs), 1, r.Invalid.Code)
	wantTaken(t, r.Cloud, slices.Delete(msgs, 1, 2))
}

func checkRejected(t *testing.T, results []sinks.Result, bad int, code string) {
	t.Helper()
	for i, res := range results {
		o := sinks.Accepted
		if i == bad {
			o = sinks.Reject
		}
		if res.Outcome != o {
			t.Fatalf("message %d, number %d is bad: %s (%s), want %s", i, bad, res.Outcome, res.Error(), o)
		}
	}
	if results[bad].Code != code {
		t.Errorf("rejected with %q, want code %s", results[bad].Error(), code)
	}
}

func endedContext(t *testing.T, r Rig) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, publishCtx(ctx, t, r.Sink, Messages(2)), sinks.Retry)
	wantTaken(t, r.Cloud, nil)
}

// hang ends the context when the cloud has the request and will never answer it.
func hang(t *testing.T, r Rig) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.Cloud.SetFault(func(standin.Request) *standin.Fault {
		cancel()
		return &standin.Fault{Hang: true}
	})
	want(t, publishCtx(ctx, t, r.Sink, Messages(3)), sinks.Retry)
	wantTaken(t, r.Cloud, nil)
}

func abandoned(t *testing.T, r Rig) {
	hang(t, r)
	r.Cloud.SetFault(nil)
	next := Messages(6)[3:]
	want(t, Drain(t, r.Sink, next), sinks.Accepted)
	wantTaken(t, r.Cloud, next)
}

// lostAnswer is the only case in which a cloud gets a message twice.
func lostAnswer(t *testing.T, r Rig) {
	msgs := Messages(2)
	r.Cloud.SetFault(standin.Always(standin.Fault{Drop: true, Taken: true}))
	want(t, publish(t, r.Sink, msgs), sinks.Retry)
	r.Cloud.SetFault(nil)
	want(t, Drain(t, r.Sink, msgs), sinks.Accepted)
	wantTaken(t, r.Cloud, slices.Concat(msgs, msgs))
}

// keepsNothing builds the messages of each request in the memory of the last request, like the forwarder. It does so
// as soon as Publish has returned, even after a cancel while the cloud had the request. All texts of a message are
// its number. A sink that reads a message later sends a mixture, or a message twice. The race detector finds this
// too.
func keepsNothing(t *testing.T, r Rig) {
	const texts = 100 // number of texts in a message: enough for a compressed request to Pub/Sub
	msgs := Messages(min(r.Sink.Window(), 10))
	names := make([]sinks.Attribute, len(msgs))
	var cancel context.CancelFunc
	for round := range 100 {
		for i := range msgs {
			text := fmt.Sprintf("%04d-%d ", round, i)
			msgs[i].Body = msgs[i].Body[:0]
			for range texts {
				msgs[i].Body = append(msgs[i].Body, text...)
			}
			names[i] = sinks.Attribute{Name: "object", Value: text}
			msgs[i].Attributes = names[i : i+1 : i+1]
		}
		r.Cloud.SetFault(func(standin.Request) *standin.Fault {
			switch round % 5 {
			case 1:
				cancel() // the answer comes nevertheless
				return nil
			case 2:
				cancel()
				return &standin.Fault{Hang: true}
			case 3:
				return &standin.Fault{Drop: true, Taken: true}
			}
			return nil
		})
		var ctx context.Context
		ctx, cancel = context.WithCancel(t.Context())
		publishCtx(ctx, t, r.Sink, msgs)
		cancel()
	}
	came := map[string]bool{}
	for _, m := range r.Cloud.Messages() {
		number := m.Attributes["object"]
		if string(m.Body) != strings.Repeat(number, texts) || came[number] {
			t.Fatalf("message %q, before: %t, is %q", number, came[number], m.Body)
		}
		came[number] = true
	}
	if n := len(r.Cloud.Messages()); n < 40*len(msgs) {
		t.Errorf("%d messages arrived", n)
	}
}

func closing(t *testing.T, r Rig) {
	want(t, publish(t, r.Sink, Messages(1)), sinks.Accepted)
	if err := errors.Join(r.Sink.Close(), r.Sink.Close()); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	res := publish(t, r.Sink, Messages(1))[0]
	if res.Outcome != sinks.Retry || res.Code != sinks.CodeClosed {
		t.Errorf("publish after close: %s (%s)", res.Outcome, res.Error())
	}
	wantTaken(t, r.Cloud, Messages(1))
}

func setDown(t *testing.T, r Rig, down bool) {
	t.Helper()
	if err := r.Cloud.SetDown(down); err != nil {
		t.Fatalf("set down %t: %v", down, err)
	}
}
