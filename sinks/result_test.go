package sinks_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"noi-agent/sinks"
)

func TestErrorIsCodeColonText(t *testing.T) {
	for _, c := range []struct {
		result sinks.Result
		want   string
	}{
		{sinks.Result{Outcome: sinks.Accepted, MessageID: "7"}, ""},
		{sinks.Failed(sinks.Wait, "AuthorizationError", "User: x is not authorized"), "AuthorizationError: User: x is not authorized"},
		{sinks.Failed(sinks.Retry, "Unavailable", ""), "Unavailable"},
	} {
		if got := c.result.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestTextIsOneBoundedLine(t *testing.T) {
	r := sinks.Failed(sinks.Retry, "X", " two\r\n lines\tand \x1b[31mcolour\x00 ")
	if r.Text != "two lines and [31mcolour" {
		t.Errorf("got %q", r.Text)
	}
	for cut := range 4 { // the cut is inside a rune of three bytes
		long := sinks.Failed(sinks.Retry, "X", strings.Repeat("x", cut)+strings.Repeat("漢", 1000))
		if len(long.Text) > 1100 || !utf8.ValidString(long.Text) || !strings.HasSuffix(long.Text, "…") {
			t.Errorf("%d bytes, valid %t", len(long.Text), utf8.ValidString(long.Text))
		}
	}
}

// The texts of a cloud are shown in terminals, logs and the trigger log: a code, an id or a text must not have any
// other effect there.
func TestWhatACloudSaysIsCleaned(t *testing.T) {
	const evil = "\x1b]0;x\x07\u202eX\u200b\n2026-11-28 INFO forged\xff\u0085\u2028"
	for _, said := range []string{
		sinks.Failed(sinks.Wait, evil, "x").Code, sinks.Failed(sinks.Wait, "X", evil).Text, sinks.Taken(evil).MessageID,
		sinks.Good("topic", evil).Text, sinks.Unsure("topic", evil).Text, sinks.Skip("topic", evil).Text,
		sinks.Bad("topic", sinks.Failed(sinks.Wait, evil, evil), "").Text,
	} {
		if !strings.Contains(said, "]0;xX 2026-11-28 INFO forged\uFFFD") || strings.ContainsFunc(said, func(r rune) bool { return r < ' ' || r >= 0x7f && r != '\uFFFD' }) {
			t.Errorf("got %q", said)
		}
	}
	long := strings.Repeat("\x00x", 8<<20)
	for what, n := range map[string]int{
		"code": len(sinks.Failed(sinks.Wait, long, "").Code), "text": len(sinks.Failed(sinks.Wait, "", long).Text), "id": len(sinks.Taken(long).MessageID),
		"step": len(sinks.Good("topic", long).Text),
	} {
		if n < 100 || n > 1100 {
			t.Errorf("%s of %d bytes", what, n)
		}
	}
}

func TestZeroOutcomeIsNoDelivery(t *testing.T) {
	var r sinks.Result
	if r.Outcome == sinks.Accepted || r.Outcome.String() != "none" {
		t.Errorf("the zero result is %s", r.Outcome)
	}
}

func TestNarrowRejectsOnlyTheCulprit(t *testing.T) {
	const n = 100
	for bad := range n {
		var rejected, accepted []int
		for at := 0; at < n; {
			tries := 0
			results := sinks.Narrow(n-at, func(m int) ([]sinks.Result, bool) {
				tries++
				if at <= bad && bad < at+m {
					return sinks.Repeat(sinks.Failed(sinks.Reject, "InvalidArgument", "bad"), m), true
				}
				return sinks.Repeat(sinks.Result{Outcome: sinks.Accepted, MessageID: "1"}, m), false
			})
			if tries > 8 {
				t.Fatalf("%d requests to settle %d of %d", tries, len(results), n)
			}
			for _, r := range results {
				if r.Outcome == sinks.Reject {
					rejected = append(rejected, at)
				} else {
					accepted = append(accepted, at)
				}
				at++
			}
		}
		if !cmp.Equal(rejected, []int{bad}) || len(accepted) != n-1 {
			t.Fatalf("rejected %v, want %d alone", rejected, bad)
		}
	}
}

func TestNarrowLeavesOtherAnswersAlone(t *testing.T) {
	for _, c := range []struct {
		outcome sinks.Outcome
		whole   bool
	}{{sinks.Retry, true}, {sinks.Wait, true}, {sinks.Reject, false}, {sinks.Accepted, false}} {
		tries := 0
		got := sinks.Narrow(8, func(n int) ([]sinks.Result, bool) {
			tries++
			return sinks.Repeat(sinks.Result{Outcome: c.outcome}, n), c.whole
		})
		if tries != 1 || len(got) != 8 {
			t.Errorf("%s, whole %t: %d tries, %d results", c.outcome, c.whole, tries, len(got))
		}
	}
}
