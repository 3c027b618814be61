package sinks

import (
	"fmt"
	"io"
	"net"
)

// MaxAnswer is the most bytes that are read from one answer of a cloud, a token service or a metadata service. The
// largest useful answer, a thousand message ids of Pub/Sub, has about 40,000 bytes.
const MaxAnswer = 256 << 10

// MaxHeader is the most bytes that are read of an answer's headers.
const MaxHeader = 64 << 10

// tooLong is the error of an answer that is longer than this limit, in bytes.
type tooLong int64

// Error returns the limit in a text.
func (e tooLong) Error() string {
	return fmt.Sprintf("the answer has more than %d bytes: this is no answer of a cloud (a captive portal?)", int64(e))
}

// Bound returns a reader of r that fails after most bytes. io.LimitReader would end there without an error.
func Bound(r io.Reader, most int64) io.Reader { return &bounded{r: r, left: most, most: most} }

type bounded struct {
	r          io.Reader
	left, most int64
}

// Read is part of io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, tooLong(b.most)
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// BoundBody returns an answer's body that fails after MaxAnswer bytes.
func BoundBody(body io.ReadCloser) io.ReadCloser {
	return struct {
		io.Reader
		io.Closer
	}{Bound(body, MaxAnswer), body}
}

// boundConn is a connection with a limit for the bytes that are read. It is for clients that give no access to their
// answers, and that send one request per connection.
type boundConn struct {
	net.Conn
	r io.Reader
}

// Read is part of net.Conn.
func (c *boundConn) Read(p []byte) (int, error) { return c.r.Read(p) }
