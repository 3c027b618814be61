package configs

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"noi-agent/internal/awsregion"
	"noi-agent/internal/strictyaml"
)

func (v *validator) integrations() {
	ids := map[string]string{}
	for i := range v.beside {
		ids[v.beside[i].ID] = called(i, &v.beside[i]) + " of the configuration file"
	}
	v.index = v.indexSlaves()
	for i := range v.config.Integrations {
		in := &v.config.Integrations[i]
		path := strictyaml.Index("integrations", i)
		if v.shapeless(path, "type") {
			continue
		}
		v.integration(path, in)
		v.id(path, in)
		first, taken := ids[in.ID]
		taken = taken && in.ID != ""
		named := (taken || v.beside != nil) && v.nameTaken(path+".name", i)
		if place := v.idPlace(path); taken && !(named && place == path+".name") {
			v.coded(CodeTaken, place, "%s has the id %s too; give one of them a name or an id of its own", first, in.ID)
		}
		ids[in.ID] = called(i, in)
	}
}

// called returns the name of an integration for people: its name, or its place in the file if it has no name.
func called(at int, in *Integration) string {
	if in.Name != "" {
		return fmt.Sprintf("%q", in.Name)
	}
	return strictyaml.Index("integrations", at)
}

// nameTaken adds a fault, and returns true, if an integration of the other file, or one before, has the same name:
// commands and people use the name to select an integration. In the configuration file two integrations with different
// ids may have the same name.
func (v *validator) nameTaken(path string, at int) bool {
	own := v.config.Integrations
	name := own[at].Name
	called := func(in Integration) bool { return name != "" && (in.Name == name || in.ID == name) }
	switch {
	case slices.ContainsFunc(v.beside, called):
		v.coded(CodeTaken, path, "an integration of the configuration file is called %s; choose another name",
			clip(name))
	case slices.ContainsFunc(own[:at], called):
		v.coded(CodeTaken, path, "another integration is called %s; choose another name", clip(name))
	default:
		return false
	}
	return true
}

// id checks a configured id or derives one.
func (v *validator) id(path string, in *Integration) {
	switch {
	case v.doc.Has(path + ".id"):
		if !idForm().MatchString(in.ID) {
			v.fault(path+".id", "want %d letters and digits, not %q; leave the key out to have one derived from the "+
				"name", idLength, clip(in.ID))
		}
	case in.Name != "" || in.Destination() != "":
		in.ID = deriveID(in)
	}
}

// idPlace returns the key that an integration's id comes from.
func (v *validator) idPlace(path string) string {
	for _, key := range []string{".id", ".name", ".topic_arn", ".topic"} {
		if v.doc.Has(path + key) {
			return path + key
		}
	}
	return path
}

// mostRate is in samples per second. It is far above the rate that a cloud accepts from one gateway.
const mostRate = 1_000_000

// mostSpread is the longest time over which a fleet can spread its sending. No fleet needs more.
const mostSpread = time.Hour

func (v *validator) integration(path string, in *Integration) {
	v.label(path+".name", in.Name)
	v.slavesFilter(path+".slaves", in)
	v.integrationObjects(path+".objects", in)
	v.between(path+".catch_up.rate", in.CatchUp.Rate, 0, mostRate, "")
	v.span(path+".catch_up.spread", in.CatchUp.Spread, 0, mostSpread)
	v.between(path+".in_flight", in.InFlight, 1, mostInFlight, "")
	v.span(path+".pacing", in.Pacing, 0, mostSpread)
	v.sending(path, in)
	switch {
	case in.Type == AWS:
		v.foreign(path, in.Type, "project_id", "topic", "credentials_file", "ordering")
		v.aws(path, in)
	case in.Type == GCP:
		v.foreign(path, in.Type, "profile", "topic_arn", "region", "imds", "iot", "role_arn", "external_id")
		v.gcp(path, in)
		if !v.doc.Has(path + ".attributes") {
			in.Attributes = attributeNames() // gzip makes them short here; on SNS, form encoding makes them long
		}
	case !v.doc.Has(path + ".type"):
		v.coded(CodeRequired, path+".type", "an integration needs its type: aws for SNS, gcp for Pub/Sub")
	default:
		v.fault(path+".type", "%q is not known; want aws for SNS or gcp for Pub/Sub", clip(in.Type))
	}
	v.batch(path, in)
}

