package cli

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync/atomic"

	"noi-agent/configs"
	"noi-agent/internal/journal"
	"noi-agent/status/logs"
)

// logging is the log of the daemon. Level and format may change at any time. The change applies to every logger that
// was made from Logger.
type logging struct {
	*slog.Logger
	level  slog.LevelVar
	asJSON atomic.Bool
	ring   logs.Ring // the last lines
}

// newLogging returns a log that writes to w. If w is stderr, and stderr is systemd's journal, the text format becomes
// journal entries with priority and fields.
func newLogging(w io.Writer, c configs.Log) *logging {
	l := &logging{}
	l.set(c)
	options := &slog.HandlerOptions{Level: &l.level}
	var text slog.Handler = slog.NewTextHandler(w, &slog.HandlerOptions{Level: &l.level, ReplaceAttr: logs.Readable})
	if w == os.Stderr && journal.Connected() {
		text = journal.New(journal.Send, text)
	}
	l.Logger = slog.New(logs.NewHandler(&l.ring, eitherFormat{&l.asJSON, text, slog.NewJSONHandler(w, options)}))
	return l
}

// set applies another configuration.
func (l *logging) set(c configs.Log) {
	l.level.Set(c.SlogLevel())
	l.asJSON.Store(c.Format == "json")
}

// eitherFormat passes each record to the handler of the active format. It has a handler for each format, so that a
// logger that was made before a change keeps its attributes and groups.
type eitherFormat struct {
	asJSON     *atomic.Bool
	text, json slog.Handler
}

func (f eitherFormat) current() slog.Handler {
	if f.asJSON.Load() {
		return f.json
	}
	return f.text
}

// Enabled implements slog.Handler.
func (f eitherFormat) Enabled(ctx context.Context, level slog.Level) bool {
	return f.current().Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (f eitherFormat) Handle(ctx context.Context, r slog.Record) error {
	return f.current().Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (f eitherFormat) WithAttrs(attrs []slog.Attr) slog.Handler {
	return eitherFormat{f.asJSON, f.text.WithAttrs(attrs), f.json.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (f eitherFormat) WithGroup(name string) slog.Handler {
	return eitherFormat{f.asJSON, f.text.WithGroup(name), f.json.WithGroup(name)}
}
