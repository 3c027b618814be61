package cli

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/configs"
	"noi-agent/status/logs"
)

// TestLoggersMadeBeforeAReloadFollowIt: loggers with attributes and groups use the new settings too.
func TestLoggersMadeBeforeAReloadFollowIt(t *testing.T) {
	var out clitest.Buffer
	l := newLogging(&out, configs.Log{Level: "info", Format: "text"})
	derived := l.With("part", "store").WithGroup("file").With("bytes", 7)
	derived.Debug("not at this level")
	derived.Info("one")
	l.set(configs.Log{Level: "debug", Format: "json"})
	derived.Debug("two", "pages", 3)
	l.set(configs.Log{Level: "error", Format: "text"})
	derived.Warn("not at this level either")
	derived.Error("three")

	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("lines %q", lines)
	}
	for i, want := range map[int]string{0: "msg=one part=store file.bytes=7", 2: "msg=three part=store file.bytes=7"} {
		if !strings.HasSuffix(lines[i], want) {
			t.Errorf("line %q, want the end %q", lines[i], want)
		}
	}
	var second struct {
		Level, Msg, Part string
		File             struct{ Bytes, Pages int }
	}
	if err := json.Unmarshal([]byte(lines[1]), &second); err != nil || second.Level != slog.LevelDebug.String() || second.Msg != "two" ||
		second.Part != "store" || second.File.Bytes != 7 || second.File.Pages != 3 {
		t.Errorf("%v: %s", err, lines[1])
	}
}

// The log for people has durations in people's form, also in the lines that the page shows. JSON is for programs.
func TestLogsHaveReadableDurations(t *testing.T) {
	var out strings.Builder
	l := newLogging(&out, configs.Log{Level: "info", Format: "text"})
	l.Info("held", "at_most", time.Hour, "group", slog.GroupValue(slog.Duration("for", 10*time.Minute)))
	if got := out.String(); !strings.Contains(got, `at_most="1 h" group.for="10 min"`) {
		t.Errorf("the log has %s", got)
	}
	if got := l.ring.Lines(logs.Query{}); len(got) != 1 || !strings.Contains(got[0].Text, `at_most="1 h"`) {
		t.Errorf("the page has %+v", got)
	}
}
