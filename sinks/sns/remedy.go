package sns

import (
	"fmt"
	"regexp"
	"strings"

	"noi-agent/internal/shell"
	"noi-agent/sinks"
)

// PublishPolicy is the IAM policy of a publisher: it allows publishing to this topic, and nothing else.
func PublishPolicy(topicARN string) string {
	return `{"Version":"2012-10-17","Statement":[{"Sid":"NoiPublish","Effect":"Allow","Action":"sns:Publish","Resource":"` + topicARN + `"}]}`
}

// refusesCredentials reports whether a code of AWS means that the credentials are not valid, and not that they lack a
// permission.
func refusesCredentials(code string) bool {
	for _, p := range []string{
		"InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClient*", "SignatureDoesNotMatch",
		"InvalidSignature*", "ExpiredToken*", "AuthFailure",
	} {
		if matches(p, code) {
			return true
		}
	}
	return false
}

// Remedy returns what the operator must do about a result that is no delivery, with the names filled in; "" for an
// accepted message. It may have several lines, which are commands or policies.
func (s *Sink) Remedy(r sinks.Result) string {
	if r.Outcome == sinks.Accepted {
		return ""
	}
	if strings.HasPrefix(r.Text, iotWords) {
		return s.allowCertificate(r)
	}
	for _, c := range []struct {
		code, text string
		remedy     func(r sinks.Result) string
	}{
		{sinks.CodeMissingCredentials, "", s.giveCredentials},
		{sinks.CodeClock, "", setClock},
		{sinks.CodeNetwork, "", seeNetwork},
		{sinks.CodeTimeout, "", seeNetwork},
		{sinks.CodeCAFile, "", func(sinks.Result) string { return sinks.CAFileRemedy() }},
		{sinks.CodeProxy, "", func(sinks.Result) string { return sinks.ProxyRemedy() }},
		{"AccessDenied*", "sts:AssumeRole", s.allowRole},
		{"AuthorizationError*", "", s.allowPublish},
		{"AccessDenied*", "", s.allowPublish},
		{"KMS*", "", s.allowKey},
		{"NotFound*", "", s.makeTopic},
		{"InvalidParameter*", "TopicArn", s.makeTopic},
		{"SignatureDoesNotMatch", "", s.renewKey},
		{"InvalidClientTokenId", "", s.renewKey},
		{"InvalidAccessKeyId", "", s.renewKey},
		{"UnrecognizedClient*", "", s.renewKey},
		{"ExpiredToken*", "", s.renewToken},
		{"OptInRequired", "", s.optIn},
		{sinks.CodeCredentials, "", s.giveCredentials},
		{codeSetting, "", s.correctEndpoint},
		{codeStatus + "*", "", seePortal},
	} {
		if matches(c.code, r.Code) && strings.Contains(r.Text, c.text) {
			return c.remedy(r)
		}
	}
	switch r.Outcome {
	case sinks.Retry:
		return "This error is usually temporary, and the daemon tries again. If it stays: " +
			"https://health.aws.amazon.com for region " + s.o.Region + "."
	case sinks.Reject:
		return "The message itself is refused, and would not be sent again. Please report this with the text above."
	default:
		return "See what the text above names; `noi-agent setup aws` prints how topic and publisher are meant to be."
	}
}

func setClock(sinks.Result) string {
	return "Set the gateway's clock: timedatectl set-ntp true; then compare: date -u. The daemon itself learns the " +
		"time from AWS's answer and goes on."
}

func seeNetwork(sinks.Result) string {
	return "See the step endpoint: name server, firewall, HTTPS_PROXY. A token service (STS, AWS IoT) has a host of " +
		"its own, which the text above names."
}

func (s *Sink) correctEndpoint(sinks.Result) string {
	return "Correct or take out the setting that the text above names: in the integration, in the environment of the " +
		"daemon (systemctl edit noi-agent), or in profile " + s.profile() + "."
}

func seePortal(sinks.Result) string {
	return "Something else than AWS answers. See what the uplink puts in the way (a captive portal to be clicked " +
		"through, a proxy that filters, a firewall), and that endpoint names AWS. The step endpoint shows whose " +
		"certificate it has."
}

