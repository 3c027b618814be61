package sns

import (
	"bytes"
	"io"
	"sync/atomic"

	"noi-agent/sinks"
)

// body is the body of a request that is made after the pattern. Its memory is used again once nobody reads it.
type body struct {
	bytes.Reader
	form   []byte
	closed atomic.Bool // the transport has closed it: the transport does this once it reads no more
	copied atomic.Bool // the transport has sent the request again, with a second reader
}

// bodyOf is the body of a request of msgs.
func (s *Sink) bodyOf(msgs []sinks.Message) *body {
	var room []byte
	if kept, ok := s.forms.Get().(*[]byte); ok {
		room = *kept
	}
	b := &body{form: s.formOf(room, msgs)}
	b.Reset(b.form)
	return b
}

// Close is part of io.Closer.
func (b *body) Close() error {
	b.closed.Store(true)
	return nil
}

// again is http.Request.GetBody.
func (b *body) again() (io.ReadCloser, error) {
	b.copied.Store(true)
	return io.NopCloser(bytes.NewReader(b.form)), nil
}

// mostRoom is how much room is kept for a form, in bytes: one of ten messages has some 5,000.
const mostRoom = 16 << 10

// reuse keeps the memory of a body for the next request. A service may answer before it has read the body: then the
// transport may still read it.
func (s *Sink) reuse(b *body) {
	if b.closed.Load() && !b.copied.Load() && cap(b.form) <= mostRoom {
		form := b.form // not its place in b, which the transport may still have
		s.forms.Put(&form)
	}
}
