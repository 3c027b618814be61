package pubsub

import (
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc/codes"

	"noi-agent/internal/shell"
	"noi-agent/sinks"
)

// GrantCommand gives member the permission to publish to the topic projects/PROJECT/topics/NAME, and no other
// permission.
func GrantCommand(topic, member string) string {
	p := strings.Split(topic, "/")
	return fmt.Sprintf("gcloud pubsub topics add-iam-policy-binding %s --project %s --member %s --role "+
		"roles/pubsub.publisher",
		shell.Quote(p[3]), shell.Quote(p[1]), shell.Quote(member))
}

// Remedy returns what the operator must do about a result that is no delivery, with the names filled in; "" for an
// accepted message. It may have several lines, which are commands.
func (s *Sink) Remedy(r sinks.Result) string {
	if r.Outcome == sinks.Accepted {
		return ""
	}
	for _, c := range []struct {
		code, text string
		remedy     func() string
	}{
		{sinks.CodeMissingCredentials, "", s.giveCredentials},
		{sinks.CodeClock, "", setClock},
		{sinks.CodeNetwork, "", seeNetwork},
		{sinks.CodeCAFile, "", sinks.CAFileRemedy},
		{sinks.CodeProxy, "", sinks.ProxyRemedy},
		{"", "iam.serviceAccounts.getAccessToken", s.allowImpersonation},
		{"", "has not been used in project", s.enable},
		{"", "it is disabled", s.enable},
		{codes.PermissionDenied.String(), "", s.allowPublish},
		{codes.NotFound.String(), "", s.makeTopic},
		{codes.InvalidArgument.String(), "resource name", s.makeTopic},
		{codes.Unauthenticated.String(), "", s.renewCredentials},
		{"invalid_grant", "", s.renewCredentials},
		{"invalid_client", "", s.renewCredentials},
		{"unauthorized_client", "", s.renewCredentials},
		{"invalid_target", "", s.seePool},
		{"UNAUTHENTICATED", "", s.renewCredentials},
		{codes.FailedPrecondition.String(), "", s.seeTopic},
		{codes.Unimplemented.String(), "", seeEndpoint},
		{"EndpointError", "", seeEndpoint},
		{sinks.CodeCredentials, "", s.giveCredentials},
		{codes.Unavailable.String(), "", seeNetwork},
		{codes.DeadlineExceeded.String(), "", seeNetwork},
	} {
		if (c.code == "" || c.code == r.Code) && strings.Contains(r.Text, c.text) {
			return c.remedy()
		}
	}
	switch r.Outcome {
	case sinks.Retry:
		return "This error is usually temporary, and the daemon tries again. If it stays: " +
			"https://status.cloud.google.com."
	case sinks.Reject:
		return "The message itself is refused, and would not be sent again. Please report this with the text above."
	default:
		return "See what the text above names; `noi-agent setup gcp` prints how topic and publisher are meant to be."
	}
}

func setClock() string {
	return "Set the gateway's clock: timedatectl set-ntp true; then compare: date -u. Google takes no token that is " +
		"signed more than a few minutes off."
}

func seeNetwork() string {
	return "See the step endpoint: name server, firewall, HTTPS_PROXY. A token service (sts.googleapis.com, " +
		"sts.mtls.googleapis.com, oauth2.googleapis.com, iamcredentials.googleapis.com) is a host of its own."
}

func seeEndpoint() string {
	return "Something else than Pub/Sub answers: correct endpoint of the integration (host:port), or leave it out " +
		"for Google itself. PUBSUB_EMULATOR_HOST is '" +
		os.Getenv("PUBSUB_EMULATOR_HOST") + "'."
}

// member is the account that needs the permission, in the words of IAM.
func (s *Sink) member() string {
	if s.who.member != "" {
		return s.who.member
	}
	return "serviceAccount:" + s.account()
}

// account is the service account of the credentials, or the one that setup would make.
func (s *Sink) account() string {
	if s.who.email != "" {
		return s.who.email
	}
	return "noi-publisher@" + s.project() + ".iam.gserviceaccount.com"
}

func (s *Sink) project() string { return strings.Split(s.topic, "/")[1] }

func (s *Sink) name() string { return shell.Quote(strings.Split(s.topic, "/")[3]) }

func (s *Sink) giveCredentials() string {
	return fmt.Sprintf("Correct what the text above names, or make a key for a service account and name it as "+
		"credentials_file:\n"+
		"gcloud iam service-accounts keys create gcp.json --iam-account %s\n"+
		"sudo install -o noi-agent -g noi-agent -m 0400 gcp.json /etc/noi-agent/gcp.json\n"+
		"`noi-agent setup gcp --topic %s` prints every step, and the way without a key.", shell.Quote(s.account()),
		shell.Quote(s.topic))
}

func (s *Sink) renewCredentials() string {
	account := shell.Quote(s.account())
	return fmt.Sprintf("The key or identity was deleted, switched off or is of another place. See what is there, and "+
		"make a new key where it is gone:\n"+
		"gcloud iam service-accounts describe %s\n"+
		"gcloud iam service-accounts keys list --iam-account %s\n"+
		"gcloud iam service-accounts keys create gcp.json --iam-account %s", account, account, account)
}

func (s *Sink) seePool() string {
	return "The pool or the provider that the credentials file names as its audience does not exist, or is switched " +
		"off:\n" +
		"gcloud iam workload-identity-pools list --location global --project " + s.project() + "\n" +
		"gcloud iam workload-identity-pools providers list --workload-identity-pool POOL --location global --project " +
		s.project()
}

// Needs returns the commands that make the topic and give only the permission to publish to it. They are for the
// account of the credentials; without credentials, for the account that setup would make. Needs reads the credentials
// file, and contacts no cloud. Do not call it while the sink publishes.
func (s *Sink) Needs(string) string {
	if s.who == (identity{}) {
		if found, _, ok := findCredentials(s.o); ok {
			s.who = found.who
		}
	}
	topic := s.makeTopic()
	return "# The topic\n" + topic[strings.LastIndexByte(topic, '\n')+1:] +
		"\n\n# The right to publish to it, and no other\n" + GrantCommand(s.topic, s.member())
}

func (s *Sink) allowPublish() string {
	return "Allow " + publishRight + " on the one topic (and see that it exists: gcloud pubsub topics describe " +
		s.name() + " --project " + s.project() + "):\n" +
		GrantCommand(s.topic, s.member())
}

func (s *Sink) allowImpersonation() string {
	return fmt.Sprintf("Let the pool act as the service account:\n"+
		"gcloud iam service-accounts add-iam-policy-binding %s --member "+
		"'principalSet://iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/*' "+
		"--role roles/iam.workloadIdentityUser\n(NUMBER and POOL stand in the audience of the credentials file)",
		shell.Quote(s.account()))
}

func (s *Sink) enable() string {
	return "Switch the API on in the project:\ngcloud services enable pubsub.googleapis.com --project " + s.project()
}

func (s *Sink) makeTopic() string {
	return fmt.Sprintf("Correct topic (gcloud pubsub topics list --project %s), or make it:\n"+
		"gcloud pubsub topics create %s --project %s", s.project(), s.name(), s.project())
}

func (s *Sink) seeTopic() string {
	return "The topic does not take messages as it is: its key (CMEK), its schema, or billing of the project. See:\n" +
		"gcloud pubsub topics describe " + s.name() + " --project " + s.project() + "\n" +
		"gcloud billing projects describe " + s.project()
}
