package pubsub

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"sync"
)

// Packer compresses the requests of all sinks that share it, one after the other. A gzip writer has 0.8 MB. gRPC's own
// compressor makes one for each request that is compressed at the same moment, and makes it again after the garbage
// collector has taken it. The zero Packer is ready; it may be used by several goroutines.
type Packer struct {
	mu     sync.Mutex // guards what follows
	writer *gzip.Writer
	packed bytes.Buffer
}

// mostPacked is how much room for a packed request is kept, in bytes: a request of 1,000 messages has some 10,000.
const mostPacked = 64 << 10

// Do writes body to w, compressed. It is part of grpc.Compressor.
func (p *Packer) Do(w io.Writer, body []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writer == nil {
		p.writer = gzip.NewWriter(&p.packed)
	}
	p.packed.Reset()
	p.writer.Reset(&p.packed)
	_, err := p.writer.Write(body)
	if err == nil {
		err = p.writer.Close()
	}
	if err == nil {
		_, err = w.Write(p.packed.Bytes()) // gRPC's buffer in memory; it takes room for each write
	}
	if p.packed.Cap() > mostPacked {
		p.packed = bytes.Buffer{}
	}
	if err != nil {
		return fmt.Errorf("compress a request: %w", err)
	}
	return nil
}

// Type is the name of the compression on the wire. It is part of grpc.Compressor.
func (*Packer) Type() string { return "gzip" }
