package sns

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// steadyFor is how long new credentials are used that are already expired by the gateway's clock. No token service
// gives credentials for less than a quarter of an hour, so the clock is wrong, and requests at each publish would not
// help.
const steadyFor = 10 * time.Minute

// steady limits the requests to a source of credentials if the clock is ahead: without it there would be a request at
// each publish. The cache around it owns it.
type steady struct {
	source aws.CredentialsProvider // a source with its own cache
	now    func() time.Time
	// is called with each answer: by how much the clock is ahead at least; 0: nothing shows that
	ahead func(by time.Duration)
}

// Retrieve is part of aws.CredentialsProvider.
func (s steady) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := s.source.Retrieve(ctx)
	if err != nil || !c.CanExpire {
		return c, err
	}
	now := s.now()
	if c.Expires.After(now) {
		s.ahead(0)
		return c, nil
	}
	s.ahead(now.Sub(c.Expires) + time.Second)
	c.Expires = now.Add(steadyFor)
	return c, nil
}

// IsCredentialsProvider gives the SDK access to the type of the source.
func (s steady) IsCredentialsProvider(p aws.CredentialsProvider) bool {
	return aws.IsCredentialsProvider(s.source, p)
}

// steady returns the credentials of a source, with a limited rate of requests, independent of the clock.
func (s *Sink) steady(source aws.CredentialsProvider) aws.CredentialsProvider {
	return aws.NewCredentialsCache(steady{source: source, now: s.o.Now, ahead: func(by time.Duration) {
		if s.ahead.Swap(int64(by)) == 0 && by > 0 {
			s.log.Warn("new credentials have ended already by the gateway's clock: the clock is ahead", "at_least_by",
				by, "now", s.o.Now().UTC())
		}
	}})
}
