package cli

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"

	"noi-agent/configs"
)

// logging is what the daemon logs with. Level and format may change at any time, and every logger that was made from Logger follows.
type logging struct {
	*slog.Logger
	level  slog.LevelVar
	asJSON atomic.Bool
}

// newLogging logs to w: stderr, which is the journal under systemd.
func newLogging(w io.Writer, c configs.Log) *logging {
	l := &logging{}
	l.set(c)
	options := &slog.HandlerOptions{Level: &l.level}
	l.Logger = slog.New(eitherFormat{&l.asJSON, slog.NewTextHandler(w, options), slog.NewJSONHandler(w, options)})
	return l
}

// set puts another configuration in force.
func (l *logging) set(c configs.Log) {
	l.level.Set(c.SlogLevel())
	l.asJSON.Store(c.Format == "json")
}

// eitherFormat hands each record to the handler of the format that is in force. It holds both, so that a logger derived before
// a change has its attributes and groups in the other format too.
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
