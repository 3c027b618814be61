package sns

import (
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// own replaces two sources of credentials of the SDK that have no limits. One is the metadata service, whose client
// makes its own connections. The other is a credential_process, even if a role is assumed with its output.
func (s *Sink) own(cfg *aws.Config) {
	if s.o.IMDS && aws.IsCredentialsProvider(cfg.Credentials, (*ec2rolecreds.Provider)(nil)) {
		cfg.Credentials = s.metadata(*cfg)
		return
	}
	if !aws.IsCredentialsProvider(cfg.Credentials, (*processcreds.Provider)(nil)) &&
		!aws.IsCredentialsProvider(cfg.Credentials, (*stscreds.AssumeRoleProvider)(nil)) {
		return
	}
	for _, source := range cfg.ConfigSources {
		if shared, ok := source.(config.SharedConfig); ok {
			if found := s.processOf(*cfg, &shared); found != nil {
				cfg.Credentials = found
			}
			return
		}
	}
}

// metadataTimeout limits one request to the metadata service, which is in the local network.
const metadataTimeout = 5 * time.Second

func (s *Sink) metadata(cfg aws.Config) aws.CredentialsProvider {
	transport := newTransport(s.o.dialer().Question(), nil)
	transport.Proxy, transport.DisableKeepAlives = nil, true
	cfg.HTTPClient = &http.Client{Transport: transport, Timeout: metadataTimeout, CheckRedirect: stayHere}
	return aws.NewCredentialsCache(ec2rolecreds.New(func(o *ec2rolecreds.Options) {
		o.Client = imds.NewFromConfig(cfg)
	}))
}

// processOf returns the credentials of a profile from a credential_process, with the profile's role if it has one;
// nil for other profiles. The order of the cases is the order of the SDK.
func (s *Sink) processOf(cfg aws.Config, profile *config.SharedConfig) aws.CredentialsProvider {
	switch {
	case profile.Source != nil:
		if cfg.Credentials = s.processOf(cfg, profile.Source); cfg.Credentials == nil {
			return nil
		}
	case profile.Credentials.HasKeys(), profile.CredentialSource != "", profile.WebIdentityTokenFile != "",
		profile.LoginSession != "",
		profile.SSOSessionName != "", profile.SSOStartURL != "", profile.CredentialProcess == "":
		return nil
	default:
		if s.process == nil || s.process.command != profile.CredentialProcess {
			s.process = newProcess(profile.CredentialProcess)
		}
		cfg.Credentials = aws.NewCredentialsCache(s.process)
	}
	if profile.RoleARN == "" {
		return cfg.Credentials
	}
	return aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), profile.RoleARN,
		func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = profile.RoleSessionName
			if profile.RoleDurationSeconds != nil {
				o.Duration = *profile.RoleDurationSeconds
			}
			if profile.ExternalID != "" {
				o.ExternalID = aws.String(profile.ExternalID)
			}
		}))
}
