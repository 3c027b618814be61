package sinks_test

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"noi-agent/sinks"
)

// schema is a topic that accepts or refuses a request as a whole, and records its messages.
type schema struct {
	refuses           func(m sinks.Message) bool
	refusals          *sinks.Refusals
	requests, carried int
	taken             map[string]int // accepted messages, by body
}

func newSchema(refuses func(m sinks.Message) bool) *schema {
	return &schema{refuses: refuses, refusals: sinks.NewRefusals(), taken: map[string]int{}}
}

// publish is a sink's Publish.
func (s *schema) publish(t *testing.T, msgs []sinks.Message) []sinks.Result {
	t.Helper()
	for range 20 {
		sel := s.refusals.Select(msgs)
		answer := sinks.Result{Outcome: sinks.Accepted, MessageID: "1"}
		for _, at := range sel.Send {
			if s.refuses(msgs[at]) {
				answer = sinks.Failed(sinks.Reject, "InvalidArgument", "One or more messages are malformed.")
			}
		}
		s.requests++
		s.carried += len(sel.Send)
		if answer.Outcome == sinks.Accepted {
			for _, at := range sel.Send {
				s.taken[string(msgs[at].Body)]++
			}
		}
		if results := s.refusals.Settle(msgs, sel, sinks.Repeat(answer, len(sel.Send)), true); len(results) > 0 {
			return results
		}
	}
	t.Fatal("20 requests have settled nothing")
	return nil
}

// drain publishes msgs in windows and returns the result of each.
func (s *schema) drain(t *testing.T, msgs []sinks.Message, window int) (all []sinks.Result) {
	t.Helper()
	for len(all) < len(msgs) {
		rest := msgs[len(all):]
		all = append(all, s.publish(t, rest[:min(len(rest), window)])...)
	}
	return all
}

// backlog returns sweeps of a hundred objects. Every fifth is a text, and every tenth a list.
func backlog(sweeps int) (msgs []sinks.Message) {
	for n := range sweeps {
		for i := range 100 {
			kind := sinks.Kind{Object: fmt.Sprintf("o%02d", i), Data: sinks.DataFraction}
			switch {
			case i%10 == 9:
				kind.Data = sinks.DataList
			case i%5 == 3:
				kind.Data = sinks.DataText
			}
			msgs = append(msgs, sinks.Message{Body: fmt.Appendf(nil, "%s %d", kind.Object, n), Kind: kind})
		}
	}
	return msgs
}

// endsIn refuses the objects whose number ends with one of these digits.
func endsIn(digits string) func(m sinks.Message) bool {
	return func(m sinks.Message) bool { return strings.Contains(digits, m.Kind.Object[2:]) }
}

