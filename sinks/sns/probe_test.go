package sns_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"noi-agent/sinks"
	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sinktest/standin"
	"noi-agent/sinks/sns"
)

// probe runs a probe of a sink, and checks that it shows no secret.
func probe(t *testing.T, sink *sns.Sink) (lines []string, remedies map[string]string, ok bool) {
	t.Helper()
	return sinktest.Probe(t, sink.Probe, secret, standin.SecretAccessKey, standin.AccessKeyID)
}

func TestProbeOfAGoodWay(t *testing.T) {
	withKeys(t)
	t.Setenv("AWS_SESSION_TOKEN", secret)
	cloud := mustStart(t, standin.SNSOptions{})
	t.Setenv("AWS_ENDPOINT_URL_STS", cloud.URL())
	lines, _, ok := probe(t, mustNew(t, sns.Options{Endpoint: cloud.URL()}))
	if !ok || cloud.Taken() != 0 {
		t.Errorf("ok %t, %d messages", ok, cloud.Taken())
	}
	sinktest.HasLines(t, lines,
		"credentials ok access key …0000 from the environment (AWS_ACCESS_KEY_ID)",
		"endpoint ok "+cloud.Addr()+" answers; no TLS",
		"identity ok "+standin.CallerARN,
		"topic ok "+arn+" exists, subscriptions: 1")
}

// The real STS does not know an emulator's key, and no byte may be sent to it.
func TestProbeAsksNoRealSTSForAnEmulator(t *testing.T) {
	withKeys(t)
	cloud := mustStart(t, standin.SNSOptions{})
	lines, _, ok := probe(t, mustNew(t, sns.Options{Endpoint: cloud.URL()}))
	if !ok || !strings.HasPrefix(lines[2], "identity skipped ") {
		t.Errorf("ok %t: %s", ok, lines)
	}
}

func TestProbeSaysWhereCredentialsAreFrom(t *testing.T) {
	cleanEnv(t)
	cloud := mustStart(t, standin.SNSOptions{})
	home := os.Getenv("HOME")
	keys := "aws_access_key_id=" + standin.AccessKeyID + "\naws_secret_access_key=" + standin.SecretAccessKey + "\n"
	mustWrite(t, home+"/credentials", "[roof]\n"+keys, 0o600)
	mustWrite(t, home+"/config", "[profile helper]\ncredential_process = echo '{\"Version\":1,\"AccessKeyId\":\""+standin.AccessKeyID+"\",\"SecretAccessKey\":\""+standin.SecretAccessKey+"\"}'\n", 0o600)
	rig := startIoT(t)
	for _, c := range []struct {
		o    sns.Options
		want string
	}{
		{sns.Options{Profile: "roof"}, "access key …0000 from profile roof of " + home + "/credentials"},
		{sns.Options{Profile: "helper"}, "access key …0000 from credential_process of profile helper"},
		{sns.Options{IoT: rig.options, CAFile: rig.ca.File}, "from AWS IoT (" + rig.options.Endpoint + ", role alias noi-publisher, certificate " + rig.options.Certificate + "), until 20"},
	} {
		c.o.Endpoint = cloud.URL()
		lines, _, ok := probe(t, mustNew(t, c.o))
		if !ok || !strings.Contains(lines[0], c.want) {
			t.Errorf("ok %t: %s, want %q", ok, lines[0], c.want)
		}
	}
}

func TestProbeWithoutCredentialsStillLooksAtTheEndpoint(t *testing.T) {
	cleanEnv(t)
	cloud := mustStart(t, standin.SNSOptions{})
	lines, remedies, ok := probe(t, mustNew(t, sns.Options{Endpoint: cloud.URL(), Profile: ""}))
	if ok {
		t.Error("the probe succeeds without credentials")
	}
	sinktest.HasLines(t, lines, "credentials FAILED MissingCredentials: no AWS credentials found", "endpoint ok", "identity skipped", "topic skipped")
	if !strings.Contains(remedies["credentials"], "sudo -u noi-agent -H aws configure --profile default") {
		t.Errorf("remedy: %s", remedies["credentials"])
	}
}

