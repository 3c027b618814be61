package store

import (
	"testing"
	"time"

	"noi-agent/objects"
)

func TestGapsOfOneKindGrow(t *testing.T) {
	at := func(min int) time.Time { return time.Date(2022, 6, 28, 8, min, 0, 0, time.UTC) }
	overrun := func(from int, first uint64) objects.Gap {
		return objects.Gap{Unit: "a/1", Object: "x", Run: 1, From: at(from), To: at(from + 1), First: first, Last: first, Count: 1, Reason: objects.GapOverrun}
	}
	s := openForTest(t, Options{})
	other := overrun(4, 7)
	other.Reason = objects.GapBus
	for _, g := range []objects.Gap{overrun(0, 1), overrun(1, 2), overrun(5, 6), other, overrun(30, 40)} {
		if err := s.Missing("aws", g); err != nil {
			t.Fatal(err)
		}
	}
	rows, _, err := s.Triggers(TriggerQuery{})
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, want three: %+v, %v", len(rows), rows, err)
	}
	first := rows[2].Gap
	if first.Count != 3 || first.First != 1 || first.Last != 6 || !first.From.Equal(at(0)) || !first.To.Equal(at(6)) {
		t.Errorf("the first is %+v", first)
	}
}
