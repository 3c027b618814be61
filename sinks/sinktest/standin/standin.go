package standin

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// Message is one message as a cloud took it.
type Message struct {
	Topic      string // ARN, or full topic name
	ID         string // the id the publisher got
	Body       []byte
	Attributes map[string]string
	Group      string // SNS FIFO: MessageGroupId; Pub/Sub: the ordering key
	Dedup      string // SNS FIFO: MessageDeduplicationId
}

// Request is one publish request, before it is answered. Its messages have no ID yet.
type Request struct {
	N           int // number of the request since the stand-in started, from 1
	Topic       string
	Messages    []Message
	BodyBytes   int    // size of the request's body when unpacked
	WireBytes   int    // size of the request's body as it came over the wire
	Compression string // "gzip", or "" for none (SNS: always)
}

// Fault is what goes wrong with a request. The zero Fault answers nothing wrong.
type Fault struct {
	Code string // error code: of SNS, or the name of a gRPC code ("PermissionDenied"); "" for no error
	Text string // its message
	// Status is the HTTP status beside Code; 0 is 400. SNS only.
	Status int
	// After is what the client is asked to wait before it comes again, in whole seconds: Retry-After, or
	// google.rpc.RetryInfo; 0 for nothing.
	After time.Duration
	// Only picks the messages that are at fault; nil picks the request as a whole. SNS fails those
	// entries and takes the others; Pub/Sub refuses a request that has such a message in it.
	Only func(Message) bool
	// Hang leaves the request without an answer until the client goes away.
	Hang bool
	// Drop cuts the connection in place of an answer. Pub/Sub says Unavailable instead, which is
	// what a client makes of it.
	Drop bool
	// Cut lets that many bytes of the answer through before Drop. SNS only.
	Cut int
	// Taken accepts the messages in spite of the fault: the request arrived, and only its answer is lost.
	Taken bool
}

// Always returns a fault function for every request.
func Always(f Fault) func(Request) *Fault {
	return func(Request) *Fault { return &f }
}

// SNSDenied is the refusal of a publisher without the right, worded as SNS words it.
func SNSDenied(arn string) Fault {
	return Fault{Status: 403, Code: "AuthorizationError",
		Text: "User: arn:aws:iam::123456789012:user/noi is not authorized to perform: SNS:Publish on resource: " +
			arn + " because no identity-based policy allows the SNS:Publish action"}
}

// SNSThrottled is the answer of SNS to a publisher over its quota.
func SNSThrottled() Fault { return Fault{Status: 400, Code: "Throttling", Text: "Rate exceeded"} }

// SNSInternal is a fault of SNS itself.
func SNSInternal() Fault {
	return Fault{Status: 500, Code: "InternalFailure",
		Text: "The request processing has failed because of an unknown error, exception or failure."}
}

// PubSubDenied is the refusal of a publisher without the right, worded as Pub/Sub words it.
func PubSubDenied() Fault {
	return Fault{Code: "PermissionDenied", Text: "User not authorized to perform this action."}
}

// PubSubThrottled is the answer of Pub/Sub to a publisher over its quota.
func PubSubThrottled() Fault {
	return Fault{Code: "ResourceExhausted",
		Text: "Quota exceeded for quota metric 'Regional publisher throughput, kB'."}
}

// desk is what both stand-ins have in common: the messages taken, and what is to go wrong.
type desk struct {
	onMessage func(Message)
	forget    bool

	mu       sync.Mutex // guards what follows
	fault    func(Request) *Fault
	requests []Request
	messages []Message
	taken    int // messages taken since the start, forgotten ones too
	seen     int // requests since the start
}

// SetFault asks f at each request what is to go wrong with it; nil from f, or for f, is nothing.
// f may be called from several goroutines.
func (d *desk) SetFault(f func(Request) *Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

// Messages returns the messages taken so far, in order; none when they are not kept.
func (d *desk) Messages() []Message {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Message(nil), d.messages...)
}

// Requests returns the publish requests seen so far, refused ones too; none when they are not kept.
func (d *desk) Requests() []Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Request(nil), d.requests...)
}

// Taken returns how many messages were taken since the start.
func (d *desk) Taken() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.taken
}

// open numbers a request and asks what is to go wrong with it; never nil.
func (d *desk) open(r Request) Fault {
	d.mu.Lock()
	d.seen++
	r.N = d.seen
	if !d.forget {
		d.requests = append(d.requests, r)
	}
	ask := d.fault
	d.mu.Unlock()
	if ask == nil {
		return Fault{}
	}
	if f := ask(r); f != nil {
		return *f
	}
	return Fault{}
}

// take keeps messages that have their ids, and calls the listener.
func (d *desk) take(msgs []Message) {
	d.mu.Lock()
	d.taken += len(msgs)
	if !d.forget {
		d.messages = append(d.messages, msgs...)
	}
	d.mu.Unlock()
	if d.onMessage == nil {
		return
	}
	for _, m := range msgs {
		d.onMessage(m)
	}
}

// listen opens addr, which has to be on loopback; "" is any free port of 127.0.0.1.
func listen(addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("stand-in address %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("stand-in address %q is not on loopback: other machines must not find it", addr)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for stand-in: %w", err)
	}
	return l, nil
}
