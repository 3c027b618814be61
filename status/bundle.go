package status

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"noi-agent/status/api"
	"noi-agent/status/bundle"
	"noi-agent/status/logs"
)

// serveBundle sends a zip file for remote support.
func (s *Server) serveBundle(w http.ResponseWriter, r *http.Request) {
	if _, err := readQuery(r.URL.RawQuery); err != nil {
		fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	state := s.o.Reporter.Status()
	now := s.o.Now().UTC()
	out := s.stream(w)
	defer out.stop()
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="noi-bundle-%s-%s.zip"`, state.DeviceID,
		now.Format("20060102")))
	if err := bundle.Write(out, now, s.o.Files, s.bundleParts(&state, r)); err != nil {
		s.o.Logger.Warn("support bundle stopped", "error", err)
		panic(http.ErrAbortHandler) // half a zip file must not look complete
	}
}

// bundleParts returns the parts of the bundle that are not files of the gateway.
func (s *Server) bundleParts(state *api.Status, r *http.Request) []bundle.Part {
	parts := []bundle.Part{
		{Name: "version.json", Make: func() ([]byte, error) {
			return encode(api.Build{Version: state.Version, Go: runtime.Version(),
				Platform: runtime.GOOS + "/" + runtime.GOARCH, DeviceID: state.DeviceID,
				StartedAt: state.StartedAt, UptimeS: state.UptimeS, Run: s.o.Run})
		}},
		{Name: "status.json", Make: func() ([]byte, error) { return encode(state) }},
		{Name: "lines.json", Make: func() ([]byte, error) { return encode(state.Lines) }},
		{Name: "objects.json", Make: func() ([]byte, error) { return encode(s.o.Reporter.Objects()) }},
		{Name: "log.txt", Make: func() ([]byte, error) { return logText(s.o.Logs), nil }},
	}
	if s.o.LineFaults != nil {
		parts = append(parts, bundle.Part{Name: "line-faults.json", Make: func() ([]byte, error) {
			return encode(s.o.LineFaults())
		}})
	}
	if s.o.Metrics != nil {
		parts = append(parts, bundle.Part{Name: "metrics.txt", Make: func() ([]byte, error) {
			var page pageWriter
			request := r.Clone(r.Context())
			request.Header = http.Header{} // as plain text, not compressed
			s.o.Metrics.ServeHTTP(&page, request)
			return page.body.Bytes(), nil
		}})
	}
	return parts
}

// logText is the log as a file.
func logText(ring *logs.Ring) []byte {
	var b strings.Builder
	for _, l := range ring.Lines(logs.Query{Level: logs.Everything}) {
		fmt.Fprintf(&b, "%s %s %s\n", l.Time.Format(time.RFC3339Nano), l.Level, l.Text)
	}
	return []byte(b.String())
}

// pageWriter keeps the answer of one of our handlers.
type pageWriter struct {
	header http.Header
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (p *pageWriter) Header() http.Header {
	if p.header == nil {
		p.header = http.Header{}
	}
	return p.header
}

// Write implements http.ResponseWriter.
func (p *pageWriter) Write(b []byte) (int, error) { return p.body.Write(b) }

// WriteHeader implements http.ResponseWriter.
func (p *pageWriter) WriteHeader(int) {}
