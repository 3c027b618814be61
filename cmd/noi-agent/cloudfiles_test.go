package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"noi-agent/agent/integrations"
	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/sinks"
)

const (
	cloudDir     = "../../packaging/cloud/"
	templateFile = cloudDir + "aws/noi-topic.cloudformation.yaml"
	consumerFile = cloudDir + "aws/consumer.py"
)

// realBody returns a message as both sinks send it.
func realBody(object string, v objects.Value) []byte {
	return sinks.AppendBody(nil, sinks.Envelope{
		PublishedAt: time.Date(2022, 6, 28, 8, 20, 29, 502e6, time.UTC), DeviceID: "5300520006504b5957343920", IntegrationID: clitest.SNSID,
		Source: objects.Source{Slave: "PS-PWM-30M", Firmware: "v01.04.06", FWVersion: "PSPWM 1.0.10"},
		Sample: objects.Sample{Object: object, Value: v, SampledAt: time.Date(2022, 6, 28, 8, 20, 29, 0, time.UTC)},
	})
}

// realBatch is a sweep of two objects, read two seconds apart, with `envelope: batch`.
func realBatch() []byte {
	at := time.Date(2022, 6, 28, 8, 20, 29, 0, time.UTC)
	return sinks.AppendBatch(nil, sinks.Batch{
		PublishedAt: at.Add(502 * time.Millisecond), DeviceID: "5300520006504b5957343920", IntegrationID: clitest.SNSID, Store: "00c0ffee", Run: 3,
		Source: objects.Source{Slave: "PS-PWM-30M", Firmware: "v01.04.06", FWVersion: "PSPWM 1.0.10"},
		Samples: []objects.Sample{
			{N: 17, Object: "adc_vbterm", Value: objects.Number(12.117188), SampledAt: at},
			{N: 20, Object: "array_fault", Value: objects.Bits(nil), SampledAt: at.Add(2 * time.Second)},
		},
	})
}

// bodyKeys returns the keys of a message, in their order.
func bodyKeys(t *testing.T) []string {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(realBody("adc_vbterm", objects.Number(1))))
	var keys []string
	for i := 0; ; i++ {
		token, err := dec.Token()
		if err != nil {
			return keys
		}
		if key, ok := token.(string); ok && i%2 == 1 { // first comes the brace, then keys and values in turn
			keys = append(keys, key)
		}
	}
}

// The table has exactly the keys of a message as columns, and `data` accepts any value.
func TestBigQuerySchemaHasTheKeysOfAMessage(t *testing.T) {
	var fields []struct{ Name, Type, Mode string }
	if err := json.Unmarshal(clitest.FileText(t, cloudDir+"gcp/schema.json"), &fields); err != nil {
		t.Fatal(err)
	}
	var names []string
	types := map[string]string{}
	for _, f := range fields {
		names = append(names, f.Name)
		types[f.Name] = f.Type
	}
	if keys := bodyKeys(t); !slices.Equal(names, keys) || len(keys) != 9 {
		t.Errorf("columns %v, keys %v", names, keys)
	}
	if types["data"] != "JSON" || types["sampled_at"] != "TIMESTAMP" || types["published_at"] != "TIMESTAMP" {
		t.Errorf("types %v", types)
	}
	script, consumer := string(clitest.FileText(t, cloudDir+"gcp/setup.sh")), string(clitest.FileText(t, consumerFile))
	for _, key := range bodyKeys(t) {
		if !strings.Contains(script, " AS "+key) || !strings.Contains(consumer, `"`+key+`"`) {
			t.Errorf("%s is missing in the view of setup.sh, or in consumer.py", key)
		}
	}
}

