// Package logs keeps the last lines of the log in memory, for the page and for a support bundle. Lines below the level
// of the log are not kept.
package logs

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"noi-agent/objects"
	"noi-agent/status/api"
)

const (
	// Most is the most lines that are kept.
	Most = 1000
	// Everything is a level below all others.
	Everything = slog.Level(-1 << 10)
	// mostText is the most bytes of a line, so that a thousand lines take about 1 MB at most.
	mostText = 1024
)

// Ring keeps the last lines of the log. The zero Ring is ready for use. Its methods may be called from any goroutine.
type Ring struct {
	mu    sync.Mutex
	lines []line // line n is at (n-1)%Most
	n     uint64 // number of the newest line; 0: there is none
	text  bytes.Buffer
}

type line struct {
	at    time.Time
	level slog.Level
	text  string
}

// Query selects lines of the log.
type Query struct {
	After uint64     // only lines with a greater number
	Level slog.Level // only lines of this level and above; zero: INFO
	Text  string     // only lines with this text, in upper or lower case; "": all
	Limit int        // the most lines, the newest of those that match; 0: no limit
}

// Lines returns the lines that match, the oldest first. A nil Ring has no lines.
func (r *Ring) Lines(q Query) []api.LogLine {
	if r == nil {
		return []api.LogLine{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	out, want := []api.LogLine{}, strings.ToLower(q.Text)
	for n := r.n; n > q.After && n > 0 && r.n-n < Most && (q.Limit == 0 || len(out) < q.Limit); n-- {
		l := &r.lines[(n-1)%Most]
		if l.level < q.Level || want != "" && !strings.Contains(strings.ToLower(l.text), want) {
			continue
		}
		out = append(out, api.LogLine{N: n, Time: l.at.UTC().Truncate(time.Millisecond), Level: l.level.String(),
			Text: l.text})
	}
	slices.Reverse(out)
	return out
}

// Last returns the number of the newest line; 0 if there is none.
func (r *Ring) Last() uint64 {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// keep adds a record. The handler text writes the attributes of the record into r.text.
func (r *Ring) keep(ctx context.Context, text slog.Handler, record slog.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.Reset()
	_ = text.Handle(ctx, record) // a buffer takes everything
	l := line{record.Time, record.Level, clean(record.Message + " " + r.text.String())}
	if len(r.lines) < Most {
		r.lines = append(r.lines, l)
	} else {
		r.lines[r.n%Most] = l
	}
	r.n++
}

// clean cuts a text after mostText bytes. It escapes characters that could move the cursor of a terminal or change the
// order of letters.
func clean(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > mostText {
		text = strings.ToValidUTF8(text[:mostText], "") + "…"
	}
	if strings.IndexFunc(text, unsafe) < 0 && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for _, c := range text {
		if unsafe(c) {
			quoted := strconv.QuoteRuneToASCII(c)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}

// unsafe reports whether a character is a control character or a format character, such as those for bidirectional
// text.
func unsafe(c rune) bool { return unicode.IsControl(c) || unicode.Is(unicode.Cf, c) }

// Handler passes records to another handler, and also keeps them in a ring.
type Handler struct {
	ring *Ring
	text slog.Handler // writes the attributes into ring.text
	next slog.Handler
}

// NewHandler returns a handler that passes records to next, and keeps them in r. It is enabled for the levels of next.
func NewHandler(r *Ring, next slog.Handler) *Handler {
	text := slog.NewTextHandler(&r.text, &slog.HandlerOptions{Level: Everything,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
				return slog.Attr{}
			}
			return Readable(groups, a)
		}})
	return &Handler{r, text, next}
}

// Readable makes the log print durations as people write them: "10 min". It is a ReplaceAttr of slog.HandlerOptions.
func Readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(objects.Period(a.Value.Duration()))
	}
	return a
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	h.ring.keep(ctx, h.text, r)
	return h.next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{h.ring, h.text.WithAttrs(attrs), h.next.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{h.ring, h.text.WithGroup(name), h.next.WithGroup(name)}
}
