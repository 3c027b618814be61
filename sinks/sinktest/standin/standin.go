package standin

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// Message is one message as a cloud has accepted it.
type Message struct {
	Topic      string // ARN, or full topic name
	ID         string // the id that the publisher got
	Body       []byte
	Attributes map[string]string
	Group      string // SNS FIFO: MessageGroupId; Pub/Sub: the ordering key
	Dedup      string // SNS FIFO: MessageDeduplicationId
}

// Request is one publish request before its answer. Its messages have no ID yet.
type Request struct {
	N           int // number of the request since the stand-in started, from 1
	Topic       string
	Messages    []Message
	BodyBytes   int    // size of the decompressed body
	WireBytes   int    // size of the body on the wire
	Compression string // "gzip", or "" for none (SNS: always)
}

// Fault is the fault in the answer to a request. The zero Fault means a correct answer.
type Fault struct {
	Code string // error code: of SNS, or the name of a gRPC code ("PermissionDenied"); "" for no error
	Text string // its message
	// Status is the HTTP status of Code; 0 is 400. SNS only.
	Status int
	// After is the wait that the answer requests, in whole seconds: Retry-After, or google.rpc.RetryInfo; 0: none.
	After time.Duration
	// Only selects the messages with the fault; nil: the whole request. SNS fails only these entries and accepts the
	// others. Pub/Sub refuses a request with such a message.
	Only func(Message) bool
	// Hang leaves the request without an answer until the client closes.
	Hang bool
	// Drop closes the connection instead of an answer. Pub/Sub answers Unavailable instead, which a client reports
	// for a closed connection too.
	Drop bool
	// Cut sends so many bytes of the answer before Drop. SNS only.
	Cut int
	// Taken accepts the messages in spite of the fault: the request arrived, and only its answer is lost.
	Taken bool
}

// Always returns a function that gives every request this fault.
func Always(f Fault) func(Request) *Fault {
	return func(Request) *Fault { return &f }
}

// SNSDenied is the refusal of a publisher without permission, in the words of SNS.
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

// PubSubDenied is the refusal of a publisher without permission, in the words of Pub/Sub.
func PubSubDenied() Fault {
	return Fault{Code: "PermissionDenied", Text: "User not authorized to perform this action."}
}

// PubSubThrottled is the answer of Pub/Sub to a publisher over its quota.
func PubSubThrottled() Fault {
	return Fault{Code: "ResourceExhausted",
		Text: "Quota exceeded for quota metric 'Regional publisher throughput, kB'."}
}

// desk is the common part of both stand-ins: the accepted messages, and the faults.
type desk struct {
	onMessage func(Message)
	forget    bool

	mu       sync.Mutex // guards the fields below
	fault    func(Request) *Fault
	requests []Request
	messages []Message
	taken    int // messages accepted since the start, including those not kept
	seen     int // requests since the start
}

// SetFault calls f for each request to get its fault. nil from f, or for f, means none. Several goroutines may call
// f.
func (d *desk) SetFault(f func(Request) *Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

// Messages returns the accepted messages so far, in order; none if they are not kept.
func (d *desk) Messages() []Message {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Message(nil), d.messages...)
}

// Requests returns the publish requests so far, including refused ones; none if they are not kept.
func (d *desk) Requests() []Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Request(nil), d.requests...)
}

// Taken returns the number of messages accepted since the start.
func (d *desk) Taken() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.taken
}

// open numbers a request and returns its fault; never nil.
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

// take keeps messages with their ids, and calls the listener.
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

// listen opens addr, which must be on loopback; "" is any free port of 127.0.0.1.
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
