package status

import (
	"context"
	"fmt"
	"mime"
	"net"
	"net/http"
	"strings"

	"noi-agent/status/api"
	"noi-agent/status/guard"
)

// policy allows the pages to load their own scripts, styles and pictures, and to send requests to this endpoint, and
// nothing else. If a hostile text ever passes the escaping, it can run no inline script and send nothing to other
// servers.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// headers are on every answer.
var headers = [...][2]string{
	{"Content-Security-Policy", policy},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "same-origin"}, // no-referrer would make the Origin of our own forms null
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cache-Control", "no-store"},
}

// guard sets the headers every answer carries. It refuses requests with a foreign host name, requests that a browser
// sends for another site, and bodies of a wrong type.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, h := range headers {
			w.Header().Set(h[0], h[1])
		}
		if !s.flights.start() {
			fail(w, r, http.StatusServiceUnavailable, "the agent is shutting down")
			return
		}
		defer s.flights.wg.Done()
		defer guard.Use(r.Context())()
		if why := s.refusal(r); why != nil {
			s.o.Logger.Debug("status request refused", "reason", why.Detail, "path", r.URL.Path)
			failWith(w, r, why)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, mostBody)
		next.ServeHTTP(w, r)
	})
}

// mostBody is the most bytes of a body. Handlers may allow less.
const mostBody = 64 << 10

// refusal returns why r may not pass, nil when it may.
func (s *Server) refusal(r *http.Request) *api.Error {
	if !s.knownHost(r) {
		return unknownHost(r, s.place.url())
	}
	if err := s.origins.Refuses(r); err != nil {
		return api.NewError(http.StatusForbidden, err.Error(), "")
	}
	return wrongBody(r)
}

// unknownHost is the answer to a request under a foreign host name. url is an address of the endpoint.
func unknownHost(r *http.Request, url string) *api.Error {
	return api.NewError(http.StatusMisdirectedRequest, fmt.Sprintf(
		"You asked for this page as %q. To stop attacks by forged names the agent answers only to names it knows: "+
			"add it to `status.hosts`, or use %s.", r.Host, url), "")
}

func (s *Server) knownHost(r *http.Request) bool {
	if overSocket(r) {
		return s.hosts.AllowsOnSocket(r.Host)
	}
	return s.hosts.Allows(r.Host)
}

// wrongBody refuses a body of a wrong type for its address. JSON is the only type that a form of another site cannot
// send.
func wrongBody(r *http.Request) *api.Error {
	if r.ContentLength == 0 || r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	want := "application/x-www-form-urlencoded"
	if strings.HasPrefix(r.URL.Path, "/api/") {
		want = typeJSON
	}
	if got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && got == want {
		return nil
	}
	return api.NewError(http.StatusUnsupportedMediaType,
		fmt.Sprintf("the content type is %q, and only %s is read here", r.Header.Get("Content-Type"), want),
		"send the header Content-Type: "+want)
}

// scarcely allows a few requests at once to read much of the store. One more waits a moment for a free place.
func (s *Server) scarcely(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		turn, cancel := context.WithTimeout(r.Context(), s.limits.queue)
		defer cancel()
		select {
		case s.scarce <- struct{}{}:
			defer func() { <-s.scarce }()
			next(w, r)
		case <-turn.Done():
			busy := api.NewError(http.StatusServiceUnavailable, "too much is read from the store at once", "")
			busy.RetryAfterS = 5
			failWith(w, r, busy)
		}
	}
}

// overSocket reports whether a request comes over the unix socket, whose file mode decides who may connect.
func overSocket(r *http.Request) bool {
	_, ok := r.Context().Value(http.LocalAddrContextKey).(*net.UnixAddr)
	return ok
}
