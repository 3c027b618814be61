package sns

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"noi-agent/sinks"
)

// connect finds credentials and makes the client. ok is false if there are no credentials; fault has the reason. After
// that, connect only renews the credentials, which the SDK caches.
func (s *Sink) connect(ctx context.Context) (fault sinks.Result, ok bool) {
	if s.closed {
		return sinks.Failed(sinks.Retry, sinks.CodeClosed, "the sink was closed"), false
	}
	if s.client == nil {
		if fault, ok := s.load(ctx); !ok {
			return fault, false
		}
	}
	keys, err := s.creds.Retrieve(ctx)
	if err != nil {
		fault := s.credentialFault(ctx, err)
		// A client that has learnt the time is kept, see forget.
		if s.givesUp(ctx) && fault.Code != sinks.CodeClock {
			s.client, s.creds = nil, nil
			s.endProcess()
		}
		return fault, false
	}
	s.keys, s.unanswered = keys, 0
	return sinks.Result{}, true
}

// mostUnanswered is how many attempts in a row wait for one answer about credentials: three minutes, which is longer
// than any time limit of these services.
const mostUnanswered = 3

// givesUp reports whether credentials must be requested again after an attempt without credentials. When ctx has ended,
// a credential_process may still run, and must not get a second one beside it. But the SDK may wait for it for ever:
// child processes of a credential_process can outlive it, and keep its output open.
func (s *Sink) givesUp(ctx context.Context) bool {
	s.unanswered++
	if ctx.Err() != nil && s.unanswered < mostUnanswered {
		return false
	}
	s.unanswered = 0
	return true
}

// endProcess ends a credential_process that still runs.
func (s *Sink) endProcess() {
	if s.process != nil {
		s.process.close()
		s.process = nil
	}
}

// load reads environment and shared files. It does not use the network: without the metadata service, the chain sends
// no request before Retrieve.
func (s *Sink) load(ctx context.Context) (fault sinks.Result, ok bool) {
	roots, err := sinks.Roots(s.o.CAFile)
	if err != nil {
		return sinks.Failed(sinks.Wait, sinks.CodeCAFile, err.Error()), false
	}
	cfg, err := config.LoadDefaultConfig(ctx, s.loadOptions(newLoader(s.o.dialer(), roots))...)
	if err != nil {
		return s.credentialFault(ctx, err), false
	}
	roots = rootsOf(cfg.HTTPClient) // with AWS_CA_BUNDLE's
	s.own(&cfg)
	if s.o.IoT != (IoT{}) {
		base := newTransport(s.o.dialer().Question(), roots)
		base.DisableKeepAlives = true // credentials last an hour
		cfg.Credentials = aws.NewCredentialsCache(&iotProvider{o: s.o.IoT, base: base},
			func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = iotWindow })
	}
	// The chain ends with the metadata service: if the SDK has chosen it, it has found nothing before.
	if !s.o.IMDS && aws.IsCredentialsProvider(cfg.Credentials, (*ec2rolecreds.Provider)(nil)) {
		return s.missing(), false
	}
	if s.o.RoleARN != "" {
		cfg.Credentials = aws.NewCredentialsCache(s.role(cfg))
	}
	cfg.Credentials = s.steady(cfg.Credentials)
	if s.http == nil {
		s.http = newHTTPClient(s.o.dialer(), roots)
	}
	s.creds, s.config = cfg.Credentials, cfg
	s.client = sns.NewFromConfig(cfg, func(o *sns.Options) {
		o.HTTPClient = s.http
		if s.o.Endpoint != "" {
			o.BaseEndpoint = aws.String(s.o.Endpoint)
		}
	})
	if fault, ok := s.checkEndpoint(ctx); !ok {
		s.client, s.creds = nil, nil
		return fault, false
	}
	s.log.Debug("AWS configuration read", "topic", s.o.TopicARN, "profile", s.profile())
	return sinks.Result{}, true
}

func (s *Sink) loadOptions(client aws.HTTPClient) []func(*config.LoadOptions) error {
	state := imds.ClientDisabled
	if s.o.IMDS {
		state = imds.ClientEnabled
	}
	opts := []func(*config.LoadOptions) error{
		config.WithRegion(s.o.Region),
		config.WithHTTPClient(client),
		// otherwise the SDK makes a client without limits
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = client }),
		config.WithEC2IMDSClientEnableState(state),
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
		config.WithLogger(logging.Nop{}), // the default writes to stderr, and not to our log
	}
	if s.o.Profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(s.o.Profile))
	}
	return opts
}

// roleDuration is how long the credentials of a role last. It is the longest time that AWS allows if the role is
// assumed with the credentials of another role, and every role allows it.
const roleDuration = time.Hour

// role assumes Options.RoleARN with the credentials of cfg, at the STS of the topic's region.
func (s *Sink) role(cfg aws.Config) aws.CredentialsProvider {
	return stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), s.o.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = sessionName(s.o.Device)
		o.Duration = roleDuration
		if s.o.ExternalID != "" {
			o.ExternalID = aws.String(s.o.ExternalID)
		}
	})
}

