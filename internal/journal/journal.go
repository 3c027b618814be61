package journal

import (
	"bytes"
	"context"
	"log/slog"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"

	"noi-agent/objects"
)

// Sender sends one entry to the journal. The keys of fields are names of the journal, such as NOI_LINE. It fails if the
// journal does not accept the entry.
type Sender func(message string, priority journal.Priority, fields map[string]string) error

// Connected reports whether stderr of this process is connected to the journal, and the journal can be used.
func Connected() bool {
	is, err := journal.StderrIsJournalStream()
	return is && err == nil && journal.Enabled()
}

// Send is the Sender for the journal of the system.
func Send(message string, priority journal.Priority, fields map[string]string) error {
	return journal.Send(message, priority, fields)
}

// Handler is a slog.Handler. New makes one.
type Handler struct {
	send     Sender
	fallback slog.Handler // decides which levels are enabled, and handles records that the journal does not accept
	attrs    []slog.Attr  // attributes of WithAttrs; the keys have the names of their groups
	group    string       // prefix for the keys of later attributes: "" or "name."
}

// New returns a handler for all records that fallback is enabled for. It sends them with send. If send fails, the
// record goes to fallback.
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

// line returns the message with its attributes, in the format of slog's text handler. A duration is short, as in 5m.
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
	_ = text.Handle(context.Background(), r) // writing to a buffer does not fail
	return strings.TrimSpace(message + " " + b.String())
}

// fieldName returns the field name for a key: NOI_UNIT_ID for "unit_id". Each character that is not a letter, a digit
// or _ becomes _.
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
