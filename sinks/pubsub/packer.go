package pubsub

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"sync"
)

// Packer compresses the requests of all sinks that share it, one after the other. A gzip writer has 0.8 MB. gRPC's
// own compressor makes one writer for each request that is compressed at the same moment, and makes new ones after
// the garbage collector has freed them. The zero Packer is ready. Several goroutines may use it.
type Packer struct {
	mu     sync.Mutex // guards writer
	writer *gzip.Writer
}

// Pack appends a request to room, compressed.
func (p *Packer) Pack(room, body request) request {
	p.mu.Lock()
	defer p.mu.Unlock()
	packed := bytes.NewBuffer(room)
	if p.writer == nil {
		p.writer = gzip.NewWriter(packed)
	}
	p.writer.Reset(packed)
	_, _ = p.writer.Write(body) // writing to a buffer never fails
	_ = p.writer.Close()
	return packed.Bytes()
}

// packed is gRPC's compressor for requests that Packer has already compressed. gRPC compresses a request after it has
// begun to send the header. The header would be sent during the compression, in its own segment.
type packed struct{}

// Do is part of grpc.Compressor. gRPC copies the body.
func (packed) Do(w io.Writer, body []byte) error {
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("hand over a request: %w", err)
	}
	return nil
}

// Type is the name of the compression on the wire. It is part of grpc.Compressor.
func (packed) Type() string { return "gzip" }