// sessionName is the name of the gateway in the logs of AWS: 2 to 64 letters, digits and _+=,.@- (STS API reference,
// AssumeRole).
func sessionName(device string) string {
	if device == "" {
		return "noi-agent"
	}
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_+=,.@-", r) {
			return r
		}
		return '-'
	}, "noi-"+device)
	return name[:min(len(name), 64)]
}

func rootsOf(c aws.HTTPClient) *x509.CertPool {
	if b, ok := c.(*awshttp.BuildableClient); ok && b.GetTransport().TLSClientConfig != nil {
		return b.GetTransport().TLSClientConfig.RootCAs
	}
	return nil
}

// credentialFault returns the error of the credentials. It never includes the output of a credential_process, because
// that is the secret itself.
func (s *Sink) credentialFault(ctx context.Context, err error) sinks.Result {
	var (
		noProfile config.SharedConfigProfileNotExistError
		badFile   config.SharedConfigLoadError
		process   *processcreds.ProviderError
		iot       *iotFault
		api       smithy.APIError
		file      *fs.PathError
	)
	switch {
	case errors.As(err, &iot):
		return iot.result()
	case errors.As(err, &noProfile):
		return s.noProfile()
	case errors.As(err, &badFile):
		return sinks.Failed(sinks.Wait, sinks.CodeCredentials,
			badFile.Filename+" is malformed; it is an INI file with [profile] sections")
	case errors.As(err, &process):
		return sinks.Failed(sinks.Wait, sinks.CodeCredentials, processText(s.profile(), process))
	case s.o.IMDS && aws.IsCredentialsProvider(s.creds, (*ec2rolecreds.Provider)(nil)):
		return s.missing()
	case ctx.Err() != nil, errors.As(err, &api), networkText(err) != "":
		return noReject(classify(ctx, err)) // the answer of a token service, or no answer
	case errors.As(err, &file): // AWS_CA_BUNDLE, or a web identity token
		return sinks.Failed(sinks.Wait, sinks.CodeCredentials, "AWS configuration: "+file.Error())
	default:
		return sinks.Failed(sinks.Wait, sinks.CodeCredentials,
			"AWS configuration, profile "+s.profile()+": "+innermost(err).Error())
	}
}

// noReject turns Reject of a token service into Wait, because the error is not about the messages.
func noReject(fault sinks.Result) sinks.Result {
	if fault.Outcome == sinks.Reject {
		fault.Outcome = sinks.Wait
	}
	return fault
}

func processText(profile string, err *processcreds.ProviderError) string {
	text := "credential_process of profile " + profile
	var exit *exec.ExitError
	switch {
	case errors.Is(err, errPrinted):
		return text + " is not one: " + errPrinted.Error()
	case errors.Is(err, exec.ErrWaitDelay):
		return text + " has ended, and what it has started holds its output open"
	case errors.As(err, &exit):
		return text + " failed: " + exit.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return text + " did not end in time"
	default:
		return text + " did not print credentials as the AWS SDKs want them (JSON with Version 1, AccessKeyId and " +
			"SecretAccessKey)"
	}
}

// missing returns the places that were searched for credentials, and the way out.
func (s *Sink) missing() sinks.Result {
	credentials, conf := sharedFiles()
	metadata := "EC2 metadata off"
	if s.o.IMDS {
		metadata = "EC2 metadata (no answer)"
	}
	text := fmt.Sprintf("no AWS credentials found: looked in the environment (AWS_ACCESS_KEY_ID), profile %s of %s "+
		"and %s (keys or credential_process), "+
		"web identity (AWS_WEB_IDENTITY_TOKEN_FILE); %s. Put keys in one of these places", s.profile(), credentials,
		conf, metadata)
	return sinks.Failed(sinks.Wait, sinks.CodeMissingCredentials, text)
}

// noProfile is the fault if a configured profile is in no file. Keys in other places do not count then.
func (s *Sink) noProfile() sinks.Result {
	credentials, conf := sharedFiles()
	text := fmt.Sprintf("no AWS profile %q in %s or %s. Add it there, or name the right one in the integration",
		s.profile(), credentials, conf)
	return sinks.Failed(sinks.Wait, sinks.CodeMissingCredentials, text)
}

// sharedFiles returns the paths of the two files of the AWS tools on this gateway.
func sharedFiles() (credentials, conf string) {
	return fileState("AWS_SHARED_CREDENTIALS_FILE", config.DefaultSharedCredentialsFilename()),
		fileState("AWS_CONFIG_FILE", config.DefaultSharedConfigFilename())
}

// fileState returns the path of a shared file, and why it was not used. The SDK ignores files that it has no permission
// to read, without an error. This happens if the files belong to another user than the daemon.
func fileState(env, path string) string {
	if p := os.Getenv(env); p != "" {
		path = p
	}
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path + " (not there)"
	case errors.Is(err, fs.ErrPermission):
		return path + " (not readable by this user)"
	case err != nil:
		return path + " (not readable)"
	}
	_ = f.Close() // opened for reading only
	return path
}

func (s *Sink) profile() string {
	for _, p := range []string{s.o.Profile, os.Getenv("AWS_PROFILE"), os.Getenv("AWS_DEFAULT_PROFILE")} {
		if p = strings.TrimSpace(p); p != "" {
			return p
		}
	}
	return config.DefaultSharedConfigProfile
}
