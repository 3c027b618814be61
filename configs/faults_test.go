package configs_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"noi-agent/configs"
)

var update = flag.Bool("update", false, "write the golden files again")

// Valid parts of a configuration; the tests add faults to them.
const (
	lineHead  = "lines:\n- name: rs485\n  port: /dev/ttyUSB0\n"                      // lines 1 to 3
	slaveHead = lineHead + "  slaves:\n  - id: 1\n    model: PSPWM\n    "            // the next is line 7
	awsHead   = "integrations:\n- type: aws\n  "                                     // the next is line 3
	gcpHead   = "integrations:\n- type: gcp\n  "                                     // the next is line 3
	arn       = "topic_arn: arn:aws:sns:us-east-2:393221637266:MainSolarData"        // valid
	topic     = "topic: projects/test-project/topics/MainSolarData"                  // valid
	polling   = slaveHead + "objects: adc_ia\nintegrations:\n- type: gcp\n  "        // the next is line 10
	sending   = polling + topic + "\n  "                                             // the next is line 11
	twoSlaves = lineHead + "  slaves:\n  - {id: 1, name: a}\n  - {id: 2, name: b}\n" // the next is line 7
)

// fault is a configuration with one fault: its line, its path and the beginning of its text.
type fault struct{ name, yaml, want string }

