package sns

import (
	"context"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"noi-agent/sinks"
)

// checkEndpoint determines the address of requests before a request is made. ok is false if the settings of
// environment, profile and integration contradict each other; fault then names the setting.
func (s *Sink) checkEndpoint(ctx context.Context) (fault sinks.Result, ok bool) {
	params := s.endpointParams()
	found, err := sns.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, params)
	if err != nil {
		return sinks.Failed(sinks.Wait, codeSetting, s.endpointSetting(params)+": "+err.Error()), false
	}
	if u := found.URI; (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return sinks.Failed(sinks.Wait, codeSetting,
			s.endpointSetting(params)+": "+printable(u)+" is not a URL as in https://HOST"), false
	}
	return sinks.Result{}, true
}

// printable returns a URL without its user and password.
func printable(u url.URL) string {
	u.User = nil
	return u.String()
}

// endpointParams are the settings that determine the endpoint.
func (s *Sink) endpointParams() sns.EndpointParameters {
	params := sns.EndpointParameters{Region: aws.String(s.o.Region), UseDualStack: aws.Bool(false),
		UseFIPS: aws.Bool(false)}
	if s.o.Endpoint != "" {
		params.Endpoint = aws.String(s.o.Endpoint)
	}
	if s.client != nil {
		o := s.client.Options()
		params.Endpoint = o.BaseEndpoint
		params.UseDualStack = aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled)
		params.UseFIPS = aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled)
	}
	return params
}

// endpointSetting names the wrong setting if params give no endpoint.
func (s *Sink) endpointSetting(params sns.EndpointParameters) string {
	beside := " of the environment or profile " + s.profile()
	if params.Endpoint != nil && s.o.Endpoint != "" {
		beside += ", beside endpoint of the integration"
	}
	switch {
	case aws.ToBool(params.UseFIPS):
		return "AWS_USE_FIPS_ENDPOINT (use_fips_endpoint)" + beside
	case aws.ToBool(params.UseDualStack):
		return "AWS_USE_DUALSTACK_ENDPOINT (use_dualstack_endpoint)" + beside
	case s.o.Endpoint != "":
		return "endpoint of the integration"
	case params.Endpoint != nil:
		return "AWS_ENDPOINT_URL_SNS or AWS_ENDPOINT_URL (endpoint_url)" + beside
	default:
		return "region " + s.o.Region
	}
}
