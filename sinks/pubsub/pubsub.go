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

// Limits of a publish request (Pub/Sub quotas and limits, "Resource limits": 1,000 messages,
// 10 MB). A window stays a megabyte below, because each message costs a few bytes of framing
// and the service does not say how it counts them; a single message may use all but the
// kilobyte in which the topic's name stands.
const (
	maxMessages = 1000
	maxBytes    = 9_000_000
	maxSingle   = 10_000_000 - 1024
)

// Requests smaller than this go unpacked: gzip would make them larger. It is the threshold of
// pubsub.DefaultPublishSettings.
const packAbove = 240

// framing is what a message adds to its request beyond its own size: a tag and a length.
const framing = 5

// defaultTimeout bounds one Publish whose context has no earlier end.
const defaultTimeout = time.Minute

// Options say which topic, and how it is reached.
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
	Packer   *Packer       // compresses the requests, shared with other sinks; nil: one of its own

	Now func() time.Time // wall time, which credentials end by; nil: time.Now
}

func (o Options) dialer() sinks.Dialer { return sinks.Dialer{Meter: o.Meter, Resolver: o.Resolver} }

// Sink publishes to one topic. Publish may be called by several goroutines; all else is for one, while no Publish is
// under way.
type Sink struct {
	o        Options
	topic    string // full name
	log      *slog.Logger
	sessions tls.ClientSessionCache // outlives connections, see dial

	// The goroutine that holds its one place owns closed, conn, creds and who. It is a channel and no mutex, because
	// tokens are asked for meanwhile, and a Publish waits for them no longer than its context lets it.
	turn   chan struct{}
	closed bool

	conn  *grpc.ClientConn // nil until connected, and again after a fault of the connection
	creds *tokens          // nil until found, and again after they were refused
	who   identity         // of the credentials found last

	rooms sync.Pool // of requests that are done with: of *request

	learn    sync.Mutex      // guards refusals
	refusals *sinks.Refusals // what is known of the topic's

	mu    sync.Mutex   // guards proxy: gRPC dials in a goroutine of its own
	proxy sinks.Result // what is wrong with the proxy, as the last connection found; zero: nothing
}

// New returns a sink for the topic. It fails for a malformed topic only: credentials and the
// network are looked for at the first Publish.
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

// Flight says that several requests may be under way with ordering keys, where each has one key. Without them a request
// of a thousand messages fills a link.
func (s *Sink) Flight() sinks.Flight {
	return sinks.Flight{Several: s.o.Ordering, OneKey: s.o.Ordering}
}

// Close ends the connection. It is called after the last Publish has returned.
func (s *Sink) Close() error {
	s.closed = true
	s.hangUp()
	return nil
}

// Publish sends the longest prefix of msgs that fits one request and returns one result for
// each message sent; none when msgs is empty. It is back when ctx ends, or Options.Timeout
// is over; what was on its way then is Retry.
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
		body, fits := s.pack(s.room(), msgs, selected.Send)
		if fits == 0 {
			first := selected.Send[0]
			if first > 0 { // what is before it is set aside by the next look at these alone
				msgs = msgs[:first]
				continue
			}
			text := fmt.Sprintf("message too long: %d bytes with its attributes, Pub/Sub takes %d",
				s.size(msgs[0]), maxSingle)
			return []sinks.Result{sinks.Failed(sinks.Reject, "InvalidArgument", text)}
		}
		selected = selected.First(fits)
		answers, whole := s.send(ctx, conn, body, fits)
		if results := s.learnt(msgs, selected, answers, whole); len(results) > 0 {
			return results
		}
	}
}

// choose says what of the messages goes next.
func (s *Sink) choose(msgs []sinks.Message) sinks.Selection {
	s.learn.Lock()
	defer s.learn.Unlock()
	return s.refusals.Select(msgs)
}

