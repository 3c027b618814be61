package logs_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"noi-agent/status/logs"
)

// logger writes to a text log and a ring.
func logger(level slog.Level) (*slog.Logger, *logs.Ring, *bytes.Buffer) {
	ring, out := &logs.Ring{}, &bytes.Buffer{}
	return slog.New(logs.NewHandler(ring, slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))), ring, out
}

func TestTheRingHasWhatTheLogHas(t *testing.T) {
	log, ring, out := logger(slog.LevelInfo)
	log.With("part", "store").WithGroup("g").Info("agent started", "lines", 1, "msg", "inner")
	log.Debug("not logged")
	log.Warn("clock", "by", "1 h")
	got := ring.Lines(logs.Query{})
	if len(got) != 2 || got[0].Text != "agent started part=store g.lines=1 g.msg=inner" || got[0].Level != "INFO" ||
		got[0].N != 1 || got[1].Text != `clock by="1 h"` || got[1].Level != "WARN" || got[1].Time.IsZero() {
		t.Errorf("the ring has %+v", got)
	}
	if n := strings.Count(out.String(), "\n"); n != 2 || !strings.Contains(out.String(), `msg="agent started"`) {
		t.Errorf("the log has %s", out)
	}
}

func TestTheRingKeepsTheLastThousand(t *testing.T) {
	log, ring, _ := logger(slog.LevelInfo)
	for i := range 2500 {
		log.Info(fmt.Sprint("line ", i+1))
	}
	got := ring.Lines(logs.Query{})
	if len(got) != logs.Most || got[0].Text != "line 1501" || got[0].N != 1501 || got[999].Text != "line 2500" ||
		ring.Last() != 2500 {
		t.Errorf("%d lines from %+v to %+v", len(got), got[0], got[len(got)-1])
	}
	if got = ring.Lines(logs.Query{After: 2498}); len(got) != 2 || got[0].N != 2499 {
		t.Errorf("after 2498: %+v", got)
	}
}

func TestLinesByLevelAndText(t *testing.T) {
	log, ring, _ := logger(slog.LevelDebug)
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		log.Log(t.Context(), level, "AWS refuses", "n", 1)
		log.Log(t.Context(), level, "GCP refuses", "n", 2)
	}
	for _, c := range []struct {
		q    logs.Query
		want string
	}{
		{logs.Query{Level: slog.LevelWarn}, "5 6 7 8"},
		{logs.Query{Level: slog.LevelDebug, Text: "gcp REFUSES N=2"}, "2 4 6 8"},
		{logs.Query{Level: slog.LevelInfo, Text: "aws", Limit: 2}, "5 7"},
		{logs.Query{Text: "azure"}, ""},
	} {
		var numbers []string
		for _, l := range ring.Lines(c.q) {
			numbers = append(numbers, fmt.Sprint(l.N))
		}
		if got := strings.Join(numbers, " "); got != c.want {
			t.Errorf("%+v: lines %s, want %s", c.q, got, c.want)
		}
	}
}

func TestForeignTextCannotMoveTheCursor(t *testing.T) {
	log, ring, _ := logger(slog.LevelInfo)
	log.Info("said\x1b]52;c;aGk=\a\n\u202Eevil", "name", "a\x9b\u2066b", "long", strings.Repeat("x", 5000))
	text := ring.Lines(logs.Query{})[0].Text
	if strings.ContainsAny(text, "\x1b\a\n\u202E\u2066") || strings.Contains(text, "\x9b") || !strings.Contains(text, `\x1b`) || len(text) > 1500 {
		t.Errorf("%q", text)
	}
}
