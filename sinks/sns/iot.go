package sns

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"noi-agent/sinks"
)

// IoT has the settings by which AWS IoT Core gives credentials for the certificate of a device (AWS IoT Developer
// Guide, "Authorizing direct calls to AWS services using AWS IoT Core credential provider"). The zero IoT is none.
type IoT struct {
	Endpoint    string // host, with or without a port: ID.credentials.iot.REGION.amazonaws.com
	RoleAlias   string // the alias of the role, as `aws iot create-role-alias` made it
	Certificate string // PEM file of the device's certificate, and its chain when it has one
	Key         string // PEM file of its private key
	Thing       string // thing name; "": the policy does not require one
}

const (
	// iotTimeout limits one request. The SDK lets the request continue after its caller has stopped waiting.
	iotTimeout = 30 * time.Second
	// iotWindow is how long before their end the credentials are requested again.
	iotWindow = time.Minute
)

// iotProvider is an aws.CredentialsProvider. It reads the files for each request, because a certificate may be
// replaced while the daemon runs.
type iotProvider struct {
	o    IoT
	base *http.Transport // without the certificate
}

// Retrieve is part of aws.CredentialsProvider.
func (p *iotProvider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	cert, err := p.certificate()
	if err != nil {
		return aws.Credentials{}, err
	}
	transport := p.base.Clone()
	transport.TLSClientConfig.Certificates = []tls.Certificate{cert}
	client := &http.Client{Transport: transport, Timeout: iotTimeout, CheckRedirect: stayHere}
	u := url.URL{Scheme: "https", Host: p.o.Endpoint, Path: "/role-aliases/" + p.o.RoleAlias + "/credentials"}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return aws.Credentials{}, &iotFault{text: "iot.endpoint " + p.o.Endpoint + " is not a host"}
	}
	if p.o.Thing != "" {
		req.Header.Set("x-amzn-iot-thingname", p.o.Thing)
	}
	resp, err := client.Do(req)
	if err != nil {
		return aws.Credentials{}, p.lost(err)
	}
	defer func() { _ = resp.Body.Close() }() // read as far as needed
	body, err := io.ReadAll(sinks.BoundBody(resp.Body))
	if err != nil {
		return aws.Credentials{}, p.lost(err)
	}
	return parseIoT(resp, body)
}

// certificate reads certificate and key. An error never quotes them.
func (p *iotProvider) certificate() (tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(p.o.Certificate, p.o.Key)
	var file *fs.PathError
	switch {
	case err == nil:
		return cert, nil
	case errors.As(err, &file) && errors.Is(err, fs.ErrNotExist):
		return cert, &iotFault{text: file.Path +
			" is not there; iot.certificate and iot.key name the PEM files of the device"}
	case errors.As(err, &file):
		return cert, &iotFault{text: file.Path + " is not readable by this user"}
	default: // the texts of crypto/tls name PEM blocks and key types, and quote nothing
		return cert, &iotFault{text: "certificate " + p.o.Certificate + " with key " + p.o.Key + ": " + err.Error()}
	}
}

// lost distinguishes a server that refuses the certificate during TLS from a failing network.
func (p *iotProvider) lost(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return &iotFault{text: p.o.Endpoint + " refuses the certificate " + p.o.Certificate + ": " + op.Err.Error()}
	}
	return err
}

// iotFault is an answer of the credential provider without credentials, or the reason why it was not asked.
type iotFault struct {
	status int    // HTTP status; 0: there was no request, or no answer over HTTP
	code   string // its error type; "" for none
	text   string
	after  time.Duration
}

// Error returns the fault in one line.
func (e *iotFault) Error() string { return iotWords + e.text }

// iotWords are the begin of every text about AWS IoT.
const iotWords = "AWS IoT credentials: "

// result returns the outcome of the fault: Retry if the service fails, Wait if it refuses.
func (e *iotFault) result() sinks.Result {
	code := e.code
	if code == "" {
		code = sinks.CodeCredentials
	}
	if e.status == http.StatusTooManyRequests || e.status >= http.StatusInternalServerError {
		r := sinks.Failed(sinks.Retry, code, e.Error())
		r.After = e.after
		return r
	}
	return sinks.Failed(sinks.Wait, code, e.Error())
}

func parseIoT(resp *http.Response, body []byte) (aws.Credentials, error) {
	var answer struct {
		Credentials struct {
			AccessKeyID     string    `json:"accessKeyId"`
			SecretAccessKey string    `json:"secretAccessKey"`
			SessionToken    string    `json:"sessionToken"`
			Expiration      time.Time `json:"expiration"`
		} `json:"credentials"`
		Message string `json:"message"`
	}
	err := json.Unmarshal(body, &answer)
	c := answer.Credentials
	switch {
	case resp.StatusCode != http.StatusOK:
		text := answer.Message
		if err != nil || text == "" {
			text = fmt.Sprintf("HTTP status %d without an explanation", resp.StatusCode)
		}
		return aws.Credentials{}, &iotFault{status: resp.StatusCode, code: iotCode(resp.Header), text: text,
			after: sinks.RetryAfter(resp.Header)}
	case err != nil || c.AccessKeyID == "" || c.SecretAccessKey == "" || c.SessionToken == "" || c.Expiration.IsZero():
		return aws.Credentials{},
			&iotFault{text: "the answer has no credentials in it: is iot.endpoint the host of `aws iot " +
				"describe-endpoint --endpoint-type iot:CredentialProvider`?"}
	}
	return aws.Credentials{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
		CanExpire: true, Expires: c.Expiration, Source: "AWSIoT",
	}, nil
}

// iotCode returns the type of the error, which comes before a colon and an address.
func iotCode(h http.Header) string {
	code := h.Get("X-Amzn-Errortype")
	for i, r := range code {
		if (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return code[:i]
		}
	}
	return code
}
