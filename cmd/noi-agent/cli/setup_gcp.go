package cli

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"noi-agent/configs"
	"noi-agent/sinks/pubsub"
)

type setupGCPCommand struct {
	ID      string
	Topic   string
	Project string
	Method  string
}

func newSetupGCP(s *session) *cobra.Command {
	c := &setupGCPCommand{}
	cmd := s.bind(&cobra.Command{
		Use: "gcp [INTEGRATION]", Short: "Print the commands that create a topic and a publisher on Google Cloud.",
		Example: `  noi-agent setup gcp --topic MainSolarData --project my-project
  noi-agent setup gcp main-pubsub --method workload-identity`,
		Args: oneArg(&c.ID), ValidArgsFunction: completeFirst(complete(s.cli.integrationNames)),
	}, c)
	f := cmd.Flags()
	f.StringVar(&c.Topic, "topic", "",
		"Topic, by its `NAME` or as projects/PROJECT/topics/NAME. Default: MainSolarData.")
	f.StringVar(&c.Project, "project", "", "Project of the topic, by its `ID`. Default: my-project, which you replace.")
	choose(cmd, &c.Method, "method", []string{"key", "workload-identity"},
		"`METHOD` by which the gateway gets credentials: key (of a service account, the default), workload-identity "+
			"(certificate of your own authority).")
	return cmd
}

// Placeholders for names that neither the flags nor the configuration have.
const (
	someProject = "my-project"
	gcpFile     = "/etc/noi-agent/gcp.json"
	gcpAccount  = "noi-publisher"
)

// gcpNames has the names in the commands.
type gcpNames struct{ project, topic, file string }

// Run prints the commands, the binding and the configuration. It contacts no cloud.
func (c *setupGCPCommand) Run(_ context.Context, p *Program, cli *commandLine) error {
	in, err := fromConfig(cli, c.ID, configs.GCP)
	if err != nil {
		return err
	}
	v := c.names(in)
	in.Topic, in.ProjectID = "projects/"+v.project+"/topics/"+v.topic, ""
	in.CredentialsFile = v.file
	r := &recipe{Cloud: configs.GCP, Method: cmp.Or(c.Method, "key")}
	if v.project == someProject {
		r.Notes = append(r.Notes, someProject+" stands for your project: gcloud projects list")
	}
	// A topic of another form: the rules of the configuration report it.
	if pieces := strings.Split(in.Topic, "/"); len(pieces) != 4 {
		return r.finish(p, cli, in)
	}
	r.Steps = append(r.Steps, recipeStep{"The topic", atCloud, v.fill(`
gcloud services enable pubsub.googleapis.com --project {project}
gcloud pubsub topics create {topic} --project {project}`)})
	if r.Method == "key" {
		r.Policy = pubsub.GrantCommand(in.Topic, "serviceAccount:"+v.account())
		r.Steps = append(r.Steps, v.keySteps(r.Policy)...)
	} else {
		r.Policy = pubsub.GrantCommand(in.Topic,
			"principalSet://iam.googleapis.com/projects/$NUMBER/locations/global/workloadIdentityPools/noi-gateways/*")
		r.Policy = strings.ReplaceAll(r.Policy, "'", `"`) // for the shell to fill in $NUMBER
		r.Notes = append(r.Notes,
			"The gateways' certificates are signed by an authority of yours: ca.pem. Each has a common name of its "+
				"own.")
		r.Steps = append(r.Steps, v.identitySteps(r.Policy)...)
	}
	return r.finish(p, cli, in)
}

// names returns the names: from the flags, otherwise from the configuration, otherwise placeholders.
func (c *setupGCPCommand) names(in *configs.Integration) gcpNames {
	v := gcpNames{project: someProject, topic: "MainSolarData", file: cmp.Or(in.CredentialsFile, gcpFile)}
	for _, topic := range []string{in.Topic, c.Topic} {
		if p := strings.Split(topic, "/"); len(p) == 4 && p[0] == "projects" {
			v.project, v.topic = p[1], p[3]
		} else if topic != "" {
			v.topic = topic
		}
	}
	v.project = cmp.Or(c.Project, v.project)
	return v
}

// account returns the address of the service account. For a project of a domain (example.com:solar), the order of
// domain and project is reversed.
func (v gcpNames) account() string {
	domain, name, ok := strings.Cut(v.project, ":")
	if !ok {
		return gcpAccount + "@" + v.project + ".iam.gserviceaccount.com"
	}
	return gcpAccount + "@" + name + "." + domain + ".iam.gserviceaccount.com"
}

// fill replaces the places in commands: {topic}, {project}, {account}, {name}, {file}, {cert}, {key}.
func (v gcpNames) fill(text string) string {
	return fillIn(text, "{topic}", v.topic, "{project}", v.project, "{account}", v.account(), "{name}", gcpAccount,
		"{file}", v.file, "{cert}", deviceCert, "{key}", deviceKey)
}

func (v gcpNames) keySteps(grant string) []recipeStep {
	return []recipeStep{
		{"A service account that may publish to it, and nothing else", atCloud, v.fill(`
gcloud iam service-accounts create {name} --display-name 'NOI gateways' --project {project}
`) + grant},
		{"Its key (where the organisation forbids keys: --method workload-identity)", atCloud, v.fill(`
gcloud iam service-accounts keys create gcp.json --iam-account {account} --project {project}`)},
		{"The key on the gateway", atGateway,
			v.fill("sudo install -o noi-agent -g noi-agent -m 0400 gcp.json {file}\nrm gcp.json")},
	}
}

func (v gcpNames) identitySteps(grant string) []recipeStep {
	return []recipeStep{
		{"A pool that trusts your authority", atCloud, v.fill(`
gcloud services enable iam.googleapis.com sts.googleapis.com --project {project}
{ printf 'trustStore:\n  trustAnchors:\n  - pemCertificate: |\n'; sed 's/^/      /' ca.pem; } > trust.yaml
gcloud iam workload-identity-pools create noi-gateways --location global --project {project}
gcloud iam workload-identity-pools providers create-x509 noi-x509 --location global --workload-identity-pool noi-gateways --trust-store-config-path trust.yaml --attribute-mapping 'google.subject=assertion.subject.dn.cn' --project {project}`)},
		{"Everybody in the pool may publish to the topic, and do nothing else", atCloud, v.fill(`
NUMBER=$(gcloud projects describe {project} --format 'value(projectNumber)')
`) + grant},
		{"The credentials file, which holds no secret and is the same for all gateways", atCloud, v.fill(`
gcloud iam workload-identity-pools create-cred-config "projects/$NUMBER/locations/global/workloadIdentityPools/noi-gateways/providers/noi-x509" --credential-cert-path {cert} --credential-cert-private-key-path {key} --credential-cert-configuration-output-file certificate_config.json --output-file gcp.json
sed 's|"certificate_config_location": *"[^"]*"|"certificate_config_location": "/etc/noi-agent/certificate_config.json"|' gcp.json > gcp.json.new
mv gcp.json.new gcp.json`)},
		{"Files on the gateway: the two from above, its certificate and its key", atGateway, v.fill(`
sudo install -o noi-agent -g noi-agent -m 0400 gcp.json {file}
sudo install -o noi-agent -g noi-agent -m 0400 certificate_config.json /etc/noi-agent/certificate_config.json
sudo install -o noi-agent -g noi-agent -m 0400 device.pem {cert}
sudo install -o noi-agent -g noi-agent -m 0400 device.key {key}`)},
	}
}
