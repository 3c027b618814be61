package pubsub

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"

	"noi-agent/sinks"
)

// Limits of a publish request (Pub/Sub quotas and limits, "Resource limits": 1,000 messages, 10 MB). A window stays a
// megabyte below, because each message needs a few bytes of framing, and the service does not document how it counts
// them. A single message may use everything except one kilobyte for the topic's name.
const (
	maxMessages = 1000
	maxBytes    = 9_000_000
	maxSingle   = 10_000_000 - 1024
)

// Requests smaller than this are not compressed, because gzip would make them larger. It is the threshold of
// pubsub.DefaultPublishSettings.
const packAbove = 240

// framing is the number of bytes that a message adds to its request in addition to its own size: a tag and a length.
const framing = 5

// defaultTimeout limits one Publish whose context has no earlier end.
const defaultTimeout = time.Minute

// Options are the topic, its credentials and the way to it.
type Options struct {
	ProjectID string // needed when Topic is bare; otherwise the topic's project counts
	Topic     string // projects/PROJECT/topics/NAME, or NAME alone
	// "": PUBSUB_EMULATOR_HOST, then Google's own; loopback and http:// are plaintext without credentials
	Endpoint        string
	CredentialsFile string        // any ADC JSON; "": GOOGLE_APPLICATION_CREDENTIALS, then gcloud's file
	Ordering        bool          // give each message an ordering key: device and order key; false: none
	Device          string        // device id; begins the ordering keys, since gateways share a topic
	CAFile          string        // PEM file of authorities to trust beside the system's; "": none
	Timeout         time.Duration // most that one Publish takes; 0: one minute

	Meter    *sinks.Meter  // counts the bytes at the sockets; nil: they are not counted
	Resolver *net.Resolver // looks names up; nil: the system's
	Logger   *slog.Logger  // nil: discard
	Packer   *Packer       // compresses the requests, shared with other sinks; nil: the sink has its own

	Now func() time.Time // wall time, which credentials end by; nil: time.Now
}

func (o Options) dialer() sinks.Dialer { return sinks.Dialer{Meter: o.Meter, Resolver: o.Resolver} }

// Sink publishes to one topic. Several goroutines may call Publish at once. The other methods are for one goroutine,
// while no Publish runs.
type Sink struct {
	o        Options
	topic    string // full name
	log      *slog.Logger
	sessions tls.ClientSessionCache // outlives connections, see dial

	// turn has one place. The goroutine that has it owns closed, conn, creds and who. It is a channel and not a mutex,
	// because tokens are requested meanwhile, and a Publish waits only until its context ends.
	turn   chan struct{}
	closed bool

	conn  *grpc.ClientConn // nil until connected, and again after a fault of the connection
	creds *tokens          // nil until found, and again after they were refused
	who   identity         // owner of the last credentials

	rooms sync.Pool // of *room: memory of requests that have ended

	learn    sync.Mutex      // guards refusals
	refusals *sinks.Refusals // the known refusals of the topic

	mu    sync.Mutex   // guards proxy: gRPC dials in a goroutine of its own
	proxy sinks.Result // the proxy's error at the last connection; zero: none
}