// sqsEvent is a recorded event of Lambda from SQS behind SNS, with other bodies.
func sqsEvent(t *testing.T, bodies ...string) []byte {
	t.Helper()
	type record struct {
		MessageID     string            `json:"messageId"`
		ReceiptHandle string            `json:"receiptHandle"`
		Body          string            `json:"body"`
		Attributes    map[string]string `json:"attributes"`
		EventSource   string            `json:"eventSource"`
		SourceARN     string            `json:"eventSourceARN"`
		Region        string            `json:"awsRegion"`
	}
	var event struct{ Records []record }
	for i, body := range bodies {
		event.Records = append(event.Records, record{
			fmt.Sprintf("059f36b4-87a3-44ab-83d2-66197597%04d", i), "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a", body,
			map[string]string{"ApproximateReceiveCount": "1", "SentTimestamp": "1656404430000", "SenderId": "AIDAIT2UOQQY3AUEKVGXU"},
			"aws:sqs", "arn:aws:sqs:us-east-2:393221637266:noi-Queue", "us-east-2",
		})
	}
	b, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// envelope wraps a message like SNS, for a subscription without raw delivery.
func envelope(t *testing.T, message []byte) string {
	t.Helper()
	b, err := json.Marshal(map[string]string{
		"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": clitest.TopicARN, "Message": string(message),
		"Timestamp": "2022-06-28T08:20:29.900Z", "SignatureVersion": "1", "Signature": "x", "SigningCertURL": "x", "UnsubscribeURL": "x",
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The consumer accepts both forms of delivery and each kind of data, and unpacks batches. It drops the test message
// and gaps, and fails only the bad record.
func TestConsumerTakesRealMessages(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("python3 is missing: apt-get install python3") // python3-pymodbus needs it, which `make test` installs if it can
	}
	cmd := exec.Command(python, "-B", "-c", `import json,sys; sys.path.insert(0, sys.argv[1]); import consumer; print("RESULT", json.dumps(consumer.handler(json.load(sys.stdin))))`, filepath.Dir(consumerFile))
	cmd.Stdin = bytes.NewReader(sqsEvent(t,
		string(realBody("adc_vbterm", objects.Number(12.117188))), envelope(t, realBody("charge_state", objects.Text("NIGHT"))),
		string(realBody("array_fault", objects.Bits([]string{"overcurrent"}))), `{"hello":"world"}`, string(realBody(integrations.TestObject, objects.Text(integrations.TestData))), "not JSON",
		string(realBatch()), envelope(t, sinks.Pack(realBatch())), `{"published_at":"2022-06-28T08:30:11.020Z","gap":{"unit":"rs485/1"}}`))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	want := []string{
		`"cc_firmware":"v01.04.06","fw_version":"PSPWM 1.0.10","value":12.117188}`, `"state":"NIGHT"}`, `"bits":["overcurrent"]}`,
		`"sampled_at":"2022-06-28T08:20:29Z","object":"adc_vbterm","slave":"PS-PWM-30M","cc_firmware":"v01.04.06","fw_version":"PSPWM 1.0.10","value":12.117188}`,
		`"sampled_at":"2022-06-28T08:20:31Z","object":"array_fault","slave":"PS-PWM-30M","cc_firmware":"v01.04.06","fw_version":"PSPWM 1.0.10","bits":[]}`,
		`"value":12.117188}`, `"bits":[]}`,
		`RESULT {"batchItemFailures": [{"itemIdentifier": "059f36b4-87a3-44ab-83d2-661975970003"}, {"itemIdentifier": "059f36b4-87a3-44ab-83d2-661975970005"}]}`,
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines:\n%s", len(lines), out)
	}
	for i, w := range want {
		if !strings.HasSuffix(lines[i], w) {
			t.Errorf("line %d: %s, want …%s", i+1, lines[i], w)
		}
	}
	if !strings.Contains(stderr.String(), "no sample: without published_at") {
		t.Errorf("stderr: %s", &stderr)
	}
}

// cloudScripts are the scripts that make topic and publisher.
func cloudScripts(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob(cloudDir + "*/*.sh")
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	return list
}

func TestCloudScriptsAreWellFormed(t *testing.T) {
	for _, script := range cloudScripts(t) {
		if out, err := exec.Command("bash", "-n", script).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("bash -n %s: %v: %s", script, err, out)
		}
		if checker, err := exec.LookPath("shellcheck"); err == nil {
			if out, err := exec.Command(checker, script).CombinedOutput(); err != nil {
				t.Errorf("shellcheck %s: %v\n%s", script, err, out)
			}
		}
		if info, err := os.Stat(script); err != nil || info.Mode()&0o111 == 0 {
			t.Errorf("%s is not executable: %v", script, err)
		}
	}
}

// fakeCloud replaces aws, gcloud and bq. It records its arguments. It answers that a resource does not exist yet.
const fakeCloud = `#!/bin/sh
echo "${0##*/} $*" >> "$FAKE_LOG"
out=
for word in "$@"; do
	case "$last" in --certificate-pem-outfile|--private-key-outfile|--output-file|--credential-cert-configuration-output-file) echo '{"certificate_config_location": "x"}' > "$word" ;; esac
	last=$word
done
case "$*" in
*create-keys-and-certificate*) echo arn:aws:iot:us-east-2:393221637266:cert/abc ;;
*"iot describe-endpoint"*) echo c2x3.credentials.iot.us-east-2.amazonaws.com ;;
*"projects describe"*) echo 12345 ;;
*describe*|*get-policy*|*get-role*|*" show "*) echo "An error occurred (ResourceNotFoundException): none" >&2; exit 254 ;;
esac
`

// runScript runs a script with fake clouds. It returns the output of the script and the recorded arguments.
func runScript(t *testing.T, script string, args ...string) (stdout, asked string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"aws", "gcloud", "bq"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(fakeCloud), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	path, err := filepath.Abs(script)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", append([]string{path}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "FAKE_LOG="+dir+"/log")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", script, args, err, &stderr)
	}
	return string(out), string(clitest.FileText(t, dir+"/log"))
}

