package status

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"noi-agent/status/api"
)

// errPlainHTTP ends a connection whose client does not speak TLS. net/http logs it as the end of the handshake.
var errPlainHTTP = errors.New("the client spoke HTTP, and got the https:// address")

// plainListener stands below TLS. It answers clients that speak plain HTTP, because otherwise they get no readable
// answer from TLS.
type plainListener struct {
	net.Listener
	answer func(request []byte, c net.Conn)
}

// Accept implements net.Listener.
func (l plainListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &plainConn{Conn: c, answer: l.answer}, nil
}

// plainConn looks at the first byte that the client sends. The read happens in the handshake, so its time is limited.
type plainConn struct {
	net.Conn
	answer func(request []byte, c net.Conn)
	looked bool
}

// Read implements net.Conn.
func (c *plainConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.looked || n == 0 {
		return n, err
	}
	c.looked = true
	// HTTP begins with the letters of a method; a record of TLS begins with its type, 0x16 (RFC 8446 §5.1).
	if p[0] < 'A' || p[0] > 'Z' {
		return n, err
	}
	c.answer(p[:n], c.Conn)
	return 0, errPlainHTTP
}

// answerPlain answers one request in plain HTTP: it sends a browser to the same address with https://, under the names
// that the endpoint knows, and refuses everything else.
func answerPlain(s *Server, begun []byte, c net.Conn) {
	rest := io.MultiReader(bytes.NewReader(begun), c)
	r, err := http.ReadRequest(bufio.NewReader(io.LimitReader(rest, int64(s.limits.headerBytes))))
	if err != nil {
		return
	}
	out := &plainAnswer{header: http.Header{}, status: http.StatusOK}
	for _, h := range headers {
		out.Header().Set(h[0], h[1])
	}
	to := url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	switch {
	case !s.knownHost(r):
		failWith(out, r, unknownHost(r, s.place.url()))
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		out.Header().Set("Location", to.String())
		send(out, http.StatusTemporaryRedirect, typeText,
			fmt.Appendf(nil, "This address needs HTTPS. Use %s\n", to.String()))
	default:
		failWith(out, r, api.NewError(http.StatusBadRequest,
			"This address needs HTTPS, and the request came without. Nothing was changed.", "use "+to.String()))
	}
	answer := http.Response{
		ProtoMajor: 1, ProtoMinor: 1, StatusCode: out.status, Header: out.header, Request: r, Close: true,
		ContentLength: int64(out.body.Len()), Body: io.NopCloser(&out.body),
	}
	_ = answer.Write(c) // it fails when the client has gone
}

// plainAnswer keeps one short answer.
type plainAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *plainAnswer) Header() http.Header { return a.header }

func (a *plainAnswer) WriteHeader(status int) { a.status = status }

func (a *plainAnswer) Write(p []byte) (int, error) { return a.body.Write(p) }
