package standin

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // makes the server decompress requests of the sink
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// PubSubOptions are the options of the stand-in.
type PubSubOptions struct {
	Addr   string   // loopback address; "" is any free port
	Topics []string // full names of the topics that exist
	// OnMessage is called with each accepted message, in order within a request; nil: not called.
	OnMessage func(Message)
	Forget    bool // keep neither messages nor requests, for a run without end
}

// PubSub is a stand-in of Google Pub/Sub: pstest, the official in-memory server, behind a gRPC server of ours. The
// server in front is needed because pstest cannot go away and come back, cannot hang, and does not see how a request
// was compressed. It also accepts requests that the real service refuses (empty messages, requests over the limits).
type PubSub struct {
	desk
	fake  *pstest.Server
	looks pubsubLooks

	life sync.Mutex // guards the fields below; held during start and stop, never during a request
	addr string
	grpc *grpc.Server // nil while down
	gone chan struct{}
}

// StartPubSub listens, makes the topics, and serves until Close.
func StartPubSub(o PubSubOptions) (*PubSub, error) {
	s := &PubSub{
		desk: desk{onMessage: o.OnMessage, forget: o.Forget},
		// its own listener is not used, because no client knows the port
		fake: pstest.NewServerWithAddress("127.0.0.1:0"),
		addr: o.Addr,
	}
	for _, name := range o.Topics {
		if _, err := s.fake.GServer.CreateTopic(context.Background(), &pubsubpb.Topic{Name: name}); err != nil {
			_ = s.fake.Close() // the returned error is more important
			return nil, fmt.Errorf("make topic %s: %w", name, err)
		}
	}
	if err := s.SetDown(false); err != nil {
		_ = s.fake.Close() // the returned error is more important
		return nil, err
	}
	return s, nil
}

// Addr returns the address of the server, even while it is down: an endpoint, or PUBSUB_EMULATOR_HOST.
func (s *PubSub) Addr() string {
	s.life.Lock()
	defer s.life.Unlock()
	return s.addr
}

// SetDown stops the service and closes its connections, or starts it again at the same address. The topics stay.
func (s *PubSub) SetDown(down bool) error {
	s.life.Lock()
	defer s.life.Unlock()
	if down == (s.grpc == nil) {
		return nil
	}
	if down {
		s.grpc.Stop()
		<-s.gone
		s.grpc = nil
		return nil
	}
	l, err := listen(s.addr)
	if err != nil {
		return err
	}
	s.addr = l.Addr().String()
	s.serve(l)
	return nil
}

// maxGRPCMessage allows a request of 10 MB, which gRPC would stop at 4 MB.
const maxGRPCMessage = 16 << 20

func (s *PubSub) serve(l net.Listener) {
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxGRPCMessage), grpc.StatsHandler(wireWatch{}))
	pubsubpb.RegisterPublisherServer(server, &door{GServer: &s.fake.GServer, s: s})
	pubsubpb.RegisterSubscriberServer(server, &s.fake.GServer)
	iampb.RegisterIAMPolicyServer(server, &iamDoor{s: s})
	gone := make(chan struct{})
	s.grpc, s.gone = server, gone
	go func() {
		defer close(gone)
		_ = server.Serve(l) // ends only with Stop
	}()
}

// Close ends the service for good.
func (s *PubSub) Close() error {
	if err := s.SetDown(true); err != nil {
		return err
	}
	return s.fake.Close()
}

// door is pstest's server, with the rules of the real service for Publish.
type door struct {
	*pstest.GServer
	s *PubSub
}

// Publish answers one request.
func (d *door) Publish(ctx context.Context, in *pubsubpb.PublishRequest) (*pubsubpb.PublishResponse, error) {
	req := Request{Topic: in.GetTopic(), BodyBytes: proto.Size(in)}
	if w, ok := ctx.Value(wireKey{}).(*wire); ok {
		req.WireBytes, req.Compression = w.bytes, w.compression
	}
	for _, m := range in.GetMessages() {
		req.Messages = append(req.Messages, Message{Topic: in.GetTopic(), Body: m.GetData(),
			Attributes: m.GetAttributes(), Group: m.GetOrderingKey()})
	}
	f := d.s.open(req)
	failed := (f.Hang || f.Drop || f.Code != "") && f.hits(req.Messages)
	if !failed || f.Taken {
		out, err := d.publish(ctx, in, req.Messages)
		if err != nil || !failed {
			return out, err
		}
	}
	switch {
	case f.Hang:
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	case f.Drop:
		return nil, status.Error(codes.Unavailable, "error reading from server: EOF")
	default:
		return nil, f.status()
	}
}