// The scripts print a valid configuration. They give a publisher only the permissions that it needs.
func TestCloudScriptsPrintAValidIntegration(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte("-----BEGIN CERTIFICATE-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		script string
		args   []string
		asked  []string
	}{
		{"aws/onboard-x509.sh", []string{"--topic-arn", clitest.TopicARN, "--thing", "42"}, []string{
			`iam put-role-policy --role-name noi-publisher-MainSolarData-us-east-2 --policy-name noi-publish --policy-document {"Version":"2012-10-17","Statement":[{"Sid":"NoiPublish","Effect":"Allow","Action":"sns:Publish","Resource":"` + clitest.TopicARN + `"}]}`,
			`"Action":"iot:AssumeRoleWithCertificate","Resource":"arn:aws:iot:us-east-2:393221637266:rolealias/noi-publisher-MainSolarData"`,
			"iot attach-policy --policy-name noi-certificate-MainSolarData --target arn:aws:iot:us-east-2:393221637266:cert/abc",
		}},
		{"gcp/setup.sh", []string{"--project", "test-project"}, []string{
			"pubsub topics add-iam-policy-binding MainSolarData --member serviceAccount:noi-publisher@test-project.iam.gserviceaccount.com --role roles/pubsub.publisher",
			"--bigquery-table test-project:noi.samples --use-table-schema", "/schema.json", "--dead-letter-topic MainSolarData-dead",
		}},
		{"gcp/setup.sh", []string{"--project", "test-project", "--x509", ca, "--bigquery", "raw"}, []string{
			"--member principalSet://iam.googleapis.com/projects/12345/locations/global/workloadIdentityPools/noi-gateways/* --role roles/pubsub.publisher",
			"--bigquery-table test-project:noi.messages --write-metadata", "/raw-schema.json", "--view SELECT",
		}},
		{"gcp/setup.sh", []string{"--project", "test-project", "--bigquery", "none"}, []string{"keys create ./gcp.json"}},
	} {
		stdout, asked := runScript(t, cloudDir+c.script, c.args...)
		config, faults := configs.Parse([]byte(stdout), new(objects.Catalog))
		if len(faults) > 0 || len(config.Integrations) != 1 || !strings.HasSuffix(config.Integrations[0].Destination(), "MainSolarData") {
			t.Errorf("%s %v: %v\n%s", c.script, c.args, faults, stdout)
		}
		for _, want := range c.asked {
			if !strings.Contains(asked, want) {
				t.Errorf("%s %v: no %q in\n%s", c.script, c.args, want, asked)
			}
		}
		for _, much := range []string{"projects add-iam-policy-binding", `"*"`, "sns:*"} {
			if strings.Contains(asked, much) {
				t.Errorf("%s %v grants %s", c.script, c.args, much)
			}
		}
	}
}
