package sns_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"noi-agent/sinks"
	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sns"
)

// A server in between answers in its own words: the sink shows the status and the first words.
func TestAnswerThatIsNotOfAWSIsQuoted(t *testing.T) {
	withKeys(t)
	const page = "<!DOCTYPE html><html><head><style>p{color:red}</style><title>Hotel WiFi</title></head><body><p>Please <b>log in</b>\x1b[31m</p></body></html>"
	var status int
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	for _, c := range []struct {
		status  int
		body    string
		outcome sinks.Outcome
		code    string
		part    string
	}{
		{403, "", sinks.Wait, "HTTP 403", "HTTP status 403 Forbidden, and no answer of AWS in it (does a captive portal or a proxy answer"},
		{404, "no such page", sinks.Wait, "HTTP 404", `HTTP status 404 Not Found, and no answer of AWS in it: "no such page" (`},
		{413, page, sinks.Wait, "HTTP 413", `: "Hotel WiFi Please log in [31m" (does`},
		{403, strings.Repeat("x ", 100_000), sinks.Wait, "HTTP 403", `x …" (does`},
		{408, "", sinks.Retry, "HTTP 408", "HTTP status 408 Request Timeout"},
		{425, "", sinks.Retry, "HTTP 425", "HTTP status 425 Too Early"},
		{429, "", sinks.Retry, "HTTP 429", "HTTP status 429"},
		{503, page, sinks.Retry, "HTTP 503", "Hotel WiFi"},
		{302, page, sinks.Retry, "HTTP 302", "Hotel WiFi"},
	} {
		status, body = c.status, c.body
		sink := mustNew(t, sns.Options{Endpoint: server.URL})
		r := sink.Publish(t.Context(), sinktest.Messages(1))[0]
		if r.Outcome != c.outcome || r.Code != c.code || !strings.Contains(r.Text, c.part) || len(r.Text) > 400 {
			t.Errorf("%d %.20q: %s (%s), want %s and %q", c.status, c.body, r.Outcome, r.Error(), c.outcome, c.part)
		}
		if r.Outcome == sinks.Wait && !strings.Contains(sink.Remedy(r), "captive portal") {
			t.Errorf("remedy: %s", sink.Remedy(r))
		}
	}
}

// Contradicting settings wait for the operator, and are named. No request is sent.
func TestEndpointSettingThatCannotBeIsNamed(t *testing.T) {
	for _, c := range []struct{ name, value, profile, endpoint, part string }{
		{"AWS_USE_FIPS_ENDPOINT", "true", "", "http://127.0.0.1:1", "AWS_USE_FIPS_ENDPOINT (use_fips_endpoint) of the environment or profile default, beside endpoint of the integration"},
		{"AWS_USE_DUALSTACK_ENDPOINT", "true", "", "http://127.0.0.1:1", "AWS_USE_DUALSTACK_ENDPOINT (use_dualstack_endpoint) of the environment or profile default, beside endpoint"},
		{"AWS_ENDPOINT_URL_SNS", "127.0.0.1:1", "", "", "AWS_ENDPOINT_URL_SNS or AWS_ENDPOINT_URL (endpoint_url) of the environment or profile default"},
		{"AWS_ENDPOINT_URL_SNS", "http://%zz", "", "", "AWS_ENDPOINT_URL_SNS"},
		{"AWS_ENDPOINT_URL", "sns.example", "", "", "AWS_ENDPOINT_URL"},
		{"", "", "use_fips_endpoint = true", "http://127.0.0.1:1", "use_fips_endpoint"},
		{"", "", "endpoint_url = nonsense", "", "endpoint_url"},
	} {
		withKeys(t)
		t.Setenv("AWS_USE_FIPS_ENDPOINT", "")
		t.Setenv("AWS_USE_DUALSTACK_ENDPOINT", "")
		if c.name != "" {
			t.Setenv(c.name, c.value)
		}
		if c.profile != "" {
			mustWrite(t, os.Getenv("HOME")+"/config", "[default]\n"+c.profile+"\n", 0o600)
		}
		sink := mustNew(t, sns.Options{Endpoint: c.endpoint})
		r := sink.Publish(t.Context(), sinktest.Messages(1))[0]
		if r.Outcome != sinks.Wait || r.Code != "EndpointError" || !strings.Contains(r.Text, c.part) || !strings.Contains(sink.Remedy(r), "the setting that the text above names") {
			t.Errorf("%+v: %s (%s)", c, r.Outcome, r.Error())
		}
	}
}
