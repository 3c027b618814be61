package standin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
)

// Actions of AWS that only read: of SNS, and of STS.
const (
	GetTopicAttributes = "GetTopicAttributes"
	GetCallerIdentity  = "GetCallerIdentity"
)

// CallerARN is the identity of the stand-in's key.
const CallerARN = "arn:aws:iam::123456789012:user/noi"

// lookFaults are the answers to actions that only read. desk has the faults of publishing.
type lookFaults struct {
	mu     sync.Mutex // guards the fields below
	faults map[string]Fault
}

// SetLookFault answers each request of action (GetTopicAttributes, GetCallerIdentity) with f from now on. f needs a
// Code; the zero Fault means a correct answer.
func (s *SNS) SetLookFault(action string, f Fault) {
	s.looks.mu.Lock()
	defer s.looks.mu.Unlock()
	if s.looks.faults == nil {
		s.looks.faults = map[string]Fault{}
	}
	s.looks.faults[action] = f
}

// serviceOf returns the service that a request of an action is signed for.
func serviceOf(action string) string {
	if action == GetCallerIdentity {
		return "sts"
	}
	return "sns"
}

// look answers an action that only reads. false means that the request is no such action.
func (s *SNS) look(w http.ResponseWriter, form url.Values) bool {
	action, topic := form.Get("Action"), form.Get("TopicArn")
	if action != GetTopicAttributes && action != GetCallerIdentity {
		return false
	}
	s.looks.mu.Lock()
	f := s.looks.faults[action]
	s.looks.mu.Unlock()
	if f.Code == "" && action == GetTopicAttributes && !slices.Contains(s.o.Topics, topic) {
		f = Fault{Status: http.StatusNotFound, Code: "NotFound", Text: "Topic does not exist"}
	}
	if f.Code != "" {
		refuse(w, f)
		return true
	}
	result := fmt.Sprintf(`<Attributes><entry><key>TopicArn</key><value>%s</value></entry>`+
		`<entry><key>SubscriptionsConfirmed</key><value>1</value></entry></Attributes>`, text(topic))
	if action == GetCallerIdentity {
		result = `<Arn>` + CallerARN + `</Arn><UserId>AIDASTANDIN</UserId><Account>123456789012</Account>`
	}
	w.Header().Set("Content-Type", "text/xml")
	_, _ = fmt.Fprintf(w,
		`<%[1]sResponse xmlns="%[2]s"><%[1]sResult>%[3]s</%[1]sResult><ResponseMetadata><RequestId>%[4]s</RequestId></ResponseMetadata></%[1]sResponse>`,
		action, xmlns, result, requestID) // fails if the client has gone
	return true
}