// The text of a refusal, and the remedy with the right names.
func TestProbeNamesTheRemedyOfARefusal(t *testing.T) {
	for _, c := range []struct {
		action string
		fault  standin.Fault
		line   int
		want   string
		remedy string
	}{
		{standin.GetCallerIdentity, standin.Fault{Status: 403, Code: "InvalidClientTokenId", Text: "The security token included in the request is invalid."}, 2,
			"identity FAILED InvalidClientTokenId", "aws iam list-access-keys --user-name NAME"},
		{standin.GetCallerIdentity, standin.Fault{Status: 403, Code: "ExpiredToken", Text: "The security token included in the request is expired"}, 2,
			"identity FAILED ExpiredToken", "credential_process, role_arn, iot"},
		{standin.GetCallerIdentity, standin.Fault{Status: 403, Code: "SignatureDoesNotMatch", Text: "Signature expired: a is now earlier than b"}, 2,
			"identity FAILED ClockError", "timedatectl set-ntp true"},
		{standin.GetCallerIdentity, standin.Fault{Status: 503, Code: "ServiceUnavailable", Text: "no"}, 2, "identity unknown STS does not say", ""},
		{standin.GetTopicAttributes, standin.Fault{Status: 403, Code: "AuthorizationError", Text: "User: u is not authorized to perform: SNS:GetTopicAttributes"}, 3,
			"topic unknown whether " + arn + " exists cannot be checked: no right to SNS:GetTopicAttributes", ""},
		{standin.GetTopicAttributes, standin.Fault{Status: 400, Code: "InvalidAction", Text: "no"}, 3, "topic unknown", ""},
		{standin.GetTopicAttributes, standin.Fault{Status: 404, Code: "NotFound", Text: "Topic does not exist"}, 3,
			"topic FAILED NotFound: Topic does not exist", "aws sns create-topic --name MainSolarData --region us-east-2"},
	} {
		withKeys(t)
		cloud := mustStart(t, standin.SNSOptions{})
		t.Setenv("AWS_ENDPOINT_URL_STS", cloud.URL())
		cloud.SetLookFault(c.action, c.fault)
		lines, remedies, ok := probe(t, mustNew(t, sns.Options{Endpoint: cloud.URL()}))
		name, _, _ := strings.Cut(c.want, " ")
		if !strings.HasPrefix(lines[c.line], c.want) || !strings.Contains(remedies[name], c.remedy) || ok != (c.remedy == "") {
			t.Errorf("%s: ok %t, %s\n%s\nwant %s\n%s", c.fault.Code, ok, lines[c.line], remedies[name], c.want, c.remedy)
		}
	}
}

func TestRemedyOfADeniedPublisherNamesWhoAndWhat(t *testing.T) {
	const policy = `'{"Version":"2012-10-17","Statement":[{"Sid":"NoiPublish","Effect":"Allow","Action":"sns:Publish","Resource":"` + arn + `"}]}'`
	denied := func(who string) string {
		return "User: " + who + " is not authorized to perform: SNS:Publish on resource: " + arn
	}
	sink := mustNew(t, sns.Options{RoleARN: roleARN, ExternalID: "solar-42"})
	for _, c := range []struct{ code, text, want, not string }{
		{"AuthorizationError", denied("arn:aws:iam::393221637266:user/site/noi"), "aws iam put-user-policy --user-name noi --policy-name noi-publish --policy-document " + policy, "add-permission"},
		{"AuthorizationError", denied("arn:aws:sts::393221637266:assumed-role/noi-role/noi-5300"), "aws iam put-role-policy --role-name noi-role --policy-name noi-publish --policy-document " + policy, "add-permission"},
		{"AuthorizationError", denied("arn:aws:iam::123456789012:user/noi"), "aws sns add-permission --topic-arn " + arn + " --region us-east-2 --label noi-publish --aws-account-id 123456789012", "nothing"},
		{"AuthorizationError", denied("arn:aws:iam::123456789012:user/noi") + " with an explicit deny in a service control policy", "take the Deny", "put-user-policy"},
		{"AccessDenied", "User: arn:aws:iam::123456789012:user/noi is not authorized to perform: sts:AssumeRole on resource: " + roleARN,
			`aws iam update-assume-role-policy --role-name noi-publisher --policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/noi"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"solar-42"}}}]}'`, "sns:Publish"},
		// a hostile answer
		{"AuthorizationError", denied("arn:aws:iam::123456789012:user/noi;id>x"), `--role-name noi-publisher `, ";id"},
		{"KMSAccessDenied", "no", "kms:GenerateDataKey", "sns:Publish"},
		{"InvalidParameter", "Invalid parameter: Message", "The message itself is refused", "aws "},
		{"OptInRequired", "no", "--region-name us-east-2", "sns:Publish"},
		{"Throttling", "Rate exceeded", "usually temporary", "aws "},
	} {
		outcome := sinks.Wait
		switch c.code {
		case "Throttling":
			outcome = sinks.Retry
		case "InvalidParameter":
			outcome = sinks.Reject
		}
		got := sink.Remedy(sinks.Failed(outcome, c.code, c.text))
		if !strings.Contains(got, c.want) || strings.Contains(got, c.not) {
			t.Errorf("%s %s:\n%s\nwant %s", c.code, c.text, got, c.want)
		}
	}
	if got := sink.Remedy(sinks.Result{Outcome: sinks.Accepted}); got != "" {
		t.Errorf("remedy of a delivery: %s", got)
	}
}

func TestRemedyOfARefusedCertificateHasItsPolicy(t *testing.T) {
	cleanEnv(t)
	rig := startIoT(t)
	rig.status, rig.body = 403, `{"message":"Access Denied"}`
	_, remedies, ok := probe(t, mustNew(t, sns.Options{IoT: rig.options, CAFile: rig.ca.File, Endpoint: "http://127.0.0.1:1"}))
	for _, want := range []string{
		"--thing-name noi-42", "describe-role-alias --role-alias noi-publisher",
		`"Action":"iot:AssumeRoleWithCertificate","Resource":"arn:aws:iot:us-east-2:393221637266:rolealias/noi-publisher"`,
	} {
		if ok || !strings.Contains(remedies["credentials"], want) {
			t.Errorf("no %q in: %s", want, remedies["credentials"])
		}
	}
	if !strings.Contains(remedies["endpoint"], "firewall") {
		t.Errorf("endpoint: %s", remedies["endpoint"])
	}
}