// foreign adds a fault for each key that belongs to the other cloud.
func (v *validator) foreign(path, kind string, keys ...string) {
	for _, key := range keys {
		if v.doc.Has(path + "." + key) {
			v.coded(CodeForeign, path+"."+key,
				"does not belong to type %s; take it out, or make an integration of the other type", kind)
		}
	}
}

// slavesFilter adds a fault for each word that is no name of a slave.
func (v *validator) slavesFilter(path string, in *Integration) {
	if len(v.index.slaves) == 0 || v.broken("lines") {
		return // no slave to compare with
	}
	for i, word := range in.Slaves.List {
		if !v.index.means(word) {
			v.coded(CodeUnknownSlave, v.item(path, in.Slaves, i), "no slave is known as %q; %s", clip(word),
				v.index.hint(word))
		}
	}
}

func (v *validator) aws(path string, in *Integration) {
	v.role(path, in)
	v.iot(path, in)
	if strings.ContainsFunc(in.Profile, func(r rune) bool { return r < ' ' || r == 0x7F || r == '[' || r == ']' }) {
		v.fault(path+".profile", "want the name of a profile without brackets and control characters, not %q",
			clip(in.Profile))
	}
	if in.TopicARN == "" {
		v.coded(CodeRequired, path+".topic_arn", "the topic's ARN is needed, %s", arnExample)
		return
	}
	region, err := arnRegion(in.TopicARN)
	switch {
	case err != nil:
		v.fault(path+".topic_arn", "%v", err)
	case in.Region == "":
		in.Region = region
	case in.Region != region:
		v.coded(CodeRegion, path+".region",
			"region %s contradicts the topic, which lies in %s; leave region out, or correct the one that is wrong",
			clip(in.Region), region)
	}
	if in.Endpoint != "" && !isURL(in.Endpoint) {
		v.fault(path+".endpoint", "want a URL as in http://127.0.0.1:4100, not %q; leave the key out for AWS itself",
			clip(in.Endpoint))
	}
}

// role checks the role to assume, and its external id.
func (v *validator) role(path string, in *Integration) {
	v.roleARN(path+".role_arn", in)
	switch {
	case in.ExternalID == "":
	case in.RoleARN == "":
		v.fault(path+".external_id", "goes with a role to assume; add role_arn, or take it out")
	case !externalForm().MatchString(in.ExternalID) || len(in.ExternalID) > mostExternalID:
		v.fault(path+".external_id", "want 2 to %d letters, digits and _+=,.@:/-, as the role's trust policy has it",
			mostExternalID)
	}
}

// roleARN checks the role's ARN. The role and the topic must be in the same partition: an access key of one partition
// is not valid in another.
func (v *validator) roleARN(path string, in *Integration) {
	if in.RoleARN == "" {
		return
	}
	m := roleForm().FindStringSubmatch(in.RoleARN)
	if m == nil || !awsregion.Known(m[1]) {
		v.fault(path, "want the ARN of a role, as in arn:aws:iam::123456789012:role/noi-publisher, not %q",
			clip(in.RoleARN))
		return
	}
	region, err := arnRegion(in.TopicARN)
	if err != nil {
		return // the topic has its own fault
	}
	if p := awsregion.Of(region).Name; p != m[1] {
		v.fault(path, "the role lies in partition %s and the topic in %s; no role of one partition is valid in another",
			m[1], p)
	}
}