// New returns a sink for the topic. It fails only for a malformed topic: credentials and network are used at the first
// Publish.
func New(o Options) (*Sink, error) {
	name, err := topicName(o.ProjectID, o.Topic)
	if err != nil {
		return nil, err
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Packer == nil {
		o.Packer = new(Packer)
	}
	s := &Sink{o: o, topic: name, log: o.Logger, sessions: tls.NewLRUClientSessionCache(4),
		refusals: sinks.NewRefusals(), turn: make(chan struct{}, 1)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s, nil
}

// Window returns 1,000: the most messages a publish request has.
func (s *Sink) Window() int { return maxMessages }

// Flight allows several requests at once with ordering keys, because each request then has only one key. Without
// ordering keys, one request of a thousand messages fills a link.
func (s *Sink) Flight() sinks.Flight {
	return sinks.Flight{Several: s.o.Ordering, OneKey: s.o.Ordering}
}

// Close ends the connection. It is called after the last Publish has returned.
func (s *Sink) Close() error {
	s.closed = true
	s.hangUp()
	return nil
}

// Publish sends the longest prefix of msgs that fits one request and returns one result for each message sent; none
// when msgs is empty. It returns at the latest when ctx ends or Options.Timeout is over; messages in flight then get
// Retry.
func (s *Sink) Publish(ctx context.Context, msgs []sinks.Message) []sinks.Result {
	if len(msgs) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	conn, fault := s.connected(ctx)
	if conn == nil {
		return sinks.Repeat(fault, len(msgs))
	}
	for {
		selected := s.choose(msgs)
		r := s.room()
		fits := s.pack(r, msgs, selected.Send)
		if fits == 0 {
			first := selected.Send[0]
			if first > 0 { // the messages before it are set aside by the next call, with these alone
				msgs = msgs[:first]
				continue
			}
			text := fmt.Sprintf("message too long: %d bytes with its attributes, Pub/Sub takes %d",
				s.size(msgs[0]), maxSingle)
			return []sinks.Result{sinks.Failed(sinks.Reject, "InvalidArgument", text)}
		}
		selected = selected.First(fits)
		answers, whole := s.send(ctx, conn, r, fits)
		if results := s.learnt(msgs, selected, answers, whole); len(results) > 0 {
			return results
		}
	}
}

// choose selects the messages of the next request.
func (s *Sink) choose(msgs []sinks.Message) sinks.Selection {
	s.learn.Lock()
	defer s.learn.Unlock()
	return s.refusals.Select(msgs)
}

// learnt takes the answers to the chosen messages, and returns results; none if another try is needed.
func (s *Sink) learnt(msgs []sinks.Message, chosen sinks.Selection, answers []sinks.Result, whole bool) []sinks.Result {
	s.learn.Lock()
	defer s.learn.Unlock()
	return s.refusals.Settle(msgs, chosen, answers, whole)
}

// Refuses returns the kinds of messages that the topic refuses, in one line; "": none is known. Messages of these kinds
// are rejected without being sent, except one from time to time.
func (s *Sink) Refuses() string {
	s.learn.Lock()
	defer s.learn.Unlock()
	return s.refusals.Words()
}

// send makes one request of n messages. Pub/Sub always gives one answer for the whole request.
func (s *Sink) send(ctx context.Context, conn *grpc.ClientConn, r *room, n int) (results []sinks.Result, whole bool) {
	if conn.GetState() == connectivity.Shutdown { // another request has lost the connection
		return sinks.Repeat(sinks.Failed(sinks.Retry, "Unavailable", "the connection was lost"), n), true
	}
	out, err := s.publish(ctx, conn, r)
	s.done(r)
	if err != nil {
		fault := s.classify(ctx, err)
		s.giveUp(ctx, conn, fault)
		return sinks.Repeat(fault, n), true
	}
	return accepted(n, out.GetMessageIds()), false
}

// accepted gives each message its id. If an id is missing in the answer, it is not known whether the message arrived:
// it is sent again.
func accepted(n int, ids []string) []sinks.Result {
	results := sinks.Repeat(sinks.Failed(sinks.Retry, sinks.CodeNoResult,
		"the answer of Pub/Sub has no id for this message"), n)
	for i := range min(n, len(ids)) {
		results[i] = sinks.Taken(ids[i])
	}
	return results
}

// pack makes a request of the messages at the first of these places, as many as fit, and returns their number; 0 when
// the first message is too large for any request. All messages of a request must have the same ordering key (Pub/Sub
// RPC reference, PubsubMessage): with Options.Ordering the request ends where the key changes.
func (s *Sink) pack(r *room, msgs []sinks.Message, places []int) (fits int) {
	total, key := 0, ""
	for _, at := range places {
		n, next := s.size(msgs[at])+framing, s.key(msgs[at])
		first := fits == 0
		if n > maxSingle || !first && (total+n > maxBytes || next != key) || fits == maxMessages {
			break
		}
		key, total, fits = next, total+n, fits+1
	}
	r.plain = appendText(slices.Grow(r.plain[:0], total+len(s.topic)+framing), fieldTopic, s.topic)
	for _, at := range places[:fits] {
		r.plain = s.appendMessage(r.plain, msgs[at])
	}
	return fits
}

// room is the memory of a request.
type room struct {
	plain  request
	packed request // plain, compressed; not for a small request
}

// small reports whether the request is sent uncompressed.
func (r *room) small() bool { return len(r.plain) <= packAbove }

// mostRoom is how much memory is kept for a request, in bytes. A sweep of a large controller needs about 25,000.
const mostRoom = 64 << 10

// room returns memory for a request.
func (s *Sink) room() *room {
	if kept, ok := s.rooms.Get().(*room); ok {
		return kept
	}
	return new(room)
}

// done keeps the memory of a request that was answered, or has failed. gRPC has a copy of a compressed request, but
// may still use the memory of a small one.
func (s *Sink) done(r *room) {
	if !r.small() && cap(r.plain) <= mostRoom {
		s.rooms.Put(r)
	}
}

// key is the ordering key of a message; "": none.
func (s *Sink) key(m sinks.Message) string {
	if !s.o.Ordering || m.Key == "" {
		return ""
	}
	return orderingKey(s.o.Device, m.Key)
}

// valid replaces bytes that are not UTF-8 by U+FFFD. A controller may have such bytes in its product code, and without
// this the request could never be sent.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// maxKey is the most bytes an ordering key has (Pub/Sub quotas and limits, "Resource limits").
const maxKey = 1024

// orderingKey returns the ordering key of a message. A key that is too long is cut. This may merge two keys, which
// costs throughput, but never the order.
func orderingKey(device, key string) string {
	key = valid(device + "/" + key)
	if len(key) > maxKey {
		key = strings.ToValidUTF8(key[:maxKey], "")
	}
	return key
}

// topicName returns the full name of a topic.
func topicName(project, topic string) (string, error) {
	if !strings.Contains(topic, "/") {
		if project == "" {
			return "", fmt.Errorf("topic %q: no project: want projects/PROJECT/topics/NAME, or project_id beside the "+
				"bare name", topic)
		}
		topic = "projects/" + project + "/topics/" + topic
	}
	p := strings.Split(topic, "/")
	if len(p) != 4 || p[0] != "projects" || p[1] == "" || p[2] != "topics" {
		return "", fmt.Errorf("topic %q: want projects/PROJECT/topics/NAME, as the Google console shows it", topic)
	}
	if project != "" && project != p[1] {
		return "", fmt.Errorf("topic %q is not of project %q: leave project_id out, or name the topic's own", topic,
			project)
	}
	if err := checkName(p[3]); err != nil {
		return "", fmt.Errorf("topic %q: %w", topic, err)
	}
	return topic, nil
}

// checkName checks a topic's name by "Guidelines to name a topic" of the Pub/Sub documentation.
func checkName(name string) error {
	const punctuation = "-_.~+%"
	if len(name) < 3 || len(name) > 255 {
		return fmt.Errorf("a topic's name has 3 to 255 characters, %q has %d", name, len(name))
	}
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		later := r >= '0' && r <= '9' || strings.ContainsRune(punctuation, r)
		if !letter && (i == 0 || !later) {
			return fmt.Errorf("a topic's name begins with a letter and has letters, digits and %s, not %q", punctuation,
				r)
		}
	}
	return nil
}
