package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"noi-agent/configs"
	"noi-agent/internal/awsregion"
	"noi-agent/sinks/sns"
)

type setupAWSCommand struct {
	ID      string
	Topic   string
	Region  string
	Account string
	Method  string
	Thing   string
}

func newSetupAWS(s *session) *cobra.Command {
	c := &setupAWSCommand{}
	cmd := s.bind(&cobra.Command{
		Use: "aws [INTEGRATION]", Short: "Print the commands that create a topic and a publisher on AWS.",
		Example: `  noi-agent setup aws --topic MainSolarData --region us-east-2 --account 123456789012
  noi-agent setup aws main-solar --method iot   # with the values of an integration of the configuration`,
		Args: oneArg(&c.ID), ValidArgsFunction: completeFirst(complete(s.cli.integrationNames)),
	}, c)
	f := cmd.Flags()
	f.StringVar(&c.Topic, "topic", "",
		"`NAME` or ARN of the topic. With .fifo at its end: a FIFO topic. Default: MainSolarData.")
	f.StringVar(&c.Region, "region", "", "`REGION` of the topic. Default: us-east-2.")
	f.StringVar(&c.Account, "account", "",
		"Account of the topic, `12 digits`. Default: 123456789012, which you replace.")
	choose(cmd, &c.Method, "method", []string{"user", "iot", "roles-anywhere"},
		"`METHOD` by which the gateway gets credentials: user (access key, the default), iot (certificate of AWS "+
			"IoT), roles-anywhere (certificate of your own authority).")
	f.StringVar(&c.Thing, "thing", "noi-1", "`NAME` of the gateway, for its certificate.")
	return cmd
}

// Placeholders for names that neither the flags nor the configuration have.
const (
	someAccount  = "123456789012"
	someEndpoint = "REPLACE.credentials.iot.%s.%s" // region, domain
	deviceCert   = "/etc/noi-agent/device.pem"
	deviceKey    = "/etc/noi-agent/device.key"
	awsProfile   = "noi"
	awsPublisher = "noi-publisher" // user, role and role alias
)

// Run prints the commands, the policy and the configuration. It contacts no cloud.
func (c *setupAWSCommand) Run(_ context.Context, p *Program, cli *commandLine) error {
	in, err := fromConfig(cli, c.ID, configs.AWS)
	if err != nil {
		return err
	}
	v := c.names(in)
	in.TopicARN, in.Region = v.arn(), v.region
	r := &recipe{Cloud: configs.AWS, Method: v.method, Policy: indentPolicy(sns.PublishPolicy(in.TopicARN))}
	if v.account == someAccount {
		r.Notes = append(r.Notes,
			someAccount+" stands for your account: aws sts get-caller-identity --query Account --output text")
	}
	r.Steps = append(r.Steps, v.topicStep(), v.policyStep(r.Policy))
	switch v.method {
	case "iot":
		r.Steps = append(r.Steps, v.iotSteps(in)...)
	case "roles-anywhere":
		r.Steps = append(r.Steps, v.anywhereSteps()...)
		in.IoT, in.Profile = configs.IoT{}, cmp.Or(in.Profile, awsProfile)
	default:
		in.IoT, in.Profile = configs.IoT{}, cmp.Or(in.Profile, awsProfile)
		r.Steps = append(r.Steps, v.userSteps(in.Profile)...)
	}
	return r.finish(p, cli, in)
}

// awsNames has the names in the commands.
type awsNames struct {
	partition, region, account, topic, method, thing string
}

// names returns the names: from the flags, otherwise from the configuration, otherwise placeholders.
func (c *setupAWSCommand) names(in *configs.Integration) awsNames {
	v := awsNames{partition: "aws", region: "us-east-2", account: someAccount, topic: "MainSolarData", thing: c.Thing}
	for _, arn := range []string{in.TopicARN, c.Topic} {
		if p := strings.Split(arn, ":"); len(p) == 6 {
			v.region, v.account, v.topic = p[3], p[4], p[5]
		} else if arn != "" {
			v.topic = arn
		}
	}
	v.region, v.account = cmp.Or(c.Region, v.region), cmp.Or(c.Account, v.account)
	v.partition = sns.Partition(v.region)
	v.method = c.Method
	if v.method == "" && in.IoT != (configs.IoT{}) {
		v.method = "iot"
	}
	v.method = cmp.Or(v.method, "user")
	v.thing = cmp.Or(in.IoT.Thing, v.thing)
	return v
}

func (v awsNames) arn() string {
	return fmt.Sprintf("arn:%s:sns:%s:%s:%s", v.partition, v.region, v.account, v.topic)
}

// policyName returns the name of the managed policy. IAM allows every character of a topic's name.
func (v awsNames) policyName() string { return "noi-publish-" + v.topic }

func (v awsNames) policyARN() string {
	return fmt.Sprintf("arn:%s:iam::%s:policy/%s", v.partition, v.account, v.policyName())
}

func (v awsNames) roleARN() string {
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", v.partition, v.account, awsPublisher)
}

// fill replaces the places in commands: {topic}, {region}, {policy}, {policyname}, {role}, {who}, {thing}, {partition},
// {account}, {cert}, {key}.
func (v awsNames) fill(text string) string {
	return fillIn(text, "{topic}", v.topic, "{region}", v.region, "{policy}", v.policyARN(), "{policyname}",
		v.policyName(),
		"{role}", v.roleARN(), "{who}", awsPublisher, "{thing}", v.thing, "{partition}", v.partition, "{account}",
		v.account,
		"{cert}", deviceCert, "{key}", deviceKey)
}

