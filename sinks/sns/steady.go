package sns

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// steadyFor is how long credentials are used that have ended already, by the gateway's clock, when they come. No token
// service gives any that last less than a quarter of an hour, so the clock is at fault; asking again at each publish
// would bring no others.
const steadyFor = 10 * time.Minute

// steady keeps a source of credentials from being asked at each publish by a clock that is ahead. The cache around it
// owns it.
type steady struct {
	source aws.CredentialsProvider // with a cache of its own
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

// IsCredentialsProvider lets the SDK look at the source.
func (s steady) IsCredentialsProvider(p aws.CredentialsProvider) bool {
	return aws.IsCredentialsProvider(s.source, p)
}

// steady returns the credentials of a source, asked at a bounded rate whatever the clock says.
func (s *Sink) steady(source aws.CredentialsProvider) aws.CredentialsProvider {
	return aws.NewCredentialsCache(steady{source: source, now: s.o.Now, ahead: func(by time.Duration) {
		if s.ahead.Swap(int64(by)) == 0 && by > 0 {
			s.log.Warn("new credentials have ended already by the gateway's clock: the clock is ahead", "at_least_by",
				by, "now", s.o.Now().UTC())
		}
	}})
}