// learnt takes the answers to what was chosen, and returns results; none where another try is to be made.
func (s *Sink) learnt(msgs []sinks.Message, chosen sinks.Selection, answers []sinks.Result, whole bool) []sinks.Result {
	s.learn.Lock()
	defer s.learn.Unlock()
	return s.refusals.Settle(msgs, chosen, answers, whole)
}

// Refuses says what kinds of messages the topic does not take, in one line; "" for none that is known. Messages of
// these kinds are rejected without being sent, but for one now and then.
func (s *Sink) Refuses() string {
	s.learn.Lock()
	defer s.learn.Unlock()
	return s.refusals.Words()
}

// send makes one request of n messages. Pub/Sub answers for a request as a whole, always.
func (s *Sink) send(ctx context.Context, conn *grpc.ClientConn, body request, n int) (results []sinks.Result,
	whole bool) {
	if conn.GetState() == connectivity.Shutdown { // a request before, or one beside, has lost the connection
		return sinks.Repeat(sinks.Failed(sinks.Retry, "Unavailable", "the connection was lost"), n), true
	}
	out, err := s.publish(ctx, conn, body)
	s.done(body)
	if err != nil {
		fault := s.classify(ctx, err)
		s.giveUp(ctx, conn, fault)
		return sinks.Repeat(fault, n), true
	}
	return accepted(n, out.GetMessageIds()), false
}

// accepted gives each message its id. An id that is missing from the answer leaves its message
// unknown: it is sent again.
func accepted(n int, ids []string) []sinks.Result {
	results := sinks.Repeat(sinks.Failed(sinks.Retry, sinks.CodeNoResult,
		"the answer of Pub/Sub has no id for this message"), n)
	for i := range min(n, len(ids)) {
		results[i] = sinks.Taken(ids[i])
	}
	return results
}

// pack returns a request with the messages at the first of these places that fit one, and their number; 0 when the
// first message is too large for any. All messages of a request have to have one ordering key (Pub/Sub RPC reference,
// PubsubMessage): with Options.Ordering it ends where the key changes. The request has the room of another that is done
// with.
func (s *Sink) pack(room request, msgs []sinks.Message, places []int) (body request, fits int) {
	total, key := 0, ""
	for _, at := range places {
		n, next := s.size(msgs[at])+framing, s.key(msgs[at])
		first := fits == 0
		if n > maxSingle || !first && (total+n > maxBytes || next != key) || fits == maxMessages {
			break
		}
		key, total, fits = next, total+n, fits+1
	}
	body = appendText(slices.Grow(room[:0], total+len(s.topic)+framing), fieldTopic, s.topic)
	for _, at := range places[:fits] {
		body = s.appendMessage(body, msgs[at])
	}
	return body, fits
}

// mostRoom is how much room is kept for a request, in bytes: a sweep of a large controller has some 25,000.
const mostRoom = 64 << 10

// room returns room for a request.
func (s *Sink) room() request {
	if kept, ok := s.rooms.Get().(*request); ok {
		return *kept
	}
	return nil
}

// done keeps the room of a request that was answered, or has failed. A small request goes unpacked: gRPC may still hold
// it then.
func (s *Sink) done(body request) {
	if len(body) > packAbove && cap(body) <= mostRoom {
		s.rooms.Put(&body)
	}
}

// key is the ordering key of a message; "": none.
func (s *Sink) key(m sinks.Message) string {
	if !s.o.Ordering || m.Key == "" {
		return ""
	}
	return orderingKey(s.o.Device, m.Key)
}

// valid puts U+FFFD in place of what is not UTF-8, as a controller may have answered for its product
// code: the request would not leave the gateway otherwise, now or ever.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// maxKey is the most bytes an ordering key has (Pub/Sub quotas and limits, "Resource limits").
const maxKey = 1024

// orderingKey names the ordered row of a message. One that is too long is cut, which may merge two
// rows; that costs throughput and never order.
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

// checkName holds a topic's name against "Guidelines to name a topic" of the Pub/Sub documentation.
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