// status returns the fault as a gRPC error.
func (f Fault) status() error {
	st := status.New(codeNamed(f.Code), f.Text)
	if f.After > 0 {
		with, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(f.After)})
		if err != nil {
			return err // the code OK is a mistake in the test
		}
		st = with
	}
	return st.Err()
}

// hits reports whether a request has a message with this fault.
func (f Fault) hits(msgs []Message) bool {
	if f.Only == nil {
		return true
	}
	for _, m := range msgs {
		if f.Only(m) {
			return true
		}
	}
	return false
}

func (d *door) publish(ctx context.Context, in *pubsubpb.PublishRequest, msgs []Message) (*pubsubpb.PublishResponse,
	error) {
	if err := checkRequest(in); err != nil {
		return nil, err
	}
	out, err := d.GServer.Publish(ctx, in)
	if err != nil {
		return nil, err
	}
	if d.s.forget {
		d.s.fake.ClearMessages()
	}
	taken := make([]Message, len(msgs))
	for i, m := range msgs {
		m.ID = out.GetMessageIds()[i]
		taken[i] = m
	}
	d.s.take(taken)
	return out, nil
}

// Limits of a publish request (Pub/Sub quotas and limits, "Resource limits").
const (
	maxPubSubMessages = 1000
	maxPubSubBytes    = 10_000_000
)

// checkRequest refuses requests that the real service refuses and pstest accepts.
func checkRequest(in *pubsubpb.PublishRequest) error {
	parts := strings.Split(in.GetTopic(), "/")
	if len(parts) != 4 || parts[0] != "projects" || parts[2] != "topics" {
		return status.Errorf(codes.InvalidArgument, "Invalid resource name given (name=%s).", in.GetTopic())
	}
	if n := len(in.GetMessages()); n > maxPubSubMessages {
		return status.Errorf(codes.InvalidArgument,
			"The value for message_count is too large. You passed %d in the request, but the maximum value is %d.", n,
			maxPubSubMessages)
	}
	if n := proto.Size(in); n > maxPubSubBytes {
		return status.Errorf(codes.InvalidArgument,
			"The value for request_size is too large. You passed %d in the request, but the maximum value is %d.", n,
			maxPubSubBytes)
	}
	for _, m := range in.GetMessages() {
		if m.GetOrderingKey() != in.GetMessages()[0].GetOrderingKey() { // PubsubMessage.ordering_key
			return status.Error(codes.InvalidArgument,
				"All messages in a publish request must specify the same ordering key.")
		}
		if len(m.GetData()) == 0 && len(m.GetAttributes()) == 0 {
			return status.Error(codes.InvalidArgument,
				"One or more messages in the publish request is empty. Each message must contain either non-empty "+
					"data, or at least one attribute.")
		}
	}
	return nil
}

// codeNamed returns the gRPC code with a name such as "PermissionDenied"; Unknown for any other name.
func codeNamed(name string) codes.Code {
	for c := codes.OK; c <= codes.Unauthenticated; c++ {
		if c.String() == name {
			return c
		}
	}
	return codes.Unknown
}

// wire is the form of a request on the wire.
type wire struct {
	bytes       int
	compression string
}

type wireKey struct{}

// wireWatch records the size and compression of each request in its context.
type wireWatch struct{}

// TagRPC is part of stats.Handler.
func (wireWatch) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, wireKey{}, &wire{})
}

// HandleRPC is part of stats.Handler. gRPC calls it before the request is handed on.
func (wireWatch) HandleRPC(ctx context.Context, s stats.RPCStats) {
	w, ok := ctx.Value(wireKey{}).(*wire)
	if !ok {
		return
	}
	switch s := s.(type) {
	case *stats.InHeader:
		w.compression = s.Compression
	case *stats.InPayload:
		w.bytes = s.WireLength
	}
}

// TagConn is part of stats.Handler.
func (wireWatch) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn is part of stats.Handler.
func (wireWatch) HandleConn(context.Context, stats.ConnStats) {}
