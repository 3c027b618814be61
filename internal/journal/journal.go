package journal

import (
	"bytes"
	"context"
	"log/slog"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"

	"noi-agent/objects"
)

// Sender takes one entry; fields have the names of the journal. It fails when the journal cannot be reached.
type Sender func(message string, priority journal.Priority, fields map[string]string) error

// Connected reports whether stderr of this process is the journal: whether what it prints there ends up in the
// journal anyway.
func Connected() bool {
	is, err := journal.StderrIsJournalStream()
	return is && err == nil && journal.Enabled()
}

// Send is the system's journal.
func Send(message string, priority journal.Priority, fields map[string]string) error {
	return journal.Send(message, priority, fields)
}

// Handler is a slog.Handler. New makes one.
type Handler struct {
	send     Sender
	fallback slog.Handler // has the level, and takes what the journal does not
	attrs    []slog.Attr  // of With, their keys with the names of their groups
	group    string       // prefix of the keys that come: "" or "name."
}

// New returns a handler that sends to the journal what fallback is enabled for.
func New(send Sender, fallback slog.Handler) *Handler {
	return &Handler{send: send, fallback: fallback}
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.fallback.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	derived := *h
	derived.fallback = h.fallback.WithAttrs(attrs)
	derived.attrs = h.attrs[:len(h.attrs):len(h.attrs)]
	for _, a := range attrs {
		derived.attrs = append(derived.attrs, h.grouped(a))
	}
	return &derived
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	derived := *h
	derived.fallback = h.fallback.WithGroup(name)
	derived.group += name + "."
	return &derived
}

func (h *Handler) grouped(a slog.Attr) slog.Attr {
	return slog.Attr{Key: h.group + a.Key, Value: a.Value}
}

// Handle implements slog.Handler.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	attrs := h.attrs[:len(h.attrs):len(h.attrs)]
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, h.grouped(a))
		return true
	})
	fields := map[string]string{"SYSLOG_IDENTIFIER": "noi-agent"}
	for _, a := range attrs {
		fields[fieldName(a.Key)] = a.Value.Resolve().String()
	}
	if err := h.send(line(r.Message, attrs), priority(r.Level), fields); err != nil {
		return h.fallback.Handle(ctx, r)
	}
	return nil
}

// line is the message and its attributes, written as slog's text handler writes them.
func line(message string, attrs []slog.Attr) string {
	var b bytes.Buffer
	text := slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
			return slog.Attr{}
		}
		if a.Value.Kind() == slog.KindDuration {
			a.Value = slog.StringValue(objects.Period(a.Value.Duration()))
		}
		return a
	}})
	r := slog.Record{} // without a time
	r.AddAttrs(attrs...)
	_ = text.Handle(context.Background(), r) // a buffer takes everything
	return strings.TrimSpace(message + " " + b.String())
}

// fieldName is the key as the journal wants it: "unit_id" is NOI_UNIT_ID. Other characters than letters, digits and _
// become _.
func fieldName(key string) string {
	return "NOI_" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key)
}

func priority(level slog.Level) journal.Priority {
	switch {
	case level >= slog.LevelError:
		return journal.PriErr
	case level >= slog.LevelWarn:
		return journal.PriWarning
	case level >= slog.LevelInfo:
		return journal.PriInfo
	}
	return journal.PriDebug
}
