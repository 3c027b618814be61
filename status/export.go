package status

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"noi-agent/store"
)

// Exporter writes the samples of the outbox.
type Exporter interface {
	// Export writes the samples of a range in one of Formats, and returns the number of samples, and the number of
	// unreadable records. It ends with ctx's error, the store's, or w's.
	Export(ctx context.Context, r store.Range, format string, w io.Writer) (samples, damaged uint64, err error)
}

// Formats lists the formats of an export. The first one is the default.
func Formats() []string { return []string{"jsonl", "csv"} }

const (
	typeJSONL = "application/jsonl"
	typeCSV   = "text/csv; charset=utf-8"

	// HeaderSamples and HeaderDamaged are trailers after an export: the number of its samples, and the number of
	// unreadable records.
	HeaderSamples = "Noi-Samples"
	HeaderDamaged = "Noi-Damaged-Records"

	// exportBuffer is the number of bytes in one write, which a client must take within limits.write.
	exportBuffer = 32 << 10
)

// serveExport streams the outbox. An error before the first piece becomes the answer. After the first piece, an error
// closes the connection, so that the client sees that the export is not complete.
func (s *Server) serveExport(w http.ResponseWriter, r *http.Request) {
	q, err := parseExport(r.URL.RawQuery, s.o.Now())
	if err != nil {
		fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	contentType := typeJSONL
	if q.format == "csv" {
		contentType = typeCSV
	}
	w.Header().Set("Content-Type", contentType)
	if r.Method == http.MethodHead {
		return
	}
	w.Header().Set("Trailer", HeaderSamples+", "+HeaderDamaged)
	stream := s.stream(w)
	defer stream.stop()
	out := bufio.NewWriterSize(stream, exportBuffer)
	samples, damaged, err := s.o.Exporter.Export(r.Context(), q.r, q.format, out)
	if err == nil {
		err = out.Flush()
	}
	switch {
	case err == nil:
		w.Header().Set(HeaderSamples, strconv.FormatUint(samples, 10))
		w.Header().Set(HeaderDamaged, strconv.FormatUint(damaged, 10))
	case !stream.begun:
		w.Header().Del("Trailer")
		fail(w, r, http.StatusInternalServerError, "export: "+err.Error())
	default:
		s.o.Logger.Warn("export stopped", "samples", samples, "error", err)
		panic(http.ErrAbortHandler)
	}
}

// stream writes an answer that may take any time. Each piece of the answer has a time limit. The whole answer has none.
type stream struct {
	w     http.ResponseWriter
	late  *time.Timer
	limit time.Duration
	begun bool
}

// longAgo returns a deadline that has passed.
func longAgo() time.Time { return time.Unix(1, 0) }

// stream returns a stream to w. It removes the time limit that whole answers have.
func (s *Server) stream(w http.ResponseWriter) *stream {
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Time{}) // a writer without deadlines has no limit
	late := time.AfterFunc(s.limits.write, func() { _ = c.SetWriteDeadline(longAgo()) })
	late.Stop()
	return &stream{w: w, late: late, limit: s.limits.write}
}

// Write sends a piece at once. It fails if the client does not accept the piece within the limit.
func (o *stream) Write(p []byte) (int, error) {
	o.begun = true
	o.late.Reset(o.limit)
	defer o.late.Stop()
	n, err := o.w.Write(p)
	if err == nil {
		err = http.NewResponseController(o.w).Flush()
	}
	return n, err
}

func (o *stream) stop() { o.late.Stop() }

// exportQuery is the query of an export.
type exportQuery struct {
	r      store.Range
	format string
}

// parseExport reads a raw query as strictly as parseQuery.
func parseExport(raw string, now time.Time) (exportQuery, error) {
	q := exportQuery{format: Formats()[0]}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, errors.New("the query cannot be read: write name=value, joined by &")
	}
	for name, given := range values {
		if len(given) > 1 {
			return q, fmt.Errorf("parameter %q is given %d times: give it once", name, len(given))
		}
		switch name {
		case "from", "to":
		case "format":
			if q.format = given[0]; q.format != "jsonl" && q.format != "csv" {
				return q, fmt.Errorf(`parameter "format": want jsonl or csv, not %q`, given[0])
			}
		default:
			return q, fmt.Errorf("unknown parameter %q: allowed: from, to, format", name)
		}
	}
	q.r, err = ParseRange(values.Get("from"), values.Get("to"), now)
	return q, err
}

// ParseRange reads the two ends of a range as people write them. An end is one of:
//
//   - an RFC 3339 time
//   - "2022-06-28 03:20", or the same with seconds, in the zone of now; with seconds also with an offset, such as
//     "2022-06-28 03:20:37 +02:00"
//   - a date, which means its beginning in UTC
//   - an age, such as "24h", which is counted back from now
//   - "", which means that this end is open
func ParseRange(from, to string, now time.Time) (r store.Range, err error) {
	if r.From, err = parseTime(from, now); err != nil {
		return r, fmt.Errorf("from: %w", err)
	}
	if r.To, err = parseTime(to, now); err != nil {
		return r, fmt.Errorf("to: %w", err)
	}
	if !r.To.IsZero() && !r.From.Before(r.To) {
		return r, fmt.Errorf("from %s is not before to %s", r.From.Format(time.RFC3339), r.To.Format(time.RFC3339))
	}
	return r, nil
}

func parseTime(text string, now time.Time) (time.Time, error) {
	t, ok := timeOf(text, now)
	if !ok {
		return time.Time{}, fmt.Errorf("%s, not %q", wantTime, text)
	}
	return t, nil
}

// wantTime lists the ways to write a time, for errors.
const wantTime = "want a time as 2022-06-28T08:20:29Z or \"2022-06-28 03:20\" (local), a date as 2022-06-28, or how " +
	"long ago as 24h"

// timeOf reads one end of a range; false if the text is no time.
func timeOf(text string, now time.Time) (t time.Time, ok bool) {
	if text == "" {
		return time.Time{}, true
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	for _, layout := range []string{"2006-01-02 15:04:05 -07:00", time.DateTime, "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t.UTC(), true
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago).UTC(), true
	}
	return time.Time{}, false
}
