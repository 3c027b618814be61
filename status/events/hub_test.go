package events_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"noi-agent/status/events"
)

// waiting returns the events that wait for a watcher, as "id name data".
func waiting(w *events.Watcher) (list []string) {
	for {
		select {
		case e := <-w.Events():
			list = append(list, fmt.Sprintf("%s %s %s", e.ID, e.Name, e.Data))
		default:
			return list
		}
	}
}

func join(t *testing.T, h *events.Hub, topics events.Topic, last string) *events.Watcher {
	t.Helper()
	w, err := h.Join(topics, last)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func check(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func publish(h *events.Hub, n int) {
	for i := range n {
		h.Publish(events.Values, "values", fmt.Append(nil, i))
	}
}

func TestAWatcherGetsWhatItWatches(t *testing.T) {
	h := events.New(7)
	all, values := join(t, h, events.All, ""), join(t, h, events.Values, "")
	check(t, "at the begin", waiting(all), "7-0 resync {}")
	check(t, "at the begin", waiting(values), "7-0 resync {}")
	h.Publish(events.Triggers, "trigger", []byte("1"))
	h.Publish(events.Values, "values", []byte("2"))
	check(t, "all", waiting(all), "7-1 trigger 1", "7-2 values 2")
	check(t, "values", waiting(values), "7-2 values 2")
	if got := h.Watched(); got != events.All {
		t.Errorf("watched %b", got)
	}
	all.Leave()
	if got := h.Watched(); got != events.Values {
		t.Errorf("watched %b, want the values", got)
	}
}

func TestOneThatComesBackGetsWhatItMissed(t *testing.T) {
	h := events.New(7)
	publish(h, 300)
	check(t, "two behind", waiting(join(t, h, events.All, "7-298")), "7-299 values 298", "7-300 values 299")
	check(t, "none behind", waiting(join(t, h, events.All, "7-300")))
	check(t, "another topic", waiting(join(t, h, events.Logs, "7-298")))
	for _, id := range []string{"", "7-43", "7-301", "6-298", "7-", "7", "7--1", "7-0298", "x-298", "7-18446744073709551615",
		"7-18446744073709551616"} {
		check(t, id, waiting(join(t, h, events.Values, id)), "7-300 resync {}")
	}
	all := waiting(join(t, h, events.Values, "7-44")) // all kept events, four times as many as otherwise wait
	if len(all) != 256 {
		t.Errorf("%d events, want 256", len(all))
	}
	check(t, "all that is kept", []string{all[0], all[len(all)-1]}, "7-45 values 44", "7-300 values 299")
}

// TestLargeEventsAreNotKeptForLong: kept events also have a limit in bytes. The newest event is always kept.
func TestLargeEventsAreNotKeptForLong(t *testing.T) {
	h := events.New(7)
	large := bytes.Repeat([]byte("x"), 100<<10)
	for range 5 {
		h.Publish(events.Values, "values", large)
	}
	for id, want := range map[string]int{"7-5": 0, "7-4": 1, "7-3": 2} {
		if got := waiting(join(t, h, events.All, id)); len(got) != want || want > 0 && strings.Contains(got[0], "resync") {
			t.Errorf("after %s: %d events, want %d", id, len(got), want)
		}
	}
	check(t, "too old", waiting(join(t, h, events.All, "7-2")), "7-5 resync {}")
	h.Publish(events.Values, "values", bytes.Repeat(large, 5))
	if got := waiting(join(t, h, events.All, "7-5")); len(got) != 1 || !strings.HasPrefix(got[0], "7-6 values") {
		t.Errorf("the newest one is not kept: %d events", len(got))
	}
	publish(h, 300)
	if got := waiting(join(t, h, events.All, "7-50")); len(got) != 256 {
		t.Errorf("%d small events are kept, want 256", len(got))
	}
}

func TestASlowReaderIsToldToFetchEverythingAgain(t *testing.T) {
	h := events.New(7)
	slow, quick := join(t, h, events.All, "7-0"), join(t, h, events.All, "7-0")
	for range 3 {
		publish(h, 30)
		if n := len(waiting(quick)); n != 30 {
			t.Errorf("the quick reader got %d events, want 30", n)
		}
	}
	got := waiting(slow)
	check(t, "slow", got[:1], "7-65 resync {}")
	if len(got) != 26 || got[25] != "7-90 values 29" {
		t.Errorf("after the resync: %d events, the last %s; want those up to 90", len(got)-1, got[len(got)-1])
	}
}

func TestMissedIsOfATopic(t *testing.T) {
	h := events.New(7)
	logs, values := join(t, h, events.Logs, "7-0"), join(t, h, events.Values, "7-0")
	publish(h, 1)
	h.Missed(events.Logs)
	check(t, "logs", waiting(logs), "7-2 resync {}")
	check(t, "values", waiting(values), "7-1 values 0")
	check(t, "back", waiting(join(t, h, events.Logs, "7-1")), "7-2 resync {}")
}

func TestWhatIsForgottenIsNotKnown(t *testing.T) {
	h := events.New(7)
	publish(h, 3)
	h.Forget()
	check(t, "an old id", waiting(join(t, h, events.All, "7-3")), "7-4 resync {}")
	publish(h, 1)
	check(t, "the id of the resync", waiting(join(t, h, events.All, "7-4")), "7-5 values 0")
}

func TestThereAreThirtyTwoWatchers(t *testing.T) {
	h := events.New(7)
	var first *events.Watcher
	for range 32 {
		first = join(t, h, events.All, "")
	}
	if _, err := h.Join(events.All, ""); !errors.Is(err, events.ErrFull) {
		t.Errorf("the 33rd: %v", err)
	}
	first.Leave()
	join(t, h, events.All, "")
	h.Close()
	h.Close()
	select {
	case <-first.Gone():
		t.Error("a watcher that had left sees that the hub is closed")
	default:
	}
	if _, err := h.Join(events.All, ""); !errors.Is(err, events.ErrClosed) {
		t.Errorf("a closed hub: %v", err)
	}
}

func FuzzLastEventID(f *testing.F) {
	h := events.New(7)
	publish(h, 300)
	for _, id := range []string{"", "7-299", "7-0", "-", "7-", "8-1", "7-99999999999999999999", "\x00", "7-+1"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		w, err := h.Join(events.All, id)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Leave()
		got := waiting(w)
		if len(got) == 1 && got[0] == "7-300 resync {}" {
			return
		}
		var n int
		if _, err := fmt.Sscanf(id, "7-%d", &n); err != nil || n+len(got) != 300 || fmt.Sprintf("7-%d", n) != id {
			t.Errorf("%q gets %d events", id, len(got))
		}
	})
}

func FuzzTopics(f *testing.F) {
	for _, text := range []string{"", "status", "values,logs", "status,,", "Status", "status ", "triggers,triggers"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		topics, err := events.ParseTopics(text)
		if (err == nil) == (topics == 0) || topics&^events.All != 0 {
			t.Errorf("%q: %b, %v", text, topics, err)
		}
		if rest := strings.NewReplacer("status", "", "values", "", "triggers", "", "logs", "", ",", "").Replace(text); err == nil &&
			rest != "" {
			t.Errorf("%q is accepted", text)
		}
	})
}
