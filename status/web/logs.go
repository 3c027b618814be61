package web

import (
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"noi-agent/status/api"
	"noi-agent/status/logs"
)

// logsView is the data of the page of the log.
type logsView struct {
	frame
	Level string // the lowest level, in lower case
	Text  string // the text that lines must contain; "": any
	Lines []api.LogLine
	Kept  int  // the number of lines that the agent keeps in memory
	Full  bool // there are older lines that match
}

// pageLines is the most lines on the page.
const pageLines = 150

// levels returns the levels to choose from, by their words in the address.
func levels() map[string]slog.Level {
	return map[string]slog.Level{"debug": logs.Everything, "info": slog.LevelInfo, "warn": slog.LevelWarn,
		"error": slog.LevelError}
}

// logs shows the last lines of the log, the newest first.
func (s *Site) logs(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r, "level", "text") {
		return
	}
	v := &logsView{frame: s.frame("Log", "/system"), Level: "info", Kept: logs.Most}
	v.Text = strings.TrimSpace(r.URL.Query().Get("text"))
	if level := r.URL.Query().Get("level"); level != "" {
		v.Level = level
	}
	lowest, ok := levels()[v.Level]
	if !ok {
		s.say(w, http.StatusBadRequest, "This address cannot be read", "level: want debug, info, warn or error.")
		return
	}
	v.Lines = s.o.Logs.Lines(logs.Query{Level: lowest, Text: v.Text, Limit: pageLines + 1})
	if v.Full = len(v.Lines) > pageLines; v.Full {
		v.Lines = v.Lines[1:]
	}
	slices.Reverse(v.Lines)
	s.render(w, http.StatusOK, v)
}

// Levels lists the words of the levels, the lowest first.
func (v *logsView) Levels() []string { return []string{"debug", "info", "warn", "error"} }

// JSON returns the address of all lines that match.
func (v *logsView) JSON() string {
	q := url.Values{"level": {v.Level}, "limit": {"1000"}}
	if v.Text != "" {
		q.Set("text", v.Text)
	}
	return "/api/v1/logs?" + q.Encode()
}

// logTone returns the tone of a line of the log.
func logTone(level string) string {
	switch {
	case strings.HasPrefix(level, "ERROR"):
		return bad
	case strings.HasPrefix(level, "WARN"):
		return warn
	default:
		return calm
	}
}
