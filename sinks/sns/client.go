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

// connect finds credentials and makes the client; ok is false when there is none, and fault
// says why. Once found, credentials are only asked for their renewal, which the SDK caches.
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
		// A client that learnt the time is worth keeping, see forget.
		if s.givesUp(ctx) && fault.Code != sinks.CodeClock {
			s.client, s.creds = nil, nil
			s.endProcess()
		}
		return fault, false
	}
	s.keys, s.unanswered = keys, 0
	return sinks.Result{}, true
}

// mostUnanswered is how many attempts in a row wait for one answer to the question for credentials: three minutes,
// beyond any bound of the services that are asked.
const mostUnanswered = 3

// givesUp reports whether credentials are to be asked for again after ctx's attempt had none. When ctx has ended, a
// credential_process may still be at work, and is not to have a second beside it. But the SDK may wait for it for good:
// what a helper has started can outlive it, and holds its output open.
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

// load reads environment and shared files. It does not touch the network: with the metadata
// service off, nothing in the chain is asked before Retrieve.
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
	// The chain ends in the metadata service: standing there means that nothing was found before.
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
		// or it makes one without bounds
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = client }),
		config.WithEC2IMDSClientEnableState(state),
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
		config.WithLogger(logging.Nop{}), // the default writes to stderr past our log
	}
	if s.o.Profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(s.o.Profile))
	}
	return opts
}

// roleDuration is how long the credentials of a role last: the most that AWS grants where those it
// is assumed with are a role's too, and the least that any role allows as its own longest.
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

// sessionName is what AWS's own logs call the gateway: 2 to 64 letters, digits and _+=,.@- (STS API
// reference, AssumeRole).
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

// credentialFault names what is wrong with the credentials. It never passes on what a
// credential_process printed, because that is the secret itself.
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
		return noReject(classify(ctx, err)) // a token service was asked: its answer, or none
	case errors.As(err, &file): // AWS_CA_BUNDLE, or a web identity token
		return sinks.Failed(sinks.Wait, sinks.CodeCredentials, "AWS configuration: "+file.Error())
	default:
		return sinks.Failed(sinks.Wait, sinks.CodeCredentials,
			"AWS configuration, profile "+s.profile()+": "+innermost(err).Error())
	}
}

// noReject makes a refusal by a token service one that waits: it says nothing of the messages.
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

// missing says where credentials were looked for, and the way out.
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

// noProfile is for a profile that is named and that no file has. Keys elsewhere do not count then.
func (s *Sink) noProfile() sinks.Result {
	credentials, conf := sharedFiles()
	text := fmt.Sprintf("no AWS profile %q in %s or %s. Add it there, or name the right one in the integration",
		s.profile(), credentials, conf)
	return sinks.Failed(sinks.Wait, sinks.CodeMissingCredentials, text)
}

// sharedFiles names the two files of the AWS tools as they are found here.
func sharedFiles() (credentials, conf string) {
	return fileState("AWS_SHARED_CREDENTIALS_FILE", config.DefaultSharedCredentialsFilename()),
		fileState("AWS_CONFIG_FILE", config.DefaultSharedConfigFilename())
}

// fileState names a shared file and why it did not help. The SDK passes silently over files it
// may not read, the usual fault when they belong to another user than the daemon's.
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
