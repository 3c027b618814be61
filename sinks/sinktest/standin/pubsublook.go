package standin

import (
	"context"
	"sync"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

// Methods of Google that only read: of Pub/Sub, and of IAM.
const (
	GetTopic           = "GetTopic"
	TestIamPermissions = "TestIamPermissions"
)

// pubsubLooks are the answers to methods that only read. desk has the faults of publishing.
type pubsubLooks struct {
	mu      sync.Mutex // guards the fields below
	faults  map[string]Fault
	without bool // no caller has a permission
}

// SetLookFault answers each request of method (GetTopic, TestIamPermissions) with f from now on. f needs a Code; the
// zero Fault means a correct answer.
func (s *PubSub) SetLookFault(method string, f Fault) {
	s.looks.mu.Lock()
	defer s.looks.mu.Unlock()
	if s.looks.faults == nil {
		s.looks.faults = map[string]Fault{}
	}
	s.looks.faults[method] = f
}

// SetPermitted decides whether TestIamPermissions grants the requested permissions, as at the start.
func (s *PubSub) SetPermitted(yes bool) {
	s.looks.mu.Lock()
	defer s.looks.mu.Unlock()
	s.looks.without = !yes
}

func (l *pubsubLooks) at(method string) (f Fault, without bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.faults[method], l.without
}

// GetTopic answers one request.
func (d *door) GetTopic(ctx context.Context, in *pubsubpb.GetTopicRequest) (*pubsubpb.Topic, error) {
	if f, _ := d.s.looks.at(GetTopic); f.Code != "" {
		return nil, f.status()
	}
	return d.GServer.GetTopic(ctx, in)
}

// iamDoor is the TestIamPermissions of IAM.
type iamDoor struct {
	iampb.UnimplementedIAMPolicyServer
	s *PubSub
}

// TestIamPermissions answers one request. On a topic that does not exist no caller has a permission. This is no
// error, like in the real service.
func (d *iamDoor) TestIamPermissions(ctx context.Context,
	in *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	f, without := d.s.looks.at(TestIamPermissions)
	if f.Code != "" {
		return nil, f.status()
	}
	_, err := d.s.fake.GServer.GetTopic(ctx, &pubsubpb.GetTopicRequest{Topic: in.GetResource()})
	if without || err != nil {
		return &iampb.TestIamPermissionsResponse{}, nil
	}
	return &iampb.TestIamPermissionsResponse{Permissions: in.GetPermissions()}, nil
}
