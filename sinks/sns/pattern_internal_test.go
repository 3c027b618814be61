package sns

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"

	"noi-agent/sinks"
	"noi-agent/sinks/sinktest"
)

// cloudOf is a connection to a cloud whose answers reply returns.
type cloudOf struct {
	reply    func(r *http.Request) (*http.Response, error)
	requests []*http.Request
	forms    []string
}

func (c *cloudOf) RoundTrip(r *http.Request) (*http.Response, error) {
	form, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	c.requests, c.forms = append(c.requests, r), append(c.forms, string(form))
	return c.reply(r)
}

// answerWith is an answer at this moment, from a service whose clock is ahead of ours.
func answerWith(r *http.Request, status int, body io.Reader, header http.Header) *http.Response {
	header = header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
	kept := io.ReadCloser(io.NopCloser(body))
	if status >= 300 {
		kept = &refusalBody{ReadCloser: kept}
	}
	return &http.Response{StatusCode: status, Header: header, Request: r, ContentLength: -1, Body: kept}
}

// takes is the answer of SNS that it accepts two messages.
func takes(r *http.Request) (*http.Response, error) {
	return answerWith(r, http.StatusOK, strings.NewReader(usualAnswer), nil), nil
}

// newSink returns a sink with keys of a role.
func newSink(t *testing.T, cloud *cloudOf, o Options) *Sink {
	t.Helper()
	for name, value := range map[string]string{
		"HOME": t.TempDir(), "AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token",
	} {
		t.Setenv(name, value)
	}
	o.TopicARN, o.HTTPClient = cmpOr(o.TopicARN, "arn:aws:sns:us-east-2:393221637266:T"), &http.Client{Transport: cloud, CheckRedirect: stayHere}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// odd are two messages with everything that a message can have.
func odd() []sinks.Message {
	msgs := sinktest.Messages(2)
	msgs[0].Body = []byte("{\"data\":1.5,\"slave\":\"PS PWM~é€\xff\x00+%&=\"}")
	msgs[1].Attributes = []sinks.Attribute{{Name: "object", Value: "adc&ia"}, {Name: "slave", Value: "a b\x01"}}
	return msgs
}

// The SDK makes two requests. The last one is made after the pattern of the second one. Both have the same content.
func TestRequestAfterThePatternIsThatOfTheSDK(t *testing.T) {
	for name, o := range map[string]Options{
		"AWS": {}, "FIFO": {TopicARN: "arn:aws:sns:us-east-2:393221637266:T.fifo", Device: "d"},
		"China":                {TopicARN: "arn:aws-cn:sns:cn-north-1:393221637266:T"},
		"endpoint with a path": {Endpoint: "http://127.0.0.1:4100/a/b"}, "endpoint": {Endpoint: "https://vpce-1.sns.example:443"},
	} {
		cloud := &cloudOf{reply: takes}
		sink := newSink(t, cloud, o)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // the timeout is in a header
		defer cancel()
		for i := range 3 {
			if i == 1 {
				sink.pattern.Store(nil)
			} else if i == 2 {
				sink.pattern.Load().header.Set("X-Copied", "yes")
			}
			if r := sink.Publish(ctx, odd()); r[0].Outcome != sinks.Accepted || len(r) != 2 {
				t.Fatal(name, r)
			}
		}
		sdk, own := cloud.requests[1], cloud.requests[2]
		if own.Header.Get("X-Copied") != "yes" || sdk.Header.Get("X-Copied") != "" {
			t.Fatalf("%s: the last request was not made after the pattern", name)
		}
		if p := sink.pattern.Load(); p.header.Get(headerToken) != "" || !strings.Contains(own.Header.Get(headerAttempt), "; ttl=") {
			t.Errorf("%s: pattern %v, request %v", name, p.header, own.Header)
		}
		for _, r := range cloud.requests {
			if got := signature(t, r, cloud.forms[0]); got != r.Header.Get(headerAuthorized) {
				t.Errorf("%s: %s\nis recomputed as %s", name, r.Header.Get(headerAuthorized), got)
			}
		}
		if sdk.Header.Get(headerID) == own.Header.Get(headerID) || len(own.Header.Get(headerID)) != 36 {
			t.Errorf("%s: ids %s, %s", name, sdk.Header.Get(headerID), own.Header.Get(headerID))
		}
		for _, one := range []string{"X-Copied", headerID, headerDate, headerAuthorized} {
			sdk.Header.Del(one)
			own.Header.Del(one)
		}
		if diff := cmp.Diff(sdk.Header, own.Header); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(cloud.forms[0], cloud.forms[1]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		head := func(r *http.Request) string { return fmt.Sprint(r.Method, r.URL, r.Host, r.ContentLength) }
		if head(sdk) != head(own) {
			t.Errorf("%s: %s, the SDK's is %s", name, head(own), head(sdk))
		}
	}
}

// signature returns the header that a request must have, as the SDK's signer computes it.
func signature(t *testing.T, r *http.Request, form string) string {
	t.Helper()
	again := r.Clone(t.Context())
	again.Header.Del(headerAuthorized)
	again.Header.Del("X-Copied")
	at, err := time.Parse("20060102T150405Z", r.Header.Get(headerDate))
	if err != nil {
		t.Fatal(err)
	}
	if r.Header.Get("X-Copied") != "" {
		again.Header.Set("X-Copied", "yes")
	}
	scope := strings.Split(r.Header.Get(headerAuthorized), "/")
	keys := aws.Credentials{AccessKeyID: "KEY", SecretAccessKey: "secret", SessionToken: "token"}
	if err := v4.NewSigner().SignHTTP(t.Context(), keys, again, hashOf(form), "sns", scope[2], at); err != nil {
		t.Fatal(err)
	}
	return again.Header.Get(headerAuthorized)
}

// Any other answer than the usual one has the same results with a pattern and without one. After an error the SDK's
// client makes the next request.
func TestFaultsAreTheSameAfterThePattern(t *testing.T) {
	refuse := func(code, text string) string {
		return "<ErrorResponse><Error><Type>Sender</Type><Code>" + code + "</Code><Message>" + text + "</Message></Error></ErrorResponse>"
	}
	say := func(status int, body string) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			return answerWith(r, status, strings.NewReader(body), http.Header{"Retry-After": {"7"}}), nil
		}
	}
	for name, reply := range map[string]func(*http.Request) (*http.Response, error){
		"throttled":         say(400, refuse("Throttling", "Rate exceeded")),
		"throttled, 429":    say(429, refuse("TooManyRequestsException", "Rate exceeded")),
		"expired token":     say(403, refuse("ExpiredToken", "The security token included in the request is expired")),
		"invalid parameter": say(400, refuse("InvalidParameter", "Invalid parameter: Message too long")),
		"no such topic":     say(404, refuse("NotFound", "Topic does not exist")),
		"not authorized":    say(403, refuse("AuthorizationError", "User: u is not authorized")),
		"internal":          say(500, refuse("InternalFailure", "unknown")),
		"503 without text":  say(503, ""),
		"502 of a proxy":    say(502, "<html><body>Bad gateway</body></html>"),
		"captive portal":    say(200, "<html><body>Log in</body></html>"),
		"redirect":          say(302, "<html>Moved</html>"),
		"empty 200":         say(200, ""),
		"part":              say(200, partAnswer),
		"skewed":            say(403, refuse("SignatureDoesNotMatch", "Signature expired: a is now earlier than b")),
		"short answer":      say(200, usualAnswer[:300]),
		"no answer":         func(*http.Request) (*http.Response, error) { return nil, io.EOF },
		"reset": func(*http.Request) (*http.Response, error) {
			return nil, errors.New("read tcp: connection reset by peer")
		},
		"cut in the answer": func(r *http.Request) (*http.Response, error) {
			return answerWith(r, 200, cut(usualAnswer[:300]), nil), nil
		},
		"cut in the refusal": func(r *http.Request) (*http.Response, error) { return answerWith(r, 400, cut(refusal[:30]), nil), nil },
		"hangs": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
	} {
		results := func(before int) (results []sinks.Result, asked int, patterned bool) {
			cloud := &cloudOf{reply: takes}
			sink := newSink(t, cloud, Options{})
			for range before {
				_ = sink.Publish(t.Context(), odd())
			}
			if armed := sink.pattern.Load() != nil; armed != (before > 0) {
				t.Fatalf("%s: pattern %t after %d requests", name, armed, before)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cloud.reply = func(r *http.Request) (*http.Response, error) {
				if name == "hangs" {
					cancel()
				}
				return reply(r)
			}
			results = sink.Publish(ctx, odd())
			return results, len(cloud.requests) - before, sink.pattern.Load() != nil
		}
		want, wanted, _ := results(0)
		got, asked, patterned := results(1)
		if diff := cmp.Diff(want, got); diff != "" || asked != wanted {
			t.Errorf("%s: %d requests, want %d; %s", name, asked, wanted, diff)
		}
		if patterned != (name == "part" || name == "empty 200") {
			t.Errorf("%s: the next request was made after the pattern: %t", name, patterned)
		}
	}
}

// writes counts the writes to a connection.
type writes struct {
	net.Conn
	n *atomic.Int32
}

func (w writes) Write(b []byte) (int, error) {
	w.n.Add(1)
	return w.Conn.Write(b)
}

// A request is one write, because each write is a packet and a record of TLS.
func TestRequestIsWrittenAtOnce(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, usualAnswer)
	}))
	defer server.Close()
	var n atomic.Int32
	transport := newTransport(sinks.Dialer{}, nil)
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return writes{conn, &n}, err
	}
	defer transport.CloseIdleConnections()
	sink := newSink(t, &cloudOf{}, Options{Endpoint: server.URL})
	sink.http = &http.Client{Transport: ownBody{transport}}
	msgs := sinktest.Messages(10)
	for i := range msgs {
		msgs[i].Body = []byte(strings.Repeat(`{"data":1}`, 28)) // of the usual size
	}
	for i := range int32(4) {
		if _ = sink.Publish(t.Context(), msgs); n.Load() != i+1 || i > 0 && sink.pattern.Load() == nil {
			t.Errorf("%d writes for %d requests", n.Load(), i+1)
		}
	}
}

// cut is a text that ends with its connection.
func cut(text string) io.Reader {
	return io.MultiReader(strings.NewReader(text), failing{io.ErrUnexpectedEOF})
}

func hashOf(form string) string {
	sum := sha256.Sum256([]byte(form))
	return hex.EncodeToString(sum[:])
}
