package status

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"noi-agent/status/api"
	"noi-agent/status/logs"
)

// serveLogs answers with the last lines of the log.
func (s *Server) serveLogs(w http.ResponseWriter, r *http.Request) {
	q, err := parseLogs(r.URL.RawQuery)
	if err != nil {
		fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	last := s.o.Logs.Last() // before the lines: a client that asks for the lines after it misses none
	sendJSON(w, r, api.Logs{Last: last, Lines: s.o.Logs.Lines(q)})
}

// parseLogs reads a raw query as strictly as parseQuery.
func parseLogs(raw string) (logs.Query, error) {
	q := logs.Query{Level: logs.Everything, Limit: defaultRows}
	values, err := readQuery(raw, "level", "text", "limit", "after")
	if err != nil {
		return q, err
	}
	q.Text = values["text"]
	if text := values["level"]; text != "" {
		if q.Level, err = parseLevel(text); err != nil {
			return q, err
		}
	}
	if text := values["after"]; text != "" {
		if q.After, err = strconv.ParseUint(text, 10, 64); err != nil {
			return q, fmt.Errorf("parameter %q: want the number of a line, not %q", "after", text)
		}
	}
	if text := values["limit"]; text != "" {
		q.Limit, err = strconv.Atoi(text)
		if err != nil || q.Limit < 1 || q.Limit > logs.Most {
			return q, fmt.Errorf("parameter %q: want a number of lines from 1 to %d, not %q", "limit", logs.Most, text)
		}
	}
	return q, nil
}

// parseLevel reads the lowest level that is wanted.
func parseLevel(text string) (slog.Level, error) {
	switch text {
	case "debug":
		return logs.Everything, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("parameter %q: want debug, info, warn or error, not %q", "level", text)
}