// iot checks the keys for credentials from AWS IoT Core.
func (v *validator) iot(path string, in *Integration) {
	if !v.doc.Has(path+".iot") || slices.Contains(v.decode, path+".iot") {
		return
	}
	if in.Profile != "" {
		v.fault(path+".profile", "credentials come from iot already; take one of the two out")
	}
	if in.IMDS {
		v.fault(path+".imds", "credentials come from iot already; take one of the two out")
	}
	path += ".iot"
	for _, need := range []struct{ key, value, want string }{
		{"endpoint", in.IoT.Endpoint,
			"the host that `aws iot describe-endpoint --endpoint-type iot:CredentialProvider` prints"},
		{"role_alias", in.IoT.RoleAlias, "the alias of the role to act as"},
		{"certificate", in.IoT.Certificate, "the PEM file of the device's certificate"},
		{"key", in.IoT.Key, "the PEM file of the certificate's private key"},
	} {
		if need.value == "" {
			v.coded(CodeRequired, path+"."+need.key, "credentials by certificate need %s: %s", need.key, need.want)
		}
	}
	if e := in.IoT.Endpoint; e != "" && !isURL("https://"+e) || strings.Contains(e, "/") {
		v.fault(path+".endpoint", "want a host as in c2x3.credentials.iot.us-east-2.amazonaws.com, not %q", clip(e))
	}
	if in.IoT.RoleAlias != "" && !aliasForm().MatchString(in.IoT.RoleAlias) {
		v.fault(path+".role_alias", "an alias has 1 to 128 letters, digits and _=,@-, not %q", clip(in.IoT.RoleAlias))
	}
	if in.IoT.Thing != "" && !thingForm().MatchString(in.IoT.Thing) {
		v.fault(path+".thing", "a thing's name has 1 to 128 letters, digits and :_-, not %q", clip(in.IoT.Thing))
	}
}

// isURL reports whether text is an http:// or https:// address with a host, and with nothing after it but a path.
func isURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return false
	}
	return u.User == nil && u.RawQuery == "" && u.Fragment == "" && (u.Port() == "" || isPort(u.Port()))
}

func (v *validator) gcp(path string, in *Integration) {
	v.topic(path, in)
	endpoint := in.Endpoint
	if endpoint == "" {
		return
	}
	host, port, err := net.SplitHostPort(endpoint)
	hostPort := err == nil && host != "" && isPort(port)
	address, _ := strings.CutSuffix(endpoint, "/")
	if !hostPort && (!isURL(endpoint) || strings.Count(address, "/") != 2) { // an endpoint of gRPC has no path
		v.fault(path+".endpoint", "want host:port as in 127.0.0.1:8085, not %q; leave the key out for Google itself",
			clip(endpoint))
	}
}

// topic checks topic and project_id, and that they agree. It sets the one that is missing from the other.
func (v *validator) topic(path string, in *Integration) {
	projectSound := in.ProjectID == "" || projectForm().MatchString(in.ProjectID)
	if !projectSound {
		v.fault(path+".project_id", "%q is not a project id: lower-case letters, digits and hyphens, a letter first",
			clip(in.ProjectID))
	}
	if in.Topic == "" {
		v.coded(CodeRequired, path+".topic", "a topic is needed, as in projects/PROJECT/topics/NAME")
		return
	}
	project, name, err := splitTopic(in.Topic)
	switch {
	case err != nil:
		v.fault(path+".topic", "%v", err)
	case project == "" && in.ProjectID == "":
		v.fault(path+".topic",
			"%s alone does not say which project; add project_id, or write projects/PROJECT/topics/%s", name, name)
	case project != "" && in.ProjectID != "" && project != in.ProjectID:
		v.coded(CodeProject, path+".project_id",
			"project %s contradicts the topic, which lies in %s; leave project_id out, or correct the one that is "+
				"wrong", clip(in.ProjectID), project)
	case projectSound:
		in.ProjectID = firstOf(in.ProjectID, project)
		in.Topic = "projects/" + in.ProjectID + "/topics/" + name
	}
}
