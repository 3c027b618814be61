package standin

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The default key of the stand-in. It gives access to nothing.
const (
	AccessKeyID     = "STANDINKEY0000000000"
	SecretAccessKey = "stand-in-secret-opens-nothing"
)

// SNSOptions are the options of the stand-in.
type SNSOptions struct {
	Addr            string   // loopback address; "" is any free port
	Topics          []string // ARNs of the topics that exist
	AccessKeyID     string   // "": AccessKeyID of this package
	SecretAccessKey string   // "": SecretAccessKey of this package
	// OnMessage is called with each accepted message, in order within a request; nil: not called.
	OnMessage func(Message)
	Forget    bool             // keep neither messages nor requests, for a run without end
	Now       func() time.Time // the service's clock, with which signatures are compared; nil: time.Now
}

// SNS is a stand-in of AWS SNS: Publish, PublishBatch and GetTopicAttributes over HTTP, and of GetCallerIdentity
// of AWS STS, at the same address.
type SNS struct {
	desk
	o     SNSOptions
	ids   idSource
	looks lookFaults

	life sync.Mutex // guards the fields below; held during start and stop, never during a request
	addr string
	http *http.Server // nil while down
	gone chan struct{}
}

// StartSNS starts a stand-in that serves until Close.
func StartSNS(o SNSOptions) (*SNS, error) {
	if o.AccessKeyID == "" {
		o.AccessKeyID = AccessKeyID
	}
	if o.SecretAccessKey == "" {
		o.SecretAccessKey = SecretAccessKey
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &SNS{desk: desk{onMessage: o.OnMessage, forget: o.Forget}, o: o, addr: o.Addr}
	if err := s.SetDown(false); err != nil {
		return nil, err
	}
	return s, nil
}

// Addr returns the address of the server, even while it is down.
func (s *SNS) Addr() string {
	s.life.Lock()
	defer s.life.Unlock()
	return s.addr
}

// URL returns the endpoint for a client.
func (s *SNS) URL() string { return "http://" + s.Addr() }

// Env returns the key of the stand-in as environment variables for a child process.
func (s *SNS) Env() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + s.o.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + s.o.SecretAccessKey}
}

// SetDown stops the service and closes its connections, or starts it again at the same address.
func (s *SNS) SetDown(down bool) error {
	s.life.Lock()
	defer s.life.Unlock()
	if down == (s.http == nil) {
		return nil
	}
	if down {
		err := s.http.Close()
		<-s.gone
		s.http = nil
		return err
	}
	l, err := listen(s.addr)
	if err != nil {
		return err
	}
	s.addr = l.Addr().String()
	s.serve(l)
	return nil
}

func (s *SNS) serve(l net.Listener) {
	server := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	gone := make(chan struct{})
	s.http, s.gone = server, gone
	go func() {
		defer close(gone)
		_ = server.Serve(l) // ends only with Close
	}()
}

// Close ends the service for good.
func (s *SNS) Close() error { return s.SetDown(true) }

// maxSNSBatch is the limit of SNS for the messages of one request, in bytes.
const maxSNSBatch = 256 << 10

// maxSNSBody limits a request: form encoding makes up to three bytes from one.
const maxSNSBody = 4 * maxSNSBatch

// ServeHTTP answers one request of the Query protocol.
func (s *SNS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSNSBody))
	if err != nil {
		return // the client has gone, or sends more than any request may have
	}
	w.Header().Set("Date", s.o.Now().UTC().Format(http.TimeFormat))
	form, err := url.ParseQuery(string(body))
	if err != nil {
		refuse(w, Fault{Status: 400, Code: "MalformedQueryString", Text: "The query string contains a syntax error."})
		return
	}
	if f := s.checkSignature(r, body, serviceOf(form.Get("Action")), form.Get("TopicArn")); f.Code != "" {
		refuse(w, f)
		return
	}
	if s.look(w, form) {
		return
	}
	entries, f := s.parse(form)
	req := Request{Topic: form.Get("TopicArn"), BodyBytes: len(body), WireBytes: len(body)}
	for _, e := range entries {
		req.Messages = append(req.Messages, e.Message)
	}
	if wish := s.open(req); wish.Hang || wish.Drop || wish.Code != "" {
		s.misbehave(w, r, form.Get("Action"), entries, wish)
		return
	}
	if f.Code != "" {
		refuse(w, f)
		return
	}
	s.settle(entries)
	reply(w, form.Get("Action"), entries)
}

// misbehave carries out a requested fault.
func (s *SNS) misbehave(w http.ResponseWriter, r *http.Request, action string, entries []*entry, f Fault) {
	if f.Only != nil {
		for _, e := range entries {
			if f.Only(e.Message) {
				e.fail(f)
			}
		}
	}
	if f.Taken || f.Only != nil {
		s.settle(entries)
	}
	switch {
	case f.Hang:
		<-r.Context().Done() // the client left, or the service went down
	case f.Drop:
		drop(w, render(action, entries), f.Cut)
	case f.Only != nil:
		reply(w, action, entries)
	default:
		refuse(w, f)
	}
}

