package status

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// handler returns the routes behind the guard. Each path is listed with its method and once bare, so that
// another method is 405 and not the 404 of what catches the rest.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for path, h := range map[string]http.HandlerFunc{
		"/{$}":             s.servePage,
		"/style.css":       s.serveStyle,
		"/api/v1/status":   s.serveStatus,
		"/api/v1/objects":  s.serveObjects,
		"/api/v1/triggers": s.serveTriggers,
		"/healthz":         health(s.o.Health.Healthy),
		"/readyz":          health(s.o.Health.Ready),
	} {
		mux.HandleFunc("GET "+path, h) // HEAD too
		mux.HandleFunc(path, refuseMethod)
	}
	if s.o.Metrics != nil {
		mux.Handle("GET /metrics", s.o.Metrics)
		mux.HandleFunc("/metrics", refuseMethod)
	}
	if s.o.Exporter != nil {
		mux.HandleFunc("GET /api/v1/export", s.serveExport)
		mux.HandleFunc("/api/v1/export", refuseMethod)
	}
	if s.o.Replayer != nil {
		mux.HandleFunc("POST /api/v1/replay", s.serveReplay)
		mux.HandleFunc("/api/v1/replay", refuseAllButPost)
	}
	if s.o.DeadLetters != nil {
		mux.HandleFunc("GET /api/v1/deadletters", s.serveDeadLetters)
		mux.HandleFunc("/api/v1/deadletters", refuseMethod)
		mux.HandleFunc("POST /api/v1/deadletters/retry", s.retryDeadLetters)
		mux.HandleFunc("/api/v1/deadletters/retry", refuseAllButPost)
		mux.HandleFunc("POST /api/v1/deadletters/drop", s.dropDeadLetters)
		mux.HandleFunc("/api/v1/deadletters/drop", refuseAllButPost)
	}
	if s.o.Control != nil {
		s.control(mux)
	}
	if s.o.Reader != nil {
		mux.HandleFunc("POST /api/v1/read", s.serveRead)
		mux.HandleFunc("/api/v1/read", refuseAllButPost)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, r, http.StatusNotFound, "nothing is at "+r.URL.Path)
	})
	return s.guard(mux)
}

func refuseMethod(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Allow", "GET, HEAD")
	fail(w, r, http.StatusMethodNotAllowed, "method "+r.Method+" is not allowed: this endpoint is read with GET")
}

func (s *Server) serveStatus(w http.ResponseWriter, r *http.Request) {
	sendJSON(w, r, s.o.Reporter.Status())
}

func (s *Server) serveObjects(w http.ResponseWriter, r *http.Request) {
	sendJSON(w, r, s.o.Reporter.Objects())
}

func (s *Server) serveTriggers(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r.URL.RawQuery, triggerParameters)
	if err != nil {
		fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	rows, err := s.o.TriggerLog.Triggers(q)
	if err != nil {
		fail(w, r, http.StatusInternalServerError, "read the trigger log: "+err.Error())
		return
	}
	sendJSON(w, r, rows)
}

// health answers a supervisor's or a script's question in one line.
func health(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := check(); err != nil {
			send(w, http.StatusServiceUnavailable, typeText, []byte(err.Error()+"\n"))
			return
		}
		send(w, http.StatusOK, typeText, []byte("ok\n"))
	}
}

// The content types we answer with.
const (
	typeText = "text/plain; charset=utf-8"
	typeJSON = "application/json"
	typeHTML = "text/html; charset=utf-8"
	typeCSS  = "text/css; charset=utf-8"
)

func sendJSON(w http.ResponseWriter, r *http.Request, v any) {
	body, err := encode(v)
	if err != nil {
		fail(w, r, http.StatusInternalServerError, "encode the answer: "+err.Error())
		return
	}
	send(w, http.StatusOK, typeJSON, body)
}

// encode returns v as JSON and a newline. Without HTML escapes: the messages in trigger rows read
// here as they went out.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// fail answers with an error: JSON under /api, where programs ask, text elsewhere.
func fail(w http.ResponseWriter, r *http.Request, code int, text string) {
	if !strings.HasPrefix(r.URL.Path, "/api/") {
		send(w, code, typeText, []byte(text+"\n"))
		return
	}
	body, _ := encode(map[string]string{"error": text}) // strings always encode
	send(w, code, typeJSON, body)
}

// send writes an answer that is complete. A client that went away is its own business.
func send(w http.ResponseWriter, code int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	_, _ = w.Write(body)
}