// Each message that the topic accepts arrives once, each that it refuses is rejected, and the number of sent messages
// is close to the number of messages.
func TestRefusedKindsCostLittle(t *testing.T) {
	isText := func(m sinks.Message) bool { return m.Kind.Data == sinks.DataText }
	for _, c := range []struct {
		name    string
		refuses func(m sinks.Message) bool
		most    float64 // messages sent, as a share of all messages
		perKind int     // most requests for each refused kind
		kinds   int
		words   string
	}{
		{"nothing", func(sinks.Message) bool { return false }, 1, 0, 0, ""},
		{"an object", func(m sinks.Message) bool { return m.Kind.Object == "o37" }, 1.05, 30, 1, "the topic's schema refuses fractions of o37 (InvalidArgument: One or more"},
		{"ten objects", endsIn("7"), 1.05, 15, 10, "refuses fractions of o07, fractions of o17, fractions of o27, fractions of o37, fractions of o47 and 5 more ("},
		{"texts and lists", func(m sinks.Message) bool { return isText(m) || m.Kind.Data == sinks.DataList }, 1.05, 6, 30, "the topic's schema refuses lists and text values ("},
		{"numbers", func(m sinks.Message) bool { return m.Kind.Data == sinks.DataFraction }, 1.05, 3, 70, "the topic's schema refuses fractions ("},
		{"all but ten objects", func(m sinks.Message) bool { return !endsIn("7")(m) }, 1.05, 5, 90, "the topic's schema refuses lists, text values, fractions of o00,"},
		{"everything", func(sinks.Message) bool { return true }, 0.1, 5, 100, "the topic's schema refuses fractions, lists and text values ("},
	} {
		s, msgs := newSchema(c.refuses), backlog(50)
		for i, r := range s.drain(t, msgs, 1000) {
			want := sinks.Accepted
			if c.refuses(msgs[i]) {
				want = sinks.Reject
			}
			if r.Outcome != want || s.taken[string(msgs[i].Body)] != map[sinks.Outcome]int{sinks.Accepted: 1}[want] {
				t.Fatalf("%s: message %d (%s): %s, want %s; taken %d times", c.name, i, msgs[i].Body, r.Outcome, want, s.taken[string(msgs[i].Body)])
			}
		}
		if most := c.most * float64(len(msgs)); float64(s.carried) > most {
			t.Errorf("%s: %d messages carried of %d", c.name, s.carried, len(msgs))
		}
		if most := 6 + 6 + c.perKind*c.kinds; s.requests > most {
			t.Errorf("%s: %d requests, want at most %d", c.name, s.requests, most)
		}
		if got := s.refusals.Words(); !strings.Contains(got, c.words) || (c.words == "") != (got == "") {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

// A changed schema accepts a kind that it refused before: all messages of it are sent again, without an action of the
// operator.
func TestRefusedKindIsTakenAgain(t *testing.T) {
	refusing := true
	s := newSchema(func(m sinks.Message) bool { return refusing && m.Kind.Data == sinks.DataText })
	sweep := backlog(1)
	for range 20 {
		s.drain(t, sweep, 1000)
	}
	if s.refusals.Words() == "" {
		t.Fatal("the sink has learnt no refused kind")
	}
	before := s.requests
	for range 100 {
		s.drain(t, sweep, 1000)
	}
	if n := s.requests - before; n < 105 || n > 120 {
		t.Errorf("%d requests for 100 sweeps: too few or too many tries", n)
	}
	refusing = false
	clear(s.taken)
	for range 20 {
		s.drain(t, sweep, 1000)
	}
	if got := s.refusals.Words(); got != "" {
		t.Errorf("still reported as refused: %s", got)
	}
	if n := s.taken["o03 0"]; n < 3 {
		t.Errorf("a message of a kind that is accepted again arrived %d times", n)
	}
}

// If only refused kinds wait, each request tries one of them, because nothing else would try them.
func TestNothingButRefusedKindsIsTried(t *testing.T) {
	refusing := true
	s := newSchema(func(sinks.Message) bool { return refusing })
	msgs := backlog(1)[3:4]
	for range 10 {
		s.drain(t, msgs, 10)
	}
	if s.requests != 10 {
		t.Errorf("%d requests for 10 messages", s.requests)
	}
	refusing = false
	if r := s.drain(t, msgs, 10); r[0].Outcome != sinks.Accepted || s.refusals.Words() != "" {
		t.Errorf("%s, still reported as refused: %q", r[0].Outcome, s.refusals.Words())
	}
}

// A single bad message does not make its kind count as refused, and the search for it does not send thousands of
// messages.
func TestBadMessageOfAGoodKind(t *testing.T) {
	bad := func(m sinks.Message) bool { return crc32.ChecksumIEEE(m.Body)%100 == 0 }
	s, msgs := newSchema(bad), backlog(50)
	for i, r := range s.drain(t, msgs, 1000) {
		if (r.Outcome == sinks.Reject) != bad(msgs[i]) {
			t.Fatalf("message %d (%s): %s", i, msgs[i].Body, r.Error())
		}
	}
	if s.carried > 4*len(msgs) {
		t.Errorf("%d messages carried of %d", s.carried, len(msgs))
	}
	if got := s.refusals.Words(); got != "" {
		t.Error(got)
	}
}

// A failing network teaches nothing about kinds, and no message is set aside because of it.
func TestOutageTeachesNothing(t *testing.T) {
	s, msgs := newSchema(func(m sinks.Message) bool { return m.Kind.Data == sinks.DataText }), backlog(10)
	s.drain(t, msgs, 1000)
	said := s.refusals.Words()
	for range 50 {
		sel := s.refusals.Select(msgs)
		for i, r := range s.refusals.Settle(msgs, sel, sinks.Repeat(sinks.Failed(sinks.Retry, "Unavailable", "no"), len(sel.Send)), true) {
			if r.Outcome != sinks.Retry {
				t.Fatalf("message %d: %s", i, r.Outcome)
			}
		}
	}
	if got := s.refusals.Words(); got != said {
		t.Errorf("%q became %q", said, got)
	}
}

func TestSelectionIsCut(t *testing.T) {
	s := sinks.Selection{Send: []int{1, 4, 6}, End: 9}
	for n, want := range map[int]sinks.Selection{1: {Send: []int{1}, End: 4}, 2: {Send: []int{1, 4}, End: 6}, 3: s, 4: s} {
		if got := s.First(n); got.End != want.End || !slices.Equal(got.Send, want.Send) {
			t.Errorf("first %d: %+v", n, got)
		}
	}
}
