package configs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"noi-agent/internal/awsregion"
)

// Destination returns the topic in full, as the trigger log shows it: the ARN, or
// projects/PROJECT/topics/NAME.
func (i *Integration) Destination() string {
	if i.Type == AWS {
		return i.TopicARN
	}
	if i.Topic == "" || strings.Contains(i.Topic, "/") {
		return i.Topic
	}
	return "projects/" + i.ProjectID + "/topics/" + i.Topic
}

// Ordered reports whether the cloud keeps the order of the messages with one key: a FIFO topic of SNS, or `ordering` of
// Pub/Sub.
func (i *Integration) Ordered() bool { return i.Ordering || strings.HasSuffix(i.TopicARN, ".fifo") }

// deriveID returns the id of an integration without a configured id: the first 20 base-62 digits of the SHA-256 of its
// name, or of "type topic" if it has no name. It depends on nothing else, so all gateways with the same configuration
// use the same id.
func deriveID(i *Integration) string {
	what := i.Name
	if what == "" {
		what = i.Type + " " + i.Destination()
	}
	return DeriveID(what)
}

// DeriveID returns the first 20 base-62 digits of the SHA-256 of a text. It gives the id of an integration from its
// name.
func DeriveID(text string) string { return base62(sha256.Sum256([]byte(text)))[:idLength] }

const idLength = 20

// base62 returns the sum as one number of 43 digits, most significant digit first. 256 bits need at most 43 digits.
func base62(sum [sha256.Size]byte) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var text [43]byte
	n, base, digit := new(big.Int).SetBytes(sum[:]), big.NewInt(int64(len(digits))), new(big.Int)
	for i := len(text) - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		text[i] = digits[digit.Int64()]
	}
	return string(text[:])
}

var (
	idForm      = form(`^[0-9A-Za-z]{20}$`)
	regionForm  = form(`^[a-z]{2,8}(-[a-z]+)+-[0-9]+$`)
	accountForm = form(`^[0-9]{12}$`)
	// SNS: "Topic names must include only uppercase and lowercase ASCII letters, numbers,
	// underscores, and hyphens, and must be between 1 and 256 characters long" (CreateTopic);
	// a FIFO topic's name ends with .fifo.
	snsNameForm = form(`^[A-Za-z0-9_-]+(\.fifo)?$`)
	// Pub/Sub: 3 to 255 characters, a letter first, not "goog" (Resource names, "Guidelines").
	pubsubNameForm = form(`^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$`)
	// IAM and STS API references (AssumeRole); a role's name may have a path before it.
	roleForm     = form(`^arn:([a-z-]+):iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,576}$`)
	externalForm = form(`^[A-Za-z0-9_+=,.@:/-]{2,}$`) // and at most mostExternalID characters
	// AWS IoT API reference (CreateRoleAlias, CreateThing).
	aliasForm = form(`^[A-Za-z0-9_=,@-]{1,128}$`)
	thingForm = form(`^[A-Za-z0-9:_-]{1,128}$`)
	// A project id has 6 to 30 characters. Emulators accept shorter ones. Some older projects have a domain in their
	// id.
	projectForm = form(`^([a-z0-9.-]+:)?[a-z][a-z0-9-]{0,61}$`)
)

// mostExternalID is the most characters of ExternalId (STS API reference, AssumeRole).
const mostExternalID = 1224

// partitionNames lists the partitions of AWS for a message.
func partitionNames() string {
	var names []string
	for _, p := range awsregion.Partitions() {
		names = append(names, p.Name)
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

const arnExample = "as in arn:aws:sns:us-east-2:123456789012:MainSolarData"

// arnRegion checks a topic's ARN and returns its region.
func arnRegion(arn string) (string, error) {
	parts := strings.Split(arn, ":")
	if len(parts) == 7 && parts[2] == "sns" {
		return "", fmt.Errorf("this is the ARN of a subscription; the topic's ends before %q", ":"+clip(parts[6]))
	}
	if len(parts) != 6 || parts[0] != "arn" {
		return "", fmt.Errorf("want the ARN of a topic, %s, not %q", arnExample, clip(arn))
	}
	partition, service, region, account, name := parts[1], parts[2], parts[3], parts[4], parts[5]
	switch {
	case !awsregion.Known(partition):
		return "", fmt.Errorf("the ARN's second part is %s, not %q", partitionNames(), clip(partition))
	case service != "sns":
		return "", fmt.Errorf("this is an ARN of %q; want one of sns, %s", clip(service), arnExample)
	case !regionForm().MatchString(region):
		return "", fmt.Errorf("the ARN's fourth part is a region like us-east-2, not %q", clip(region))
	case partition != awsregion.Of(region).Name:
		return "", fmt.Errorf("region %s lies in partition %s, not %s; copy the ARN from the topic's page",
			clip(region), awsregion.Of(region).Name, partition)
	case !accountForm().MatchString(account):
		return "", fmt.Errorf("the ARN's fifth part is the account's 12 digits, not %q", clip(account))
	case !snsNameForm().MatchString(name) || len(name) > 256:
		return "", fmt.Errorf("a topic's name is 1 to 256 letters, digits, - and _, with .fifo behind it for a FIFO "+
			"topic, not %q", clip(name))
	}
	return region, nil
}

// splitTopic splits a Pub/Sub topic into project and name. If the topic is only a name, project is "".
func splitTopic(topic string) (project, name string, err error) {
	name = topic
	if parts := strings.Split(topic, "/"); len(parts) > 1 {
		if len(parts) != 4 || parts[0] != "projects" || parts[2] != "topics" {
			return "", "", fmt.Errorf("want projects/PROJECT/topics/NAME, or NAME with project_id beside it, not %q",
				clip(topic))
		}
		project, name = parts[1], parts[3]
		if !projectForm().MatchString(project) {
			return "", "", fmt.Errorf("%q is not a project id: lower-case letters, digits and hyphens, a letter first",
				clip(project))
		}
	}
	if strings.HasPrefix(name, "goog") {
		return "", "", errors.New("a topic's name cannot begin with goog")
	}
	if !pubsubNameForm().MatchString(name) {
		return "", "", fmt.Errorf("a topic's name is 3 to 255 letters, digits and -._~+%%, a letter first, not %q",
			clip(name))
	}
	return project, name, nil
}
