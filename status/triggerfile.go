package status

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"noi-agent/status/api"
)

// filePage is the most rows that are read at a time. Each page is one read transaction, so a slow client keeps no
// transaction open.
const filePage = 500

// rowWriter writes rows of the trigger log in one format.
type rowWriter interface {
	begin() error
	write(t *api.Trigger) error
	end() error // of one page
}

// serveTriggersCSV answers with all rows that match as CSV (RFC 4180), the newest first.
func (s *Server) serveTriggersCSV(w http.ResponseWriter, r *http.Request) {
	s.serveRows(w, r, "triggers.csv", typeCSV, func(out io.Writer) rowWriter {
		c := csv.NewWriter(out)
		c.UseCRLF = true
		return csvRows{c}
	})
}

// serveTriggersJSONL answers with all rows that match as JSON objects, one a line, as /api/v1/triggers has them.
func (s *Server) serveTriggersJSONL(w http.ResponseWriter, r *http.Request) {
	s.serveRows(w, r, "triggers.jsonl", typeJSONL, func(out io.Writer) rowWriter { return jsonRows{out} })
}

// serveRows streams rows. An error before the first piece becomes the answer. After the first piece, an error closes
// the connection, so that the client sees that the file is not complete.
func (s *Server) serveRows(w http.ResponseWriter, r *http.Request, name, contentType string,
	format func(io.Writer) rowWriter) {
	q, err := parseQuery(r.URL.RawQuery, filterParameters(), s.o.Now())
	if err != nil {
		fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	if r.Method == http.MethodHead {
		return
	}
	stream := s.stream(w)
	defer stream.stop()
	out := bufio.NewWriterSize(stream, exportBuffer)
	if err = s.copyRows(r, q, format(out)); err == nil {
		err = out.Flush()
	}
	switch {
	case err == nil:
	case !stream.begun:
		w.Header().Del("Content-Disposition")
		failOr(w, r, fmt.Errorf("read the trigger log: %w", err), http.StatusInternalServerError)
	default:
		s.o.Logger.Warn("download of the trigger log stopped", "error", err)
		panic(http.ErrAbortHandler)
	}
}

// copyRows reads the rows page by page, and writes them.
func (s *Server) copyRows(r *http.Request, q api.TriggerQuery, to rowWriter) error {
	q.Limit = filePage
	if err := to.begin(); err != nil {
		return err
	}
	for {
		page, err := s.o.TriggerLog.Triggers(q)
		if err != nil {
			return err
		}
		for i := range page.Triggers {
			if err := to.write(&page.Triggers[i]); err != nil {
				return err
			}
		}
		if err := to.end(); err != nil {
			return err
		}
		if page.Next == nil {
			return nil
		}
		if err := r.Context().Err(); err != nil {
			return err
		}
		q.Before = *page.Next
	}
}

type jsonRows struct{ out io.Writer }

func (j jsonRows) begin() error { return nil }
func (j jsonRows) end() error   { return nil }

func (j jsonRows) write(t *api.Trigger) error {
	line, err := encode(t)
	if err == nil {
		_, err = j.out.Write(line)
	}
	return err
}

type csvRows struct{ out *csv.Writer }

func (c csvRows) begin() error {
	return c.out.Write([]string{
		"id", "integration_id", "success", "state", "completed_at", "published_at", "sampled_at", "object", "data",
		"slave",
		"attempts", "message_id", "error", "topic", "replayed", "published_data",
	})
}

func (c csvRows) end() error {
	c.out.Flush()
	return c.out.Error()
}

func (c csvRows) write(t *api.Trigger) error {
	var m struct {
		PublishedAt string          `json:"published_at"`
		SampledAt   string          `json:"sampled_at"`
		Object      string          `json:"object"`
		Slave       string          `json:"slave"`
		Data        json.RawMessage `json:"data"`
	}
	_ = json.Unmarshal(t.PublishedData, &m) // a row about a gap has none
	data := string(t.PublishedData)
	if t.Gap != nil {
		m.Object, data = t.Gap.Object, ""
	}
	row := []string{
		strconv.FormatUint(t.ID, 10), t.IntegrationID, strconv.FormatBool(t.Success), t.State, t.CompletedAt,
		m.PublishedAt,
		m.SampledAt, m.Object, cell(m.Data), m.Slave, strconv.Itoa(t.Attempts), t.IntegrationData.MessageID,
		t.IntegrationData.Error, t.Topic, strconv.FormatBool(t.Replayed), data,
	}
	for i := range row {
		row[i] = inert(row[i])
	}
	return c.out.Write(row)
}

// cell returns a value for a cell of the table: a string without its quotes, everything else as JSON.
func cell(data json.RawMessage) string {
	var text string
	if json.Unmarshal(data, &text) == nil {
		return text
	}
	return string(data)
}

// inert puts a ' before a text that a spreadsheet would run as a formula. A number is returned unchanged.
func inert(text string) string {
	if text == "" || !strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return text
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return text
	}
	return "'" + text
}