// giveCredentials names the two shortest ways to get credentials for the configured settings.
func (s *Sink) giveCredentials(sinks.Result) string {
	return fmt.Sprintf("Correct what the text above names, or give the daemon's user a key:\n"+
		"sudo -u noi-agent -H aws configure --profile %[1]s   # or by hand: section [%[1]s] of "+
		"~noi-agent/.aws/credentials\n"+
		"`noi-agent setup aws --topic %[2]s` prints every way (access key, AWS IoT certificate, IAM Roles Anywhere).",
		shell.Quote(s.profile()), s.o.TopicARN)
}

func (s *Sink) renewKey(sinks.Result) string {
	user := "NAME"
	if kind, name := principal(s.identity); kind == "user" && identityForm.MatchString(s.identity) {
		user = name
	}
	return fmt.Sprintf("The access key was deleted, switched off or mistyped, or is of another partition than %s. "+
		"See, and make a new one where it is gone:\n"+
		"aws iam list-access-keys --user-name %s\naws iam create-access-key --user-name %s\nThen: sudo -u noi-agent "+
		"-H aws configure --profile %s",
		Partition(s.o.Region), user, user, shell.Quote(s.profile()))
}

func (s *Sink) renewToken(sinks.Result) string {
	return "Temporary credentials have expired, and nothing renews them: a session token in the environment or in a " +
		"profile lasts hours. Use what renews itself: credential_process, role_arn, iot. `noi-agent setup aws` " +
		"prints how."
}

func (s *Sink) optIn(sinks.Result) string {
	return "The account has not switched region " + s.o.Region + " on:\naws account enable-region --region-name " +
		s.o.Region
}

func (s *Sink) makeTopic(sinks.Result) string {
	fifo := ""
	if s.topic.fifo {
		fifo = " --attributes FifoTopic=true"
	}
	p := strings.Split(s.o.TopicARN, ":")
	return fmt.Sprintf("Correct topic_arn (aws sns list-topics --region %s), or make the topic, in account %s:\n"+
		"aws sns create-topic --name %s --region %s%s", s.o.Region, p[4], p[5], s.o.Region, fifo)
}

// Needs returns the commands that make the topic and give only the permission to publish to it. known is a text that
// may name the identity of the gateway, such as a refusal of AWS or the step identity of a test. Without an identity
// only the policy is printed. No cloud is contacted.
func (s *Sink) Needs(known string) string {
	topic, right := s.makeTopic(sinks.Result{}), s.allowPublish(sinks.Result{Text: known})
	who := s.refused(known)
	if who == "" {
		who = "the user or role of this gateway: a test shows which one that is"
	}
	return "# The topic\n" + lastLine(topic) + "\n\n# The right to publish to it, and no other, for " + who + "\n" +
		strings.TrimPrefix(right, allowWords)
}

func lastLine(text string) string { return text[strings.LastIndexByte(text, '\n')+1:] }

// allowPublish prints the policy and the command that gives it to the identity that was refused.
func (s *Sink) allowPublish(r sinks.Result) string {
	if strings.Contains(r.Text, "explicit deny") {
		return "A policy forbids it, and no other one can allow it: take the Deny for sns:Publish on " + s.o.TopicARN +
			" out of the policy that the text above names (of the identity, the topic, or the organisation)."
	}
	who := s.refused(r.Text)
	text := allowWords
	kind, name := principal(who)
	const put = "aws iam put-%s-policy --%s-name %s --policy-name noi-publish --policy-document '%s'"
	switch kind {
	case "user":
		text += fmt.Sprintf(put, "user", "user", name, PublishPolicy(s.o.TopicARN))
	case "role", "assumed-role":
		text += fmt.Sprintf(put, "role", "role", name, PublishPolicy(s.o.TopicARN))
	default:
		text += PublishPolicy(s.o.TopicARN)
	}
	owner := strings.Split(s.o.TopicARN, ":")[4]
	if p := strings.Split(who, ":"); len(p) == 6 && p[4] != owner {
		text += fmt.Sprintf("\nThe topic is of another account: that one (%s) has to allow it too:\n"+
			"aws sns add-permission --topic-arn %s --region %s --label noi-publish --aws-account-id %s --action-name "+
			"Publish",
			owner, s.o.TopicARN, s.o.Region, p[4])
	}
	return text
}

