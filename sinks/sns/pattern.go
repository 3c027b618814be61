package sns

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go/middleware"
	"github.com/aws/smithy-go/rand"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"noi-agent/sinks"
)

// pattern is the head of a request that the SDK's client has made and that SNS has accepted. The next requests copy
// this head. Only the parts that differ between requests are new: body, time, id and signature. The SDK's client
// builds its stack of middleware for each request, which costs 250 allocations.
//
// The SDK's client reads each unusual answer, as if it had sent the request itself. After an error the pattern is
// dropped, and the SDK's client makes the next request.
type pattern struct {
	client       *sns.Client // that made the request
	url, host    string
	header       http.Header  // without the headers below
	attempt      string       // header Amz-Sdk-Request, without its ttl
	name, region string       // the service and region of a signature
	signer       *v4.Signer   // with the signing key of the day
	skew         atomic.Int64 // time.Duration from our clock to that of the service, as the last answer shows
}

// The headers that differ between requests.
const (
	headerAttempt    = "Amz-Sdk-Request"
	headerAuthorized = "Authorization"
	headerDate       = "X-Amz-Date"
	headerID         = "Amz-Sdk-Invocation-Id"
	headerToken      = "X-Amz-Security-Token"
)

// learn makes a pattern of a request of the SDK's client that SNS accepts.
func (s *Sink) learn(client *sns.Client) func(*sns.Options) {
	watch := middleware.DeserializeMiddlewareFunc("Pattern", func(ctx context.Context, in middleware.DeserializeInput,
		next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		request, _ := in.Request.(*smithyhttp.Request)
		answer, _ := out.RawResponse.(*smithyhttp.Response)
		if _, timed := awsmiddleware.GetAttemptSkew(metadata); err == nil && timed && request != nil && answer != nil {
			s.pattern.Store(newPattern(client, request, answer.Header, s.o.Now()))
		}
		return out, metadata, err
	})
	return func(o *sns.Options) {
		o.APIOptions = append(slices.Clip(o.APIOptions), func(stack *middleware.Stack) error {
			return stack.Deserialize.Add(watch, middleware.Before)
		})
	}
}

// newPattern returns the pattern of a request and its answer; nil if the request has no signature of the usual kind.
func newPattern(client *sns.Client, r *smithyhttp.Request, answer http.Header, now time.Time) *pattern {
	credential, usual := strings.CutPrefix(r.Header.Get(headerAuthorized), "AWS4-HMAC-SHA256 Credential=")
	credential, _, _ = strings.Cut(credential, ",")
	scope := strings.Split(credential, "/") // key, day, region, service, "aws4_request"
	if !usual || len(scope) != 5 {
		return nil
	}
	attempt, _, _ := strings.Cut(r.Header.Get(headerAttempt), "; ttl=")
	p := &pattern{
		client: client, url: r.URL.String(), host: r.Host, header: r.Header.Clone(), attempt: attempt,
		region: scope[2], name: scope[3], signer: v4.NewSigner(),
	}
	for _, name := range []string{headerAttempt, headerAuthorized, headerDate, headerID, headerToken} {
		p.header.Del(name)
	}
	p.answered(answer, now)
	return p
}

// answered records the time of the service, by the rules of the SDK: an answer from a cache does not count.
func (p *pattern) answered(header http.Header, now time.Time) {
	at, err := smithyhttp.ParseTime(header.Get("Date"))
	if err == nil && header.Get("Age") == "" {
		p.skew.Store(int64(at.Sub(now)))
	}
}

// ask makes one request with messages, from the pattern if there is one.
func (s *Sink) ask(ctx context.Context, via way, msgs []sinks.Message) (*sns.PublishBatchOutput, error) {
	p := s.pattern.Load()
	if p == nil || p.client != via.client {
		return via.client.PublishBatch(ctx, s.input(msgs), lean, s.learn(via.client))
	}
	resp, err := p.ask(ctx, via.http, via.keys, s.formOf(msgs), s.o.Now)
	if err == nil {
		if out, ok := usual(resp); ok {
			return out, nil
		}
	}
	out, err := via.client.PublishBatch(context.WithoutCancel(ctx), s.input(msgs), lean, func(o *sns.Options) {
		o.HTTPClient = answered{resp, err}
	})
	if err != nil {
		s.pattern.CompareAndSwap(p, nil)
	}
	return out, err
}

// ask makes one request.
func (p *pattern) ask(ctx context.Context, client aws.HTTPClient, keys aws.Credentials, form []byte,
	now func() time.Time) (*http.Response, error) {
	// With this kind of reader net/http writes head and body at once.
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(form))
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	id, err := rand.NewUUID(rand.Reader).GetUUID()
	if err != nil {
		return nil, fmt.Errorf("make the id of a request: %w", err)
	}
	skew := time.Duration(p.skew.Load())
	r.Host, r.Header = p.host, maps.Clone(p.header)
	r.Header[headerID], r.Header[headerAttempt] = []string{id}, []string{p.attempt + ttl(ctx, skew)}
	sum := sha256.Sum256(form)
	digest, at := hex.EncodeToString(sum[:]), now().Add(skew)
	if err := p.signer.SignHTTP(ctx, keys, r, digest, p.name, p.region, at); err != nil {
		return nil, fmt.Errorf("sign a request: %w", err)
	}
	resp, err := client.Do(r)
	if err == nil {
		p.answered(resp.Header, now())
	}
	return resp, err
}

// ttl is the end of the header Amz-Sdk-Request. If the service's clock is ahead of ours, it has the time at which the
// client stops waiting.
func ttl(ctx context.Context, skew time.Duration) string {
	end, ok := ctx.Deadline()
	if !ok || skew <= 0 {
		return ""
	}
	return "; ttl=" + end.Add(skew).Format("20060102T150405Z")
}

// answered is a client that already has the answer.
type answered struct {
	resp *http.Response
	err  error
}

// Do is part of aws.HTTPClient.
func (a answered) Do(*http.Request) (*http.Response, error) { return a.resp, a.err }