// Each stage on the way to a host has its own name: the name, the connection, TLS.
func TestProbeTellsWhichStageOfTheNetworkFailed(t *testing.T) {
	withKeys(t)
	ca, other := sinktest.NewAuthority(t), sinktest.NewAuthority(t)
	cloud := mustStart(t, standin.SNSOptions{})
	noNames := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no name server")
	}}
	front := func(from, to time.Duration, host string) string {
		return "https://" + sinktest.StartFront(t, cloud.Addr(), sinktest.ServerConfig(ca.Certificate(t, host, from, to))).Addr()
	}
	for _, c := range []struct {
		o            sns.Options
		want, remedy string
	}{
		{sns.Options{Resolver: noNames}, "endpoint FAILED name: ", "getent hosts sns.us-east-2.amazonaws.com"},
		{sns.Options{Endpoint: "http://127.0.0.1:1"}, "endpoint FAILED connection: dial tcp 127.0.0.1:1: connect: connection refused", "nc -vz 127.0.0.1 1"},
		{sns.Options{Endpoint: front(-2*time.Hour, -time.Hour, "127.0.0.1"), CAFile: ca.File}, "endpoint FAILED TLS: ", "timedatectl set-ntp true"},
		{sns.Options{Endpoint: front(-time.Hour, time.Hour, "127.0.0.1"), CAFile: other.File}, "endpoint FAILED TLS: ", "ca_file of the integration"},
		{sns.Options{Endpoint: front(-time.Hour, time.Hour, "example.com"), CAFile: ca.File}, "endpoint FAILED TLS: ", "Another server answers at 127.0.0.1:"},
		{sns.Options{Endpoint: "https://" + cloud.Addr(), CAFile: ca.File}, "endpoint FAILED TLS: ", "does not speak TLS"},
		{sns.Options{Endpoint: front(-time.Hour, time.Hour, "127.0.0.1"), CAFile: ca.File}, "endpoint ok ", ""},
	} {
		var got sinks.Step
		mustNew(t, c.o).Probe(withoutSTS(t), func(s sinks.Step) {
			if s.Name == "endpoint" {
				got = s
			}
		})
		line := fmt.Sprintf("%s %s %s", got.Name, got.Verdict, got.Text)
		if !strings.HasPrefix(line, c.want) || !strings.Contains(got.Remedy, c.remedy) {
			t.Errorf("%s\n%s\nwant %s\n%s", line, got.Remedy, c.want, c.remedy)
		}
	}
}

// withoutSTS puts STS at an address where no program listens.
func withoutSTS(t *testing.T) context.Context {
	t.Helper()
	t.Setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
	return t.Context()
}

func TestProbeTellsAProxyThatRefuses(t *testing.T) {
	withKeys(t)
	ctx := withoutSTS(t)
	for _, c := range []struct{ proxy, want, remedy string }{
		{"http://noi:hunter2@127.0.0.1:1", "proxy: dial tcp 127.0.0.1:1: connect: connection refused", "The proxy of HTTPS_PROXY does not answer"},
		{"http://%zz", "proxy: HTTPS_PROXY is malformed", "systemctl edit noi-agent"},
		{"socks5://127.0.0.1:1", "sns.example:443 lies behind a proxy spoken to by socks5", ""},
	} {
		t.Setenv("HTTPS_PROXY", c.proxy)
		mustNew(t, sns.Options{Endpoint: "https://sns.example:443"}).Probe(ctx, func(s sinks.Step) {
			if s.Name == "endpoint" && (!strings.HasPrefix(s.Text, c.want) || !strings.Contains(s.Remedy, c.remedy) || strings.Contains(s.Text+s.Remedy, "hunter2")) {
				t.Errorf("%s: %s %s\n%s", c.proxy, s.Verdict, s.Text, s.Remedy)
			}
		})
	}
}

// The commands for AWS are for the known identity, and without one for a placeholder.
func TestNeedsNameTopicAndIdentity(t *testing.T) {
	cleanEnv(t)
	sink := mustNew(t, sns.Options{})
	for known, want := range map[string][]string{
		"": {"aws sns create-topic --name ", "for the user or role of this gateway", sns.PublishPolicy(arn)},
		"AuthorizationError: User: arn:aws:iam::940497413619:user/push is not authorized": {
			"for arn:aws:iam::940497413619:user/push\n", "aws iam put-user-policy --user-name push "},
		"arn:aws:sts::940497413619:assumed-role/roof/i-1": {"aws iam put-role-policy --role-name roof "},
		"User: arn:aws:iam::940497413619:user/$(reboot)":  {"for the user or role of this gateway"},
	} {
		got := sink.Needs(known)
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%q: want %q in:\n%s", known, part, got)
			}
		}
		if strings.Contains(got, "reboot") {
			t.Errorf("a text of the cloud is in a command: %s", got)
		}
	}
}