const allowWords = "Allow sns:Publish on the one topic:\n"

// identityForm matches the ARN of a user or role, without characters that have a meaning in a shell or in JSON: a
// cloud's answer is not trusted, and the ARN becomes part of printed commands.
var identityForm = regexp.MustCompile(`^arn:[a-z-]+:(iam|sts)::[0-9]{12}:[A-Za-z0-9+=,.@_/-]+$`)

// refused returns the ARN in a refusal, or the one that STS has returned, or that of the role.
func (s *Sink) refused(text string) string {
	for word := range strings.FieldsSeq(text) {
		if identityForm.MatchString(word) {
			return word
		}
	}
	if identityForm.MatchString(s.identity) {
		return s.identity
	}
	return s.o.RoleARN
}

// principal splits an identity's ARN: user, role or assumed-role, and the name. The session after the name of an
// assumed role, and the path before the name of a user, are left out.
func principal(arn string) (kind, name string) {
	p := strings.SplitN(arn, ":", 6)
	if len(p) != 6 {
		return "", ""
	}
	kind, rest, ok := strings.Cut(p[5], "/")
	switch {
	case !ok:
		return "", ""
	case kind == "assumed-role":
		name, _, _ = strings.Cut(rest, "/")
		return kind, name
	default:
		return kind, rest[strings.LastIndexByte(rest, '/')+1:]
	}
}

// allowRole is for a role that may not be assumed: both sides must allow it.
func (s *Sink) allowRole(r sinks.Result) string {
	who, condition := s.refused(r.Text), ""
	if who == "" || who == s.o.RoleARN {
		who = "ARN-OF-WHO-ASSUMES-IT"
	}
	if s.o.ExternalID != "" {
		condition = `,"Condition":{"StringEquals":{"sts:ExternalId":"` + s.o.ExternalID + `"}}`
	}
	_, role := principal(s.o.RoleARN)
	return fmt.Sprintf("The role has to trust who assumes it (and that one needs sts:AssumeRole on %s), external id "+
		"included:\n"+
		`aws iam update-assume-role-policy --role-name %s --policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"%s"},"Action":"sts:AssumeRole"%s}]}'`,
		s.o.RoleARN, role, who, condition)
}

func (s *Sink) allowKey(sinks.Result) string {
	return "The topic is encrypted, and its key is off or not ours to use. See the key:\n" +
		"aws sns get-topic-attributes --topic-arn " + s.o.TopicARN + " --region " + s.o.Region +
		" --query Attributes.KmsMasterKeyId\n" +
		"The publisher needs, on that key:\n" +
		`{"Effect":"Allow","Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"arn:` + Partition(s.o.Region) +
		`:kms:` + s.o.Region + `:ACCOUNT:key/KEY-ID"}` +
		"\nA topic with the key alias/aws/sns takes no publisher of another account: use a key of your own there."
}

// allowCertificate is for a certificate to which AWS IoT gives no credentials.
func (s *Sink) allowCertificate(sinks.Result) string {
	account := strings.Split(s.o.TopicARN, ":")[4]
	thing := s.o.IoT.Thing
	if thing == "" {
		thing = "THING"
	}
	return fmt.Sprintf("See that the files are this device's, that the certificate is ACTIVE, and that the endpoint "+
		"and the alias are right:\n"+
		"aws iot list-thing-principals --thing-name %s --region %s\n"+
		"aws iot describe-endpoint --endpoint-type iot:CredentialProvider --region %s\n"+
		"aws iot describe-role-alias --role-alias %s --region %s\n"+
		"The certificate needs this IoT policy (aws iot create-policy, aws iot attach-policy), and the alias's role "+
		"has to trust credentials.iot.amazonaws.com:\n"+
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:AssumeRoleWithCertificate","Resource":"arn:%s:iot:%s:%s:rolealias/%s"}]}`,
		thing, s.o.Region, s.o.Region, s.o.IoT.RoleAlias, s.o.Region, Partition(s.o.Region), s.o.Region, account,
		s.o.IoT.RoleAlias)
}
