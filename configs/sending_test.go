package configs_test

import (
	"testing"
)

func TestFaultsOfSending(t *testing.T) {
	const (
		change = gcpHead + topic + "\n  when: change\n  " // the next is line 5
		batch  = awsHead + arn + "\n  envelope: batch\n  "
	)
	checkFaults(t, []fault{
		{"short collection", gcpHead + topic + "\n  publish_every: 10ms", "4 integrations[0].publish_every want 1s to 24h, not 10ms"},
		{"long collection", gcpHead + topic + "\n  publish_every: 25h", "4 integrations[0].publish_every want 1s to 24h, not 25h"},
		{"collection backwards", gcpHead + topic + "\n  publish_every: -1s", "4 integrations[0].publish_every want 1s to 24h, not -1s"},
		{"collection longer than kept", gcpHead + topic + "\n  publish_every: 2h\nbuffer: {max_age: 2h}", "4 integrations[0].publish_every samples are given up after 2h (buffer.max_age), before 2h have passed; send more often, or keep them longer"},
		{"when", gcpHead + topic + "\n  when: chnage", `4 integrations[0].when "chnage" is not known; want every or change; did you mean change?`},
		{"band without change", gcpHead + topic + "\n  deadband: {T_batt: 1}", "4 integrations[0].deadband goes with when: change; add that, or take deadband out"},
		{"heartbeat without change", gcpHead + topic + "\n  heartbeat: 1h", "4 integrations[0].heartbeat goes with when: change; add that, or take heartbeat out"},
		{"short heartbeat", change + "heartbeat: 10ms", "5 integrations[0].heartbeat want 1s to 8784h, not 10ms"},
		{"band backwards", change + "deadband: {T_batt: -1}", "5 integrations[0].deadband.T_batt want 0 or more, in the unit of the object, not -1"},
		{"band without number", change + "deadband: {T_batt: wide}", "5 integrations[0].deadband.T_batt want a number"},
		{"band of nothing", change + "deadband: {T_bat: 1}", `5 integrations[0].deadband.T_bat the 9 families have no object "T_bat"; did you mean T_batt?`},
		{"band of no pattern", change + "deadband: {'t_x*': 1}", `5 integrations[0].deadband.t_x* the pattern "t_x*" matches no object of`},
		{"band of a state", change + "deadband: {charge_state: 1}", "5 integrations[0].deadband.charge_state charge_state has no number that could lie within a band: each change of it is sent; take it out"},
		{"band of what is not sent", change + "objects: adc_ia\n  deadband: {adc_vbterm: 1}", "6 integrations[0].deadband.adc_vbterm adc_vbterm is not among the objects of this integration; add it there, or take it out here"},
		{"bands of one length", change + "deadband:\n    '*tt': 1\n    T_*: 1", `7 integrations[0].deadband.T_* "*tt" and "T_*" are equally long and both match T_batt`},
		{"envelope", gcpHead + topic + "\n  envelope: batches", `4 integrations[0].envelope "batches" is not known; want single or batch; did you mean batch?`},
		{"compression", batch + "compress: zip", `5 integrations[0].compress "zip" is not known; want none or gzip; did you mean gzip?`},
		{"compression of one sample", awsHead + arn + "\n  compress: gzip", "4 integrations[0].compress goes with envelope: batch; add that, or take compress out"},
		{"object of a batch", batch + "attributes: [unit, object]", "5 integrations[0].attributes a batch has many samples and no attribute object; want all, none, or some of slave, unit, device_id"},
		{"sample id of a batch", batch + "attributes: sample_id", "5 integrations[0].attributes a batch has many samples and no attribute sample_id"},
	})
}

func TestSendingIsFree(t *testing.T) {
	c := mustParse(t, `integrations:
- {type: gcp, topic: projects/p/topics/abc, when: change, heartbeat: 0, deadband: {"adc_*": 0.05, adc_ia: 0.5, "T_*": 1}, publish_every: 15m, envelope: batch}
- {type: aws, topic_arn: "arn:aws:sns:us-east-2:393221637266:Main", envelope: batch, compress: gzip, attributes: all}
- {type: aws, topic_arn: "arn:aws:sns:us-east-2:393221637266:Also", envelope: single, compress: none, when: every}
`)
	in := &c.Integrations[0]
	for object, want := range map[string]float64{"adc_vbterm": 0.05, "adc_ia": 0.5, "T_batt": 1, "Ahc_r": 0} {
		if got := in.Band(object); got != want {
			t.Errorf("the band of %s is %g, want %g", object, got, want)
		}
	}
	if in.Heartbeat != 0 {
		t.Errorf("heartbeat: 0 became %v", in.Heartbeat)
	}
	if notices := len(c.Notices()); notices != 1 { // no line
		t.Errorf("notices %v", c.Notices())
	}
}