// checkFaults checks that each configuration has exactly its one fault.
func checkFaults(t *testing.T, tests []fault) {
	t.Helper()
	cat := mustCatalog(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, faults := configs.Parse([]byte(tt.yaml), cat)
			if len(faults) != 1 {
				t.Fatalf("want one fault, got %d:\n%v\nin\n%s", len(faults), faults, tt.yaml)
			}
			if got := fmt.Sprintf("%d %s %s", faults[0].Line, faults[0].Path, faults[0].Text); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Each kind of fault once. The tests of strictyaml have the other cases.
func TestFaultsOfDecoding(t *testing.T) {
	checkFaults(t, []fault{
		{"unknown key", "lnies: []", "1 lnies unknown key; did you mean lines?"},
		{"key of a later version", slaveHead + "publish_every: 1s", "7 lines[0].slaves[0].publish_every unknown key; known here: id, model"},
		{"repeated key", "state_dir: a\nstate_dir: b", "2 state_dir is given twice"},
		{"leading zero", lineHead + "  baud: 09600", "4 lines[0].baud 09600 has a leading zero"},
		{"fraction", lineHead + "  stop_bits: 1.5", "4 lines[0].stop_bits want a whole number, not 1.5"},
		{"second document", "state_dir: a\n---\nstate_dir: b", "2  a second document"},
		{"no YAML", "state_dir: [a\n", "1  is not YAML"},
		{"boolean", lineHead + "  enabled: yes", "4 lines[0].enabled want true or false, not yes; write true"},
		{"no value", lineHead + "  slaves:", "4 lines[0].slaves has no value"},
		{"text for a line", "lines: [rs485]", "1 lines[0] want keys and values"},
		{"text for an integration", "integrations: [aws]", "1 integrations[0] want keys and values"},
	})
}

func TestFaultsOfTheRoot(t *testing.T) {
	checkFaults(t, []fault{
		{"short device id", "device_id: 12ab", `1 device_id want 24 lower-case hex digits, not "12ab"; leave the key out`},
		{"upper-case device id", "device_id: 5300520006504B5957343920", "1 device_id want 24 lower-case hex digits, not \"5300520006504B5957343920\"; write 5300520006504b5957343920"},
		{"empty device id", `device_id: ""`, "1 device_id want 24"},
		{"empty state directory", `state_dir: ""`, "1 state_dir want a directory"},
		{"log level", "log:\n  level: wran", `2 log.level "wran" is not known; want debug, info, warn or error; did you mean warn?`},
		{"log format", "log: {format: xml}", `1 log.format "xml" is not known; want text or json`},
	})
}

func TestFaultsOfLines(t *testing.T) {
	checkFaults(t, []fault{
		{"line without name", "lines:\n- port: /dev/ttyS0", "2 lines[0].name a line needs a name"},
		{"line name with a slash", "lines:\n- name: a/b\n  port: p", `2 lines[0].name want letters, digits`},
		{"line without port", "lines:\n- name: a", "2 lines[0].port a line needs its serial port"},
		{"two lines of one name", lineHead + "- name: rs485\n  port: p", "4 lines[1].name rs485 is the name of lines[0] too"},
		{"two lines on one port", lineHead + "- name: b\n  port: /dev//ttyUSB0", "5 lines[1].port /dev//ttyUSB0 is the port of lines[0] too; list all slaves of a port on one line"},
		{"baud", lineHead + "  baud: 9601", "4 lines[0].baud 9601 is not a usual rate; want one of 1200, 2400"},
		{"data bits", lineHead + "  data_bits: 7", "4 lines[0].data_bits want 8, not 7: Modbus RTU"},
		{"parity", lineHead + "  parity: off", `4 lines[0].parity "off" is not known; want none, even or odd`},
		{"stop bits", lineHead + "  stop_bits: 3", "4 lines[0].stop_bits want 1 to 2, not 3"},
		{"short timeout", lineHead + "  timeout: 9ms", "4 lines[0].timeout want 10ms to 30s, not 9ms"},
		{"long timeout", lineHead + "  timeout: 31s", "4 lines[0].timeout want 10ms to 30s, not 31s"},
		{"timeout without unit", lineHead + "  timeout: 500", "4 lines[0].timeout 500 has no unit"},
	})
}

func TestFaultsOfSlaves(t *testing.T) {
	checkFaults(t, []fault{
		{"slave without id", lineHead + "  slaves:\n  - model: PSPWM", "5 lines[0].slaves[0].id a slave needs its unit id"},
		{"broadcast", lineHead + "  slaves:\n  - id: 0", "5 lines[0].slaves[0].id want 1 to 247, not 0; 0 and 255 are for tcp:// only"},
		{"unit id above 247", lineHead + "  slaves:\n  - id: 248", "5 lines[0].slaves[0].id want 1 to 247, not 248"},
		{"negative unit id", lineHead + "  slaves:\n  - id: -1", "5 lines[0].slaves[0].id want 1 to 247, not -1"},
		{"unit id twice", lineHead + "  slaves:\n  - id: 1\n  - id: 2\n  - id: 1", "7 lines[0].slaves[2].id 1 is the unit id of lines[0].slaves[0] too"},
		{"model near", lineHead + "  slaves:\n  - id: 1\n    model: pspwm", `6 lines[0].slaves[0].model no family and no product code known as "pspwm"; did you mean PSPWM?`},
		{"model far", lineHead + "  slaves:\n  - id: 1\n    model: zebra", "6 lines[0].slaves[0].model no family and no product code known as \"zebra\"; want auto, a product code, or one of"},
		{"product code of another family", lineHead + "  slaves:\n  - id: 1\n    model: TSPWM\n    product_code: PS-PWM-30M",
			"7 lines[0].slaves[0].product_code PS-PWM-30M is a product code of PSPWM, and the model is TSPWM: correct one of the two, or write model_check: ignore"},
		{"model check", slaveHead + "model_check: off", "7 lines[0].slaves[0].model_check \"off\" is not known; want check or ignore"},
		{"product code of no family", lineHead + "  slaves:\n  - id: 1\n    product_code: XX-1\n    firmware: v1", "6 lines[0].slaves[0].product_code no family is known for product code \"XX-1\""},
		{"slave name with a comma", slaveHead + "name: a,b", "7 lines[0].slaves[0].name want at most 64 bytes"},
		{"slave named all", slaveHead + "name: all", "7 lines[0].slaves[0].name want at most 64 bytes"},
		{"empty slave name", slaveHead + `name: ""`, "7 lines[0].slaves[0].name is empty; leave the key out"},
		{"long firmware", slaveHead + "firmware: " + strings.Repeat("v", 65), "7 lines[0].slaves[0].firmware want at most 64"},
		{"no registers", slaveHead + "max_registers: 0", "7 lines[0].slaves[0].max_registers want 1 to 125, not 0"},
		{"a register in decimal", slaveHead + "avoid: [10]", "7 lines[0].slaves[0].avoid want registers like 0x0010"},
		{"registers backwards", slaveHead + "avoid: 0x0003-0x0002", "7 lines[0].slaves[0].avoid 0x0003-0x0002 ends before it begins"},
		{"many registers", slaveHead + "max_registers: 126", "7 lines[0].slaves[0].max_registers want 1 to 125, not 126"},
	})
}

func TestFaultsOfSelectionsOfSlaves(t *testing.T) {
	checkFaults(t, []fault{
		{"unknown object near", slaveHead + "objects: adc_ia, adc_vbtrem", `7 lines[0].slaves[0].objects PSPWM has no object "adc_vbtrem"; did you mean adc_vbterm?`},
		{"unknown object in a list", slaveHead + "objects:\n    - adc_ia\n    - zebra", "9 lines[0].slaves[0].objects[1] PSPWM has no object \"zebra\"; `noi-agent objects` lists them"},
		{"unknown object behind all", slaveHead + "objects:\n    - all\n    - zebra", "9 lines[0].slaves[0].objects[1] PSPWM has no object"},
		{"unknown object of any family", lineHead + "  slaves:\n  - id: 1\n    objects: t_batt", `6 lines[0].slaves[0].objects the 9 families have no object "t_batt"; did you mean T_batt?`},
		{"pattern without a match", slaveHead + "objects: zebra*", `7 lines[0].slaves[0].objects the pattern "zebra*" matches no object of PSPWM`},
		{"question mark is no wildcard", slaveHead + "objects: adc_i?", `7 lines[0].slaves[0].objects PSPWM has no object "adc_i?"`},
		{"disputed object", slaveHead + "objects: kWhc_t", "7 lines[0].slaves[0].objects the sources dispute the encoding of kWhc_t, so it is not sampled until one is chosen: add encodings: {kWhc_t: f16} to the slave (there are f16 and u16)"},
		{"object of one choice", strings.Replace(slaveHead, "PSPWM", "TSMPPT", 1) + "objects: EV_absorp", "7 lines[0].slaves[0].objects what EV_absorp holds depends on the controller, so it is not sampled until you say that it is V_PU_180: add encodings: {EV_absorp: V_PU_180}"},
		{"pattern of disputed objects", slaveHead + "objects: kWhc_*", "7 lines[0].slaves[0].objects the sources dispute"},
		{"no objects", slaveHead + "objects: []", "7 lines[0].slaves[0].objects names nothing; write all"},
		{"empty objects", slaveHead + `objects: ""`, "7 lines[0].slaves[0].objects names nothing"},
		{"missing object", slaveHead + "objects: adc_ia,,adc_il", "7 lines[0].slaves[0].objects a name is missing beside a comma"},
		{"comma in a list", slaveHead + `objects: ["adc_ia, adc_il"]`, `7 lines[0].slaves[0].objects[0] "adc_ia, adc_il" holds a comma`},
		{"map for objects", slaveHead + "objects: {adc_ia: 1s}", "7 lines[0].slaves[0].objects want a list, or names separated by commas"},
		{"brackets without quotes", slaveHead + "objects: [adc_ia, [U]]", "7 lines[0].slaves[0].objects[1] want a name; quote it"},
		{"encoding of an unknown object", slaveHead + "encodings: {kwhc_t: f16}", `7 lines[0].slaves[0].encodings.kwhc_t PSPWM has no object "kwhc_t"; did you mean kWhc_t?`},
		{"encoding of an undisputed object", slaveHead + "encodings: {adc_ia: f16}", "7 lines[0].slaves[0].encodings.adc_ia the encoding of adc_ia is not disputed"},
		{"unknown encoding", slaveHead + "encodings:\n      kWhc_t: f32", `8 lines[0].slaves[0].encodings.kWhc_t kWhc_t has no encoding "f32"; choose one of f16, u16`},
		{"encoding by pattern", slaveHead + `encodings: {"kWhc_*": f16}`, "7 lines[0].slaves[0].encodings.kWhc_* patterns are not taken here"},
		{"interval of an unknown object", slaveHead + "intervals:\n      adc_ia: 1s\n      adc_vbtrem: 1s", `9 lines[0].slaves[0].intervals.adc_vbtrem PSPWM has no object "adc_vbtrem"; did you mean adc_vbterm?`},
		{"interval of an unknown pattern", slaveHead + `intervals: {"t_*": 1s}`, `7 lines[0].slaves[0].intervals.t_* the pattern "t_*" matches no object`},
		{"odd name", slaveHead + `intervals: {"T_ind[U]": 1s}`, `7 lines[0].slaves[0].intervals["T_ind[U]"] PSPWM has no object "T_ind[U]"`},
		{"short interval", slaveHead + "intervals: {adc_ia: 9ms}", "7 lines[0].slaves[0].intervals.adc_ia want 10ms to 8784h, not 9ms"},
		{"interval zero", slaveHead + "intervals: {adc_ia: 0}", "7 lines[0].slaves[0].intervals.adc_ia want 10ms to 8784h, not 0s"},
		{"interval without unit", slaveHead + "intervals: {adc_ia: 10}", "7 lines[0].slaves[0].intervals.adc_ia 10 has no unit"},
		{"patterns of one length", slaveHead + "intervals:\n      '*tt': 1s\n      T_*: 1s", `9 lines[0].slaves[0].intervals.T_* "*tt" and "T_*" are equally long and both match T_batt`},
	})
}

func TestFaultsOfIntegrations(t *testing.T) {
	checkFaults(t, []fault{
		{"no type", "integrations:\n- name: x", "2 integrations[0].type an integration needs its type"},
		{"unknown type", "integrations:\n- type: azure", `2 integrations[0].type "azure" is not known; want aws for SNS or gcp`},
		{"short id", gcpHead + topic + "\n  id: abc", `4 integrations[0].id want 20 letters and digits, not "abc"`},
		{"odd id", gcpHead + topic + "\n  id: FFjU28MMaL3W9B9hhhh-", "4 integrations[0].id want 20 letters and digits"},
		{"two integrations of one name", awsHead + arn + "\n  name: x\n- type: gcp\n  " + topic + "\n  name: x", "7 integrations[1].name another integration is called x; choose another name"},
		{"two integrations of one topic", awsHead + arn + "\n- type: aws\n  " + arn, "5 integrations[1].topic_arn integrations[0] has the id "},
		{"two equal ids", gcpHead + topic + "\n  id: FFjU28MMaL3W9B9hhhhH\n- type: aws\n  " + arn + "\n  id: FFjU28MMaL3W9B9hhhhH", "7 integrations[1].id integrations[0] has the id FFjU28MMaL3W9B9hhhhH too"},
		{"integration name with a slash", gcpHead + topic + "\n  name: a/b", "4 integrations[0].name want at most 64 bytes"},
	})
}

func TestFaultsOfSelectionsOfIntegrations(t *testing.T) {
	checkFaults(t, []fault{
		{"unknown object of an integration", sending + "objects: adc_ai", `11 integrations[0].objects PSPWM has no object "adc_ai"; did you mean`},
		{"unknown object without any slave", gcpHead + topic + "\n  objects: adc_vbtrem", `4 integrations[0].objects the 9 families have no object "adc_vbtrem"; did you mean adc_vbterm?`},
		{"unknown pattern of an integration", sending + "objects: ['x*']", `11 integrations[0].objects[0] the pattern "x*" matches no object`},
		{"object that no slave polls", sending + "objects: adc_ia, adc_il", "11 integrations[0].objects no slave of this integration polls adc_il: add it to the objects of a slave"},
		{"setting that no slave polls", slaveHead + "objects: all\n" + gcpHead + topic + "\n  objects: [adc_ia, EV_reg]", "11 integrations[0].objects[1] no slave of this integration polls EV_reg: it is a setting, polled only by name; add it to the objects of the slave, as in objects: all, EV_reg"},
		{"disputed object that no slave polls", slaveHead + "objects: all\n" + gcpHead + topic + "\n  objects: kWhc_t", "11 integrations[0].objects no slave of this integration polls kWhc_t: the sources dispute"},
		{"object that only another slave polls", lineHead + "  slaves:\n  - {id: 1, objects: adc_ia}\n  - {id: 2, objects: adc_il}\n" + gcpHead + topic + "\n  slaves: rs485/1\n  objects: adc_il", "11 integrations[0].objects no slave of this integration polls adc_il"},
		{"unknown unit", twoSlaves + gcpHead + topic + "\n  slaves: rs485/3", `10 integrations[0].slaves no slave is known as "rs485/3"; did you mean rs485/1?`},
		{"unknown slave", twoSlaves + gcpHead + topic + "\n  slaves: [a, shed-of-the-neighbour]", `10 integrations[0].slaves[1] no slave is known as "shed-of-the-neighbour"; want all, or some of rs485/1, a, rs485/2, b`},
		{"auto is no slave", twoSlaves + gcpHead + topic + "\n  slaves: auto", `10 integrations[0].slaves no slave is known as "auto"`},
		{"unknown attribute", gcpHead + topic + "\n  attributes: object, objet", `4 integrations[0].attributes there is no attribute "objet"; want all, none, or some of object, slave`},
		{"attribute twice", gcpHead + topic + "\n  attributes: [unit, unit]", "4 integrations[0].attributes unit is listed twice"},
		{"none among attributes", gcpHead + topic + "\n  attributes: [unit, none]", `4 integrations[0].attributes there is no attribute "none"`},
	})
}

func TestFaultsOfSNSTopics(t *testing.T) {
	checkFaults(t, []fault{
		{"no ARN", "integrations:\n- type: aws", "2 integrations[0].topic_arn the topic's ARN is needed"},
		{"ARN of nothing", awsHead + "topic_arn: MainSolarData", "3 integrations[0].topic_arn want the ARN of a topic"},
		{"ARN of a subscription", awsHead + arn + ":1234-5678", "3 integrations[0].topic_arn this is the ARN of a subscription; the topic's ends before \":1234-5678\""},
		{"ARN of a queue", awsHead + "topic_arn: arn:aws:sqs:us-east-2:393221637266:Main", "3 integrations[0].topic_arn this is an ARN of \"sqs\"; want one of sns"},
		{"ARN of no partition", awsHead + "topic_arn: arn:aws-de:sns:us-east-2:393221637266:Main", "3 integrations[0].topic_arn the ARN's second part is aws, aws-cn, aws-eusc,"},
		{"ARN without region", awsHead + "topic_arn: arn:aws:sns::393221637266:Main", "3 integrations[0].topic_arn the ARN's fourth part is a region"},
		{"ARN of another partition's region", awsHead + "topic_arn: arn:aws:sns:cn-north-1:393221637266:Main", "3 integrations[0].topic_arn region cn-north-1 lies in partition aws-cn, not aws"},
		{"isolated region in the usual partition", awsHead + "topic_arn: arn:aws:sns:us-iso-east-1:393221637266:Main",
			"3 integrations[0].topic_arn region us-iso-east-1 lies in partition aws-iso, not aws"},
		{"ARN with a short account", awsHead + "topic_arn: arn:aws:sns:us-east-2:39322163726:Main", "3 integrations[0].topic_arn the ARN's fifth part is the account's 12 digits"},
		{"ARN with an odd name", awsHead + "topic_arn: arn:aws:sns:us-east-2:393221637266:Main.Solar", "3 integrations[0].topic_arn a topic's name is 1 to 256 letters"},
		{"ARN with a long name", awsHead + "topic_arn: arn:aws:sns:us-east-2:393221637266:" + strings.Repeat("m", 257), "3 integrations[0].topic_arn a topic's name is 1 to 256"},
		{"region against the ARN", awsHead + arn + "\n  region: eu-west-1", "4 integrations[0].region region eu-west-1 contradicts the topic, which lies in us-east-2"},
		{"AWS endpoint without scheme", awsHead + arn + "\n  endpoint: 127.0.0.1:4100", "4 integrations[0].endpoint want a URL as in http://127.0.0.1:4100"},
		{"AWS endpoint with a password", awsHead + arn + "\n  endpoint: http://u:p@h", "4 integrations[0].endpoint want a URL"},
		{"Google's ordering on AWS", awsHead + arn + "\n  ordering: true", "4 integrations[0].ordering does not belong to type aws"},
		{"Google's key on AWS", awsHead + arn + "\n  project_id: p", "4 integrations[0].project_id does not belong to type aws"},
		{"Google's topic on AWS", awsHead + arn + "\n  topic: p", "4 integrations[0].topic does not belong to type aws"},
		{"Google's credentials on AWS", awsHead + arn + "\n  credentials_file: p", "4 integrations[0].credentials_file does not belong"},
	})
}

func TestFaultsOfAWSCredentials(t *testing.T) {
	const iot = "\n  iot: {endpoint: c.credentials.iot.us-east-2.amazonaws.com, role_alias: noi, certificate: c.pem, key: k.pem}"
	checkFaults(t, []fault{
		{"role that is none", awsHead + arn + "\n  role_arn: noi-publisher", "4 integrations[0].role_arn want the ARN of a role"},
		{"role of another service", awsHead + arn + "\n  role_arn: arn:aws:iam::123456789012:user/x", "4 integrations[0].role_arn want the ARN of a role"},
		{"external id without a role", awsHead + arn + "\n  external_id: solar-42", "4 integrations[0].external_id goes with a role to assume; add role_arn"},
		{"odd external id", awsHead + arn + "\n  role_arn: arn:aws:iam::123456789012:role/x\n  external_id: a b", "5 integrations[0].external_id want 2 to 1224"},
		{"long external id", awsHead + arn + "\n  role_arn: arn:aws:iam::123456789012:role/x\n  external_id: " + strings.Repeat("e", 1225),
			"5 integrations[0].external_id want 2 to 1224"},
		{"role of another partition", awsHead + arn + "\n  role_arn: arn:aws-cn:iam::123456789012:role/x",
			"4 integrations[0].role_arn the role lies in partition aws-cn and the topic in aws"},
		{"role of no partition", awsHead + arn + "\n  role_arn: arn:aws-moon:iam::123456789012:role/x", "4 integrations[0].role_arn want the ARN of a role"},
		{"profile with a line break", awsHead + arn + "\n  profile: \"a\\nEOF\"", "4 integrations[0].profile want the name of a profile"},
		{"profile that ends its heading", awsHead + arn + "\n  profile: 'a]'", "4 integrations[0].profile want the name of a profile"},
		{"no endpoint", awsHead + arn + "\n  iot: {role_alias: noi, certificate: c, key: k}", "4 integrations[0].iot.endpoint credentials by certificate need endpoint: the host that"},
		{"no alias", awsHead + arn + "\n  iot: {endpoint: c.example, certificate: c, key: k}", "4 integrations[0].iot.role_alias credentials by certificate need role_alias"},
		{"no certificate", awsHead + arn + "\n  iot: {endpoint: c.example, role_alias: noi, key: k}", "4 integrations[0].iot.certificate credentials by certificate need certificate"},
		{"no key", awsHead + arn + "\n  iot: {endpoint: c.example, role_alias: noi, certificate: c}", "4 integrations[0].iot.key credentials by certificate need key"},
		{"endpoint with a scheme", awsHead + arn + "\n  iot: {endpoint: 'https://c.example', role_alias: noi, certificate: c, key: k}", "4 integrations[0].iot.endpoint want a host as in"},
		{"odd alias", awsHead + arn + "\n  iot: {endpoint: c.example, role_alias: a/b, certificate: c, key: k}", `4 integrations[0].iot.role_alias an alias has 1 to 128 letters, digits and _=,@-, not "a/b"`},
		{"odd thing", awsHead + arn + "\n  iot: {endpoint: c.example, role_alias: noi, certificate: c, key: k, thing: a b}", "4 integrations[0].iot.thing a thing's name has 1 to 128"},
		{"certificate and profile", awsHead + arn + "\n  profile: x" + iot, "4 integrations[0].profile credentials come from iot already"},
		{"certificate and metadata", awsHead + arn + "\n  imds: true" + iot, "4 integrations[0].imds credentials come from iot already"},
	})
}

func TestFaultsOfPubSubTopics(t *testing.T) {
	checkFaults(t, []fault{
		{"no topic", "integrations:\n- type: gcp", "2 integrations[0].topic a topic is needed"},
		{"bare topic", gcpHead + "topic: MainSolarData", "3 integrations[0].topic MainSolarData alone does not say which project"},
		{"half a topic", gcpHead + "topic: test-project/MainSolarData", "3 integrations[0].topic want projects/PROJECT/topics/NAME"},
		{"subscription for a topic", gcpHead + "topic: projects/p/subscriptions/Main", "3 integrations[0].topic want projects/PROJECT/topics/NAME"},
		{"topic of an odd project", gcpHead + "topic: projects/My Project/topics/Main", "3 integrations[0].topic \"My Project\" is not a project id"},
		{"short topic", gcpHead + "topic: projects/p/topics/ab", "3 integrations[0].topic a topic's name is 3 to 255"},
		{"topic of Google's", gcpHead + "topic: projects/p/topics/google", "3 integrations[0].topic a topic's name cannot begin with goog"},
		{"project against the topic", gcpHead + topic + "\n  project_id: other", "4 integrations[0].project_id project other contradicts the topic, which lies in test-project"},
		{"odd project", gcpHead + "topic: Main\n  project_id: Other", `4 integrations[0].project_id "Other" is not a project id`},
		{"Google endpoint without port", gcpHead + topic + "\n  endpoint: localhost", "4 integrations[0].endpoint want host:port"},
		{"Google endpoint with a path", gcpHead + topic + "\n  endpoint: http://localhost:8085/v1", "4 integrations[0].endpoint want host:port"},
		{"Google endpoint with an odd port", gcpHead + topic + "\n  endpoint: localhost:99999", "4 integrations[0].endpoint want host:port"},
		{"AWS's ARN on Google", gcpHead + topic + "\n  " + arn, "4 integrations[0].topic_arn does not belong to type gcp; take it out"},
		{"AWS's region on Google", gcpHead + topic + "\n  region: us-east-2", "4 integrations[0].region does not belong to type gcp"},
		{"AWS's profile on Google", gcpHead + topic + "\n  profile: x", "4 integrations[0].profile does not belong to type gcp"},
		{"AWS's role on Google", gcpHead + topic + "\n  role_arn: x", "4 integrations[0].role_arn does not belong to type gcp"},
		{"AWS's external id on Google", gcpHead + topic + "\n  external_id: x1", "4 integrations[0].external_id does not belong to type gcp"},
		{"AWS's certificate on Google", gcpHead + topic + "\n  iot: {key: x}", "4 integrations[0].iot does not belong to type gcp"},
		{"AWS's metadata on Google", gcpHead + topic + "\n  imds: false", "4 integrations[0].imds does not belong to type gcp"},
	})
}

func TestFaultsOfLimits(t *testing.T) {
	checkFaults(t, []fault{
		{"no size", "buffer: {max_size: 0}", "1 buffer.max_size want more than 0"},
		{"odd size", "buffer: {max_size: 1.5GiB}", `1 buffer.max_size want a size like 256MiB, 512KiB or 1GiB, not "1.5GiB"`},
		{"unit of size", "buffer: {max_size: 1TiB}", "1 buffer.max_size TiB is not a unit of size"},
		{"negative age", "buffer: {max_age: -1h}", "1 buffer.max_age want 1s to 87600h, not -1h"},
		{"age in days", "buffer: {max_age: 30d}", "1 buffer.max_age want a duration in hours, not in days (30d); write hours"},
		{"when full", "buffer: {when_full: block}", `1 buffer.when_full "block" is not known; want drop_oldest or reject_newest`},
		{"pacing", "integrations: [{type: gcp, topic: projects/test-project/topics/Main, pacing: 2h}]", "1 integrations[0].pacing want 0s to 1h, not 2h"},
		{"pacing without a unit", "integrations: [{type: gcp, topic: projects/test-project/topics/Main, pacing: 30}]", "1 integrations[0].pacing "},
		{"spread", "integrations: [{type: gcp, topic: projects/test-project/topics/Main, catch_up: {spread: -1s}}]", "1 integrations[0].catch_up.spread want 0s to 1h, not -1s"},
		{"rate", "integrations: [{type: gcp, topic: projects/test-project/topics/Main, catch_up: {rate: -1}}]", "1 integrations[0].catch_up.rate want 0 to 1000000, not -1"},
		{"retention", "buffer: {retain_after_ack: -1h}", "1 buffer.retain_after_ack want 0s to 87600h, not -1h"},
		{"long commit window", "buffer: {commit_every: 2m}", "1 buffer.commit_every want 0s to 1m, not 2m"},
		{"keep nothing", "triggers: {keep: 0}", "1 triggers.keep want 1 to 1000000, not 0"},
		{"clock from elsewhere", "clock: {source: ntp}", `1 clock.source "ntp" is not known; want auto or system`},
		{"clock misspelt", "clock: {source: sytem}", "1 clock.source \"sytem\" is not known; want auto or system; did you mean system?"},
		{"wait for ever", "clock: {max_wait: 1000h}", "1 clock.max_wait want 0s to 720h, not 1000h"},
		{"wait backwards", "clock: {max_wait: -1s}", "1 clock.max_wait want 0s to 720h, not -1s"},
		{"never flush", "triggers: {flush_every: 0}", "1 triggers.flush_every want 1ms to 1h, not 0s"},
	})
}

func TestFaultsOfTheStatusAddress(t *testing.T) {
	checkFaults(t, []fault{
		{"no host", "status: {listen: ':8780'}", `1 status.listen want an IP address before the port, not ""`},
		{"name of a host", "status: {listen: 'gateway:8780'}", `1 status.listen want an IP address before the port, not "gateway": 127.0.0.1`},
		{"host with a port", "status: {hosts: [gw7.example.org, 'gw7.example.org:8780']}", `1 status.hosts[1] want a name as a browser has it in its address`},
		{"host as a URL", "status: {hosts: ['https://gw7']}", `1 status.hosts[0] want a name`},
		{"pattern of hosts", "status: {hosts: ['*.example.org']}", `1 status.hosts[0] want a name`},
		{"certificate without its key", "status: {tls: {cert: /etc/noi-agent/gw7.pem}}", "1 status.tls cert and key go together"},
		{"key without its certificate", "status: {tls: {key: /etc/noi-agent/gw7.key}}", "1 status.tls cert and key go together"},
		{"no port", "status: {listen: 127.0.0.1}", "1 status.listen want \"host:port\""},
		{"odd port", "status: {listen: '127.0.0.1:http'}", `1 status.listen "http" is not a port`},
		{"short history", "status: {history: 30m}", "1 status.history want 1h to 168h, not 30m"},
		{"history in words", "status: {history: none}", `1 status.history want off or a time like 24h, not none`},
		{"long socket", "status: {socket: /" + strings.Repeat("s", 107) + "}", "1 status.socket the path of a unix socket has at most 107 bytes, this one 108"},
	})
}

// Valid configurations that look wrong.
func TestValid(t *testing.T) {
	for _, text := range []string{
		"state_dir: run/state",
		"device_id: 530052000650405957343920", // only digits, but still a text
		"device_id: 000000000000000000000001",
		"status: {listen: '', socket: ''}",
		"status: {history: off}",
		"status: {history: 0}",
		"status: {listen: 'localhost:0'}",
		"status: {listen: '[::1]:8780'}",
		"status: {listen: '0.0.0.0:8443'}",
		"status: {listen: '[::]:8443', hosts: [gw7, 10.0.0.1, Solar.example.org], tls: {cert: a.pem, key: a.key}}",
		"status: {listen: '127.9.9.9:1'}",
		"buffer: {commit_every: 0, max_size: 1}",
		lineHead + "  slaves: []",
		lineHead + "- {name: b, port: /dev/ttyUSB0, enabled: false}", // only one of the two lines is opened
		lineHead + "  parity: even\n  stop_bits: 1\n  baud: 230400\n  timeout: 10ms",
		slaveHead + "name: Battery shed",
		slaveHead + "model_check: ignore\n    product_code: TS-45",
		lineHead + "  slaves:\n  - {id: 1, model: SSDUO, product_code: TS-45}", // a code that two families share
		slaveHead + "product_code: XX-1",                                       // only for the messages
		slaveHead + "objects: adc_ia\n    intervals: {T_batt: 10ms}",
		slaveHead + "intervals: {'*tt': 1s, 'T_*': 1s, T_batt: 1s}", // the entry with the full name counts
		slaveHead + "objects: all, EV_reg\n    encodings: {kWhc_t: f16}\n" + gcpHead + topic + "\n  objects: EV_reg, kWhc_t, adc_*",
		twoSlaves + gcpHead + topic + "\n  slaves: rs485/2, a",
		twoSlaves + gcpHead + topic + "\n  slaves: PS-PWM-30M", // a slave with model auto may have this code
		gcpHead + topic + "\n  objects: adc_ia",                // lines may be added later
		gcpHead + topic + "\n  endpoint: http://emulator:8085",
		gcpHead + "topic: projects/example.com:old/topics/Main",
		awsHead + arn + "\n  endpoint: https://vpce-1.sns.us-east-2.vpce.amazonaws.com\n  profile: ''",
		awsHead + "topic_arn: arn:aws-us-gov:sns:us-gov-west-1:393221637266:Main\n  region: us-gov-west-1",
		awsHead + "topic_arn: arn:aws-eusc:sns:eusc-de-east-1:393221637266:Main\n  role_arn: arn:aws-eusc:iam::123456789012:role/noi",
		awsHead + "topic_arn: arn:aws-iso:sns:us-iso-east-1:393221637266:Main",
		awsHead + "topic_arn: arn:aws-iso-b:sns:us-isob-east-1:393221637266:Main",
		awsHead + "topic_arn: arn:aws-iso-e:sns:eu-isoe-west-1:393221637266:Main",
		awsHead + "topic_arn: arn:aws-iso-f:sns:us-isof-south-1:393221637266:Main",
		awsHead + arn + "\n  role_arn: arn:aws:iam::123456789012:role/x\n  external_id: " + strings.Repeat("e", 1224),
		awsHead + arn + "\n  enabled: false\n  imds: true",
		awsHead + arn + "\n  role_arn: arn:aws:iam::123456789012:role/solar/noi\n  external_id: solar-42\n  ca_file: /etc/ca.pem",
		awsHead + arn + "\n  iot: {endpoint: 'c.credentials.iot.us-east-2.amazonaws.com:443', role_alias: noi, certificate: c, key: k}\n  profile: ''",
		gcpHead + topic + "\n  ordering: true\n  ca_file: /etc/ca.pem",
	} {
		if _, faults := configs.Parse([]byte(text), mustCatalog(t)); len(faults) > 0 {
			t.Errorf("%v\nin\n%s", faults, text)
		}
	}
}

// A value that cannot be decoded is replaced by its default. The default must not cause a second fault.
func TestOneMistakeIsOneFault(t *testing.T) {
	for _, text := range []string{
		lineHead + "  slaves:\n  - id: 1.5",
		lineHead + "  slaves:\n  - id: one\n  - id: 2",
		slaveHead + "encodings: {kWhc_t: [f16]}\n    objects: kWhc_t",
		slaveHead + "objects: 5*\n" + gcpHead + topic,
		"lines: rs485\n" + gcpHead + topic + "\n  objects: adc_ia\n  slaves: rs485/1",
		gcpHead + "topic: [a]",
		"buffer: {max_size: much}",
		"lines:\n-\n",
	} {
		if _, faults := configs.Parse([]byte(text), mustCatalog(t)); len(faults) != 1 {
			t.Errorf("%d faults:\n%v\nin\n%s", len(faults), faults, text)
		}
	}
}

func TestGoldenReportOfTenFaults(t *testing.T) {
	const file, golden = "testdata/ten-faults.yaml", "testdata/ten-faults.golden"
	_, err := configs.Load(file, mustCatalog(t))
	if err == nil {
		t.Fatal("no fault")
	}
	got := filepath.ToSlash(err.Error()) + "\n"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Error(d)
	}
	if n := strings.Count(got, "\n"); n != 10 {
		t.Errorf("the test has %d faults, want 10", n)
	}
}

// FuzzParse searches for panics, and for configurations without faults that cannot be used.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"noi-agent.yaml", "demo.yaml", "testdata/ten-faults.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(sending + "objects: [all, 'adc_*']\n  slaves: [rs485/1]\n"))
	f.Add([]byte(slaveHead + "intervals: {'*tt': 1s, 'T_*': 1s, '*': 2s}\n"))
	cat := mustCatalog(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, faults := configs.Parse(data, cat)
		for _, fault := range faults {
			if fault.Text == "" {
				t.Errorf("a fault without a text: %+v", fault)
			}
		}
		if len(faults) > 0 {
			return
		}
		for i := range c.Lines {
			for j := range c.Lines[i].Slaves {
				checkPolled(t, &c.Lines[i].Slaves[j], cat)
			}
		}
		for i := range c.Integrations {
			if in := &c.Integrations[i]; len(in.ID) != 20 || in.Destination() == "" {
				t.Errorf("integration without id or topic: %+v", in)
			}
		}
	})
}
