package sns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"noi-agent/internal/awsregion"
	"noi-agent/sinks"
)

// Limits of PublishBatch (SNS API reference, PublishBatch). A topic may allow more, up to 1 MiB. A sample's message has
// about 300 bytes, so larger requests would have no advantage.
const (
	maxEntries = 10
	maxBytes   = 256 << 10

	// AWS documents that body and attributes count, but not exactly how. So a request with several messages stays this
	// much below the limit.
	byteMargin = 1 << 10
)

// defaultTimeout limits one Publish whose context has no earlier end.
const defaultTimeout = time.Minute

// Options are the topic, its credentials and the way to it.
type Options struct {
	TopicARN   string // arn:aws:sns:REGION:ACCOUNT:NAME; a name ending in .fifo is a FIFO topic
	Region     string // "": the ARN's
	Endpoint   string // "": AWS's own for the region; else a URL, as for a VPC endpoint or an emulator
	Profile    string // "": the default chain; else the AWS shared profile to use
	IMDS       bool   // ask the EC2 metadata service too; false on a gateway, where no service answers there
	IoT        IoT    // credentials for a device's certificate, in place of the default chain; zero: none
	RoleARN    string // role to assume with the credentials found; "": they are used themselves
	ExternalID string // external id that the role's trust policy requires; "": none. Needs RoleARN
	// device id; begins the message group on FIFO topics, which gateways share, and names the role's session
	Device     string
	CAFile     string        // PEM file of authorities to trust beside the system's; "": none
	Timeout    time.Duration // most that one Publish takes; 0: one minute
	HTTPClient *http.Client  // for SNS; nil: our own client, with limits for a cellular link

	Meter    *sinks.Meter  // counts the bytes at the sockets; nil: they are not counted. HTTPClient's are not counted
	Resolver *net.Resolver // looks names up; nil: the system's
	Logger   *slog.Logger  // nil: discard

	Now func() time.Time // wall time, for the end of credentials; nil: time.Now
}

func (o Options) dialer() sinks.Dialer { return sinks.Dialer{Meter: o.Meter, Resolver: o.Resolver} }

// Sink publishes to one topic. Several goroutines may call Publish at once. The other methods are for one goroutine,
// while no Publish runs.
type Sink struct {
	o     Options
	topic topic
	log   *slog.Logger

	// turn has one place. The goroutine that has it owns the following fields, except ahead and pattern. It is a
	// channel and not a mutex, because credentials are requested meanwhile, and a Publish waits only until its context
	// ends.
	turn   chan struct{}
	closed bool

	http *http.Client // Options.HTTPClient, or ours from the first Publish on

	// Both nil until credentials have been found, and again after they were refused.
	client *sns.Client
	creds  aws.CredentialsProvider
	keys   aws.Credentials // the last credentials of creds

	process *process // that prints the credentials; nil: none does
	// time.Duration by which the clock is ahead at least, as new credentials show; 0: nothing shows that
	ahead atomic.Int64

	pattern atomic.Pointer[pattern] // of requests; nil: the SDK's client makes the next one. Not owned either

	unanswered int // attempts in a row that ended before there was an answer about credentials

	config   aws.Config // that client was made with
	identity string     // ARN of the publisher, once Probe has asked; "": not known
}