func (v awsNames) topicStep() recipeStep {
	command := "aws sns create-topic --name {topic} --region {region}"
	if strings.HasSuffix(v.topic, ".fifo") {
		command += " --attributes FifoTopic=true"
	}
	return recipeStep{"The topic", atCloud, v.fill(command)}
}

func (v awsNames) policyStep(policy string) recipeStep {
	return recipeStep{"The right to publish to it, and no other", atCloud, heredoc("noi-publish.json", policy) +
		v.fill("aws iam create-policy --policy-name {policyname} --policy-document file://noi-publish.json")}
}

func (v awsNames) userSteps(profile string) []recipeStep {
	return []recipeStep{
		{"A user that has it, and its access key: the last command shows the secret once", atCloud, v.fill(`
aws iam create-user --user-name {who}
aws iam attach-user-policy --user-name {who} --policy-arn {policy}
aws iam create-access-key --user-name {who}`)},
		{"The key in the daemon's home; replace both values", atGateway, `
sudo install -d -o noi-agent -g noi-agent -m 0700 /var/lib/noi-agent/.aws
sudo -u noi-agent sh -c 'umask 077; cat >> /var/lib/noi-agent/.aws/credentials' <<'EOF'
[` + profile + `]
aws_access_key_id = REPLACE
aws_secret_access_key = REPLACE
EOF`},
	}
}

func (v awsNames) iotSteps(in *configs.Integration) []recipeStep {
	if in.IoT == (configs.IoT{}) {
		in.IoT = configs.IoT{
			Endpoint: fmt.Sprintf(someEndpoint, v.region, awsregion.Of(v.region).Domain), RoleAlias: awsPublisher,
			Certificate: deviceCert, Key: deviceKey, Thing: v.thing,
		}
	}
	in.Profile, in.IMDS = "", false
	fill := func(text string) string { return v.fill(fillIn(text, "{alias}", in.IoT.RoleAlias)) }
	return []recipeStep{
		{"A role that AWS IoT gives out credentials for, and its alias", atCloud,
			heredoc("noi-trust.json", indentPolicy(
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"credentials.iot.amazonaws.com"}}]}`)) + fill(`
aws iam create-role --role-name {who} --assume-role-policy-document file://noi-trust.json
aws iam attach-role-policy --role-name {who} --policy-arn {policy}
aws iot create-role-alias --role-alias {alias} --role-arn {role} --credential-duration-seconds 3600 --region {region}`)},
		{"What a certificate may do: have these credentials, and nothing else of AWS IoT", atCloud,
			heredoc("noi-certificate.json", indentPolicy(fill(
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:AssumeRoleWithCertificate","Resource":"arn:{partition}:iot:{region}:{account}:rolealias/{alias}"}]}`))) + fill(`
aws iot create-policy --policy-name noi-certificate --policy-document file://noi-certificate.json --region {region}`)},
		{"One certificate for each gateway; packaging/cloud/aws/onboard-x509.sh does this step", atCloud, fill(`
aws iot create-thing --thing-name {thing} --region {region}
CERT=$(aws iot create-keys-and-certificate --set-as-active --certificate-pem-outfile device.pem --private-key-outfile device.key --query certificateArn --output text --region {region})
aws iot attach-policy --policy-name noi-certificate --target "$CERT" --region {region}
aws iot attach-thing-principal --thing-name {thing} --principal "$CERT" --region {region}
aws iot describe-endpoint --endpoint-type iot:CredentialProvider --query endpointAddress --output text --region {region}   # iot.endpoint below`)},
		{"The certificate on the gateway", atGateway, fillIn(`
sudo install -o noi-agent -g noi-agent -m 0400 device.pem {cert}
sudo install -o noi-agent -g noi-agent -m 0400 device.key {key}`, "{cert}", in.IoT.Certificate, "{key}", in.IoT.Key)},
	}
}

func (v awsNames) anywhereSteps() []recipeStep {
	return []recipeStep{
		{"The authority that signs your gateways' certificates (ca.pem), as a trust anchor", atCloud, v.fill(`
ANCHOR=$(aws rolesanywhere create-trust-anchor --name noi --enabled --source "$(jq -n --rawfile pem ca.pem '{sourceType:"CERTIFICATE_BUNDLE",sourceData:{x509CertificateData:$pem}}')" --query trustAnchor.trustAnchorArn --output text --region {region})
echo "$ANCHOR"`)},
		{"A role that certificates of that authority may assume, and its profile", atCloud, v.fill(`
cat > noi-trust.json <<EOF
{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},
  "Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Condition":{"ArnEquals":{"aws:SourceArn":"$ANCHOR"}}}]}
EOF
aws iam create-role --role-name {who} --assume-role-policy-document file://noi-trust.json
aws iam attach-role-policy --role-name {who} --policy-arn {policy}
aws rolesanywhere create-profile --name noi --role-arns {role} --enabled --query profile.profileArn --output text --region {region}`)},
		{"Certificate, key and AWS's helper (aws_signing_helper, rolesanywhere.amazonaws.com) on the gateway; " +
			"replace the two ARNs", atGateway, v.fill(`
sudo install -o noi-agent -g noi-agent -m 0400 device.pem {cert}
sudo install -o noi-agent -g noi-agent -m 0400 device.key {key}
sudo install -m 0755 aws_signing_helper /usr/local/bin/aws_signing_helper
sudo install -d -o noi-agent -g noi-agent -m 0700 /var/lib/noi-agent/.aws
sudo -u noi-agent sh -c 'umask 077; cat >> /var/lib/noi-agent/.aws/config' <<'EOF'
[profile ` + awsProfile + `]
credential_process = /usr/local/bin/aws_signing_helper credential-process --certificate {cert} --private-key {key} --trust-anchor-arn REPLACE --profile-arn REPLACE --role-arn {role}
EOF`)},
	}
}