// entry is a message of a request, and its result.
type entry struct {
	Message
	batchID string // the Id of a PublishBatch entry
	fault   Fault  // without a Code: none
}

func (e *entry) fail(f Fault) {
	if e.fault.Code == "" {
		e.fault = f
	}
}

// settle gives ids to the entries without a fault and accepts them.
func (s *SNS) settle(entries []*entry) {
	var taken []Message
	for _, e := range entries {
		if e.fault.Code == "" {
			e.ID = s.ids.next()
			taken = append(taken, e.Message)
		}
	}
	s.take(taken)
}

// parse decodes the messages of a request, and checks it by the rules of the API.
func (s *SNS) parse(form url.Values) ([]*entry, Fault) {
	topic := form.Get("TopicArn")
	var entries []*entry
	switch form.Get("Action") {
	case "Publish":
		entries = []*entry{parseEntry(form, "", topic)}
	case "PublishBatch":
		for i := 1; form.Has(member(i) + "Id"); i++ {
			entries = append(entries, parseEntry(form, member(i), topic))
		}
	default:
		return nil, Fault{Status: 400, Code: "InvalidAction", Text: "The action or operation requested is invalid."}
	}
	if !slices.Contains(s.o.Topics, topic) {
		return entries, Fault{Status: 404, Code: "NotFound", Text: "Topic does not exist"}
	}
	for _, e := range entries {
		checkEntry(e)
	}
	return entries, checkBatch(entries)
}

func member(i int) string { return fmt.Sprintf("PublishBatchRequestEntries.member.%d.", i) }

func parseEntry(form url.Values, prefix, topic string) *entry {
	e := &entry{batchID: form.Get(prefix + "Id")}
	e.Topic = topic
	e.Body = []byte(form.Get(prefix + "Message"))
	e.Group = form.Get(prefix + "MessageGroupId")
	e.Dedup = form.Get(prefix + "MessageDeduplicationId")
	for i := 1; ; i++ {
		p := prefix + "MessageAttributes.entry." + strconv.Itoa(i) + "."
		if !form.Has(p + "Name") {
			return e
		}
		if e.Attributes == nil {
			e.Attributes = map[string]string{}
		}
		e.Attributes[form.Get(p+"Name")] = form.Get(p + "Value.StringValue")
		if form.Get(p+"Value.DataType") != "String" || form.Get(p+"Value.StringValue") == "" {
			e.fail(Fault{Code: "ParameterValueInvalid",
				Text: "The message attribute '" + form.Get(p+"Name") +
					"' must contain non-empty message attribute value for message attribute type 'String'."})
		}
	}
}

func checkEntry(e *entry) {
	fifo := strings.HasSuffix(e.Topic, ".fifo")
	switch {
	case len(e.Body) == 0:
		e.fail(Fault{Code: "InvalidParameter", Text: "Invalid parameter: Empty message"})
	case fifo && e.Group == "":
		e.fail(Fault{Code: "InvalidParameter",
			Text: "Invalid parameter: The MessageGroupId parameter is required for FIFO topics"})
	case fifo && e.Dedup == "":
		e.fail(Fault{Code: "InvalidParameter",
			Text: "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or " +
				"MessageDeduplicationId provided explicitly"})
	}
}

// checkBatch checks a whole request by the limits of PublishBatch.
func checkBatch(entries []*entry) Fault {
	total, ids := 0, map[string]bool{}
	for _, e := range entries {
		total += len(e.Body)
		for name, value := range e.Attributes {
			total += len(name) + len("String") + len(value)
		}
		if ids[e.batchID] {
			return Fault{Status: 400, Code: "BatchEntryIdsNotDistinct",
				Text: "Two or more batch entries in the request have the same Id."}
		}
		ids[e.batchID] = true
	}
	switch {
	case len(entries) == 0:
		return Fault{Status: 400, Code: "EmptyBatchRequest", Text: "The batch request doesn't contain any entries."}
	case len(entries) > 10:
		return Fault{Status: 400, Code: "TooManyEntriesInBatchRequest",
			Text: "The batch request contains more entries than permissible."}
	case total > maxSNSBatch:
		return Fault{Status: 400, Code: "BatchRequestTooLong",
			Text: "The length of all the batch messages put together is more than the limit."}
	}
	return Fault{}
}

// idSource makes message ids in the form of a UUID. They are the same in every run, because golden files have them.
type idSource struct {
	mu sync.Mutex // guards n
	n  uint64
}

func (s *idSource) next() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	return fmt.Sprintf("00000000-0000-4000-8000-%012x", s.n)
}

// drop sends the first bytes of an answer and resets the connection.
func drop(w http.ResponseWriter, body []byte, bytes int) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	answer := append([]byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n",
		len(body))), body...)
	_, werr := conn.Write(answer[:min(bytes, len(answer))])
	if tcp, ok := conn.(*net.TCPConn); ok && bytes == 0 {
		werr = errors.Join(werr, tcp.SetLinger(0)) // a reset, which would overtake bytes sent before
	}
	_ = errors.Join(werr, conn.Close()) // the connection must break, so errors do not matter
}
