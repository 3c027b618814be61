package budget_test

import (
	"testing"

	"noi-agent/agent/budget"
	"noi-agent/configs"
	"noi-agent/sinks"
	"noi-agent/sinks/pubsub"
	"noi-agent/sinks/sns"
)

// The cost of a request, a message and a sample here is that of the table in uplinkbudget.go. On Pub/Sub it is with
// all five attributes, the default.
func TestUplinkIsPredicted(t *testing.T) {
	const (
		aws, gcp = 1069.0, 970.0       // a request
		one, ten = 561.0, 29.5 + 5*1.4 // a message on each
		minutes  = 30 * 1440
	)
	for _, c := range []struct {
		name, integration string
		least, most       float64 // bytes in 30 days
	}{
		{"Pub/Sub", `type: gcp, topic: projects/test-project/topics/Main, objects: Et_float`, minutes * (gcp + ten), minutes * (gcp + ten)},
		{"SNS", onSNS, minutes * (aws + 2*one), minutes * (aws + 2*one)},
		{"SNS with attributes", onSNS + `, attributes: "unit, object"`, minutes * (aws + 2*one + 4*255), minutes * (aws + 2*one + 4*255)},
		{"collected, full requests", onSNS + `, publish_every: 5m`, minutes * (aws/5 + 2*one), minutes * (aws/5 + 2*one)},
		{"collected, a request begun", onSNS + `, publish_every: 6m`, minutes * (2*aws/6 + 2*one + 1500/6.0), minutes * (2*aws/6 + 2*one + 1500/6.0)},
		{"collected for less than comes", onSNS + `, publish_every: 10s`, minutes * (aws + 2*one), minutes * (aws + 2*one)},
		{"collected beyond a connection", onSNS + `, publish_every: 10m`, minutes * (2*aws/10 + 2*one + 1500/10.0), minutes * (2*aws/10 + 2*one + 1500/10.0)},
		{"batches", onSNS + `, envelope: batch`, minutes * (aws + 643 + 2*35), minutes * (aws + 643 + 2*35)},
		{"packed batches, collected", onSNS + `, envelope: batch, compress: gzip, publish_every: 5m`, minutes * (aws/5 + 590 + 2*12), minutes * (aws/5 + 590 + 2*12)},
		{"batches on Pub/Sub", `type: gcp, topic: projects/test-project/topics/Main, envelope: batch`, minutes * (gcp + 30 + 4*1.4 + 2*4), minutes * (gcp + 30 + 4*1.4 + 2*4)},
		{"a rate that keeps requests small", onSNS + `, publish_every: 10m, envelope: batch, catch_up: {rate: 1}`, minutes * (2*aws/10 + 643 + 2*35 + 150), minutes * (2*aws/10 + 643 + 2*35 + 150)},
		{"FIFO: an object once in a request", `type: aws, topic_arn: "arn:aws:sns:us-east-2:393221637266:Main.fifo", publish_every: 5m`, minutes * (aws + 2*one), minutes * (aws + 2*one)},
		{"ordering: an object in a request", `type: gcp, topic: projects/test-project/topics/Main, ordering: true`, minutes * 2 * (gcp + ten), minutes * 2 * (gcp + ten)},
		{"changes", onSNS + `, when: change`, minutes / 60 * (aws + 2*one + 1500), minutes * (aws + 2*one)},
		{"changes without a heartbeat", onSNS + `, when: change, heartbeat: 0s`, 0, minutes * (aws + 2*one)},
		{"a heartbeat between two samples", onSNS + `, when: change, heartbeat: 150s`, minutes / 2 * (aws + 2*one), minutes * (aws + 2*one)},
		{"a heartbeat at each sample", onSNS + `, when: change, heartbeat: 10s`, minutes * (aws + 2*one), minutes * (aws + 2*one)},
	} {
		text := `
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM, objects: [Et_float, EV_float], intervals: {"*": 1m}}]}
integrations:
  - {id: AAAAAAAAAAAAAAAAAAAA, ` + c.integration + `}
  - {id: CCCCCCCCCCCCCCCCCCCC, type: aws, topic_arn: "arn:aws:sns:us-east-2:393221637266:Other", enabled: false}
`
		parsed, faults := configs.Parse([]byte(text), catalogOf(t))
		if err := faults.Err(); err != nil {
			t.Fatal(c.name, err)
		}
		all := budget.Uplink(parsed, catalogOf(t), costOf)
		if got := all["AAAAAAAAAAAAAAAAAAAA"]; !within(got.Least*1e6+1, c.least+1) || !within(got.Most*1e6+1, c.most+1) {
			t.Errorf("%s: %.0f to %.0f bytes, want %.0f to %.0f", c.name, got.Least*1e6, got.Most*1e6, c.least, c.most)
		}
		if len(all) != 1 {
			t.Errorf("%v: a paused integration costs nothing", all)
		}
	}
}

const onSNS = `type: aws, topic_arn: "arn:aws:sns:us-east-2:393221637266:Main"`

// costOf returns the costs of the clouds, like the command line.
func costOf(cloud string, shape sinks.Shape) sinks.Cost {
	return map[string]func(sinks.Shape) sinks.Cost{configs.AWS: sns.Cost, configs.GCP: pubsub.Cost}[cloud](shape)
}