// New returns a sink for the topic. It fails only for a malformed ARN: credentials and network are used at the first
// Publish.
func New(o Options) (*Sink, error) {
	t, err := parseTopic(o.TopicARN)
	if err != nil {
		return nil, err
	}
	if o.Region == "" {
		o.Region = t.region
	}
	if o.Region != t.region {
		return nil, fmt.Errorf("region %s: topic %s lies in %s; leave region out", o.Region, o.TopicARN, t.region)
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Sink{o: o, topic: t, http: o.HTTPClient, log: o.Logger, turn: make(chan struct{}, 1)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s, nil
}

// Window returns ten: the most entries of a PublishBatch.
func (s *Sink) Window() int { return maxEntries }

// Flight allows several requests at once. On a FIFO topic a request has at most one message of a group.
func (s *Sink) Flight() sinks.Flight { return sinks.Flight{Several: true, Distinct: s.topic.fifo} }

// Close closes idle connections. Call it after the last Publish has returned.
func (s *Sink) Close() error {
	s.closed = true
	if s.http != nil {
		s.http.CloseIdleConnections()
	}
	s.endProcess()
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
	n := prefix(msgs, s.topic.fifo)
	if n == 0 {
		text := fmt.Sprintf("message too long: %d bytes with its attributes, SNS takes %d", size(msgs[0]), maxBytes)
		return []sinks.Result{sinks.Failed(sinks.Reject, "InvalidParameter", text)}
	}
	via, fault := s.connected(ctx)
	if via.client == nil {
		return sinks.Repeat(fault, n)
	}
	results := sinks.Narrow(n, func(n int) ([]sinks.Result, bool) { return s.send(ctx, via, msgs[:n]) })
	for i := range results {
		results[i].Skewed = s.ahead.Load() > 0
	}
	return results
}

// way is the client of a request, and credentials that are valid now.
type way struct {
	client *sns.Client
	keys   aws.Credentials
	http   *http.Client // of the client
}

// connected returns the way of a request. If there is none, the way has no client, and fault has the reason.
func (s *Sink) connected(ctx context.Context) (via way, fault sinks.Result) {
	if !s.takeTurn(ctx) {
		return way{}, ended(ctx)
	}
	defer s.giveTurn()
	if fault, ok := s.connect(ctx); !ok {
		return way{}, fault
	}
	return way{s.client, s.keys, s.http}, sinks.Result{}
}

// takeTurn waits for the one place of turn; false when ctx ends before.
func (s *Sink) takeTurn(ctx context.Context) bool {
	select {
	case s.turn <- struct{}{}:
		return true
	default:
	}
	select {
	case s.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Sink) giveTurn() { <-s.turn }

// send makes one request of msgs. whole says that the service answered for all of them at once.
func (s *Sink) send(ctx context.Context, via way, msgs []sinks.Message) (results []sinks.Result, whole bool) {
	out, err := s.ask(ctx, via, msgs)
	if err != nil {
		fault := classify(ctx, err)
		s.giveUp(ctx, via.client, fault)
		return sinks.Repeat(fault, len(msgs)), true
	}
	return perEntry(len(msgs), out), false
}

// input is a request of msgs as the SDK's client takes it.
func (s *Sink) input(msgs []sinks.Message) *sns.PublishBatchInput {
	entries := make([]types.PublishBatchRequestEntry, len(msgs))
	texts := make([][2]string, len(msgs)) // the SDK's types want pointers
	for i, m := range msgs {
		texts[i] = [2]string{entryID(i), valid(string(m.Body))}
		entries[i] = s.entry(&texts[i], m)
	}
	return &sns.PublishBatchInput{TopicArn: &s.o.TopicARN, PublishBatchRequestEntries: entries}
}

// giveUp forgets a client after a fault, except if another request has replaced it already.
func (s *Sink) giveUp(ctx context.Context, client *sns.Client, fault sinks.Result) {
	if !s.takeTurn(ctx) {
		return // another request asks for credentials, and learns the same
	}
	defer s.giveTurn()
	if s.client == client {
		s.forget(fault)
	}
}

// forget lets the next Publish read the configuration of AWS again after an answer that waits for the operator, or says
// that the credentials have expired: the keys may have been replaced meanwhile. After a clock fault the client is kept:
// it has learnt the service's time from the answer, and signs with this time from now on. If the certificate of the
// service was not accepted, the next attempt also reads the authorities again.
func (s *Sink) forget(fault sinks.Result) {
	if fault.Outcome == sinks.Wait || stale(fault.Code) {
		s.client, s.creds = nil, nil
	}
	if s.o.HTTPClient == nil && s.http != nil && strings.Contains(fault.Text, "x509: ") {
		s.http.CloseIdleConnections()
		s.http, s.client, s.creds = nil, nil, nil
	}
}

// entry is one message as PublishBatch takes it, with its id and its body.
func (s *Sink) entry(texts *[2]string, m sinks.Message) types.PublishBatchRequestEntry {
	e := types.PublishBatchRequestEntry{Id: &texts[0], Message: &texts[1]}
	for _, a := range m.Attributes {
		if e.MessageAttributes == nil {
			e.MessageAttributes = map[string]types.MessageAttributeValue{}
		}
		e.MessageAttributes[a.Name] = types.MessageAttributeValue{
			DataType: aws.String(attributeType), StringValue: aws.String(valid(a.Value)),
		}
	}
	if s.topic.fifo {
		e.MessageGroupId = aws.String(groupID(s.o.Device, m.Key))
		e.MessageDeduplicationId = aws.String(m.SampleID)
	}
	return e
}

// valid replaces characters that SNS does not accept by U+FFFD (SendMessage of SQS has the same set: the characters of
// XML 1.0). A controller may have such bytes in its product code, and the message must not be refused because of them.
func valid(text string) string {
	return strings.Map(func(r rune) rune {
		if refused(r) {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// validBody is valid for a body: nearly always the body itself.
func validBody(body []byte) []byte {
	if utf8.Valid(body) && !bytes.ContainsFunc(body, refused) {
		return body
	}
	return []byte(valid(string(body)))
}

// refused reports whether SNS does not accept a character.
func refused(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
}

const attributeType = "String"

// entryID is the id of a message in its request: its place there, which is below maxEntries.
func entryID(i int) string { return "0123456789"[i : i+1] }

// perEntry sorts the answer's lists back into the order of the request. An entry that neither
// list mentions may or may not have arrived: it is sent again.
func perEntry(n int, out *sns.PublishBatchOutput) []sinks.Result {
	results := sinks.Repeat(sinks.Failed(sinks.Retry, sinks.CodeNoResult,
		"the answer of SNS does not mention this message"), n)
	place := func(id *string) *sinks.Result {
		s := aws.ToString(id)
		if len(s) != 1 || s[0] < '0' || int(s[0]-'0') >= n {
			return new(sinks.Result) // an unknown id: nothing to settle
		}
		return &results[s[0]-'0']
	}
	for _, e := range out.Successful {
		*place(e.Id) = sinks.Taken(aws.ToString(e.MessageId))
	}
	for _, e := range out.Failed {
		status := http.StatusInternalServerError
		if e.SenderFault {
			status = http.StatusBadRequest
		}
		*place(e.Id) = judge(aws.ToString(e.Code), aws.ToString(e.Message), status)
	}
	return results
}

// prefix returns how many of msgs go into one request; 0 when the first is too large for any.
//
// On a FIFO topic the prefix ends before the second message of a key: if both were in one request and only the first
// failed, the second would be before it for ever. A standard topic promises no order ("best-effort ordering"), so a
// request has ten messages of any keys; a backlog of one object then costs half the uplink.
func prefix(msgs []sinks.Message, fifo bool) int {
	total := size(msgs[0])
	if total > maxBytes {
		return 0
	}
	n := 1
	for ; n < len(msgs) && n < maxEntries; n++ {
		m := msgs[n]
		total += size(m)
		if total > maxBytes-byteMargin || fifo && hasKey(msgs[:n], m.Key) {
			break
		}
	}
	return n
}

func hasKey(msgs []sinks.Message, key string) bool {
	for _, m := range msgs {
		if key != "" && m.Key == key {
			return true
		}
	}
	return false
}

// size returns the bytes that AWS counts: the body, and name, type and value of each attribute.
func size(m sinks.Message) int {
	n := len(m.Body)
	for _, a := range m.Attributes {
		n += len(a.Name) + len(attributeType) + len(a.Value)
	}
	return n
}

// topic has the parts of an ARN.
type topic struct {
	region string
	fifo   bool
}

// parseTopic checks an ARN's shape, and that its region lies in its partition: the domain of the endpoint depends only
// on the region (amazonaws.com.cn for aws-cn), so a mistake would lead the gateway to a cloud that does not know its
// topic.
func parseTopic(arn string) (topic, error) {
	const want = "want arn:aws:sns:REGION:ACCOUNT:NAME, as the AWS console shows it for the topic"
	p := strings.Split(arn, ":")
	switch {
	case len(p) != 6 || p[0] != "arn" || !strings.HasPrefix(p[1], "aws"):
		return topic{}, fmt.Errorf("topic ARN %q: not an ARN; %s", arn, want)
	case p[2] != "sns":
		return topic{}, fmt.Errorf("topic ARN %q: of service %q, not sns; %s", arn, p[2], want)
	case p[3] == "":
		return topic{}, fmt.Errorf("topic ARN %q: no region; %s", arn, want)
	case p[1] != Partition(p[3]):
		return topic{}, fmt.Errorf("topic ARN %q: region %s lies in partition %s, not %s; %s", arn, p[3],
			Partition(p[3]), p[1], want)
	case len(p[4]) != 12 || strings.Trim(p[4], "0123456789") != "":
		return topic{}, fmt.Errorf("topic ARN %q: the account is not 12 digits; %s", arn, want)
	}
	if err := checkName(strings.TrimSuffix(p[5], ".fifo")); err != nil {
		return topic{}, fmt.Errorf("topic ARN %q: %w; %s", arn, err, want)
	}
	return topic{region: p[3], fifo: strings.HasSuffix(p[5], ".fifo")}, nil
}

// Partition returns the name of the partition of AWS that a region lies in, as in aws-cn.
func Partition(region string) string { return awsregion.Of(region).Name }

// checkName checks a topic's name, without .fifo, by the rule of CreateTopic.
func checkName(name string) error {
	if name == "" || len(name) > 256 {
		return errors.New("a topic's name has 1 to 256 characters")
	}
	for _, r := range name {
		alnum := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !alnum && r != '-' && r != '_' {
			return fmt.Errorf("a topic's name has letters, digits, - and _, not %q", r)
		}
	}
	return nil
}
