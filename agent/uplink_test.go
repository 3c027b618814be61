package agent_test

import (
	"testing"

	"noi-agent/agent"
	"noi-agent/configs"
)

func TestUplinkIsPredicted(t *testing.T) {
	const config = `
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM, objects: [Et_float, EV_float], intervals: {"*": 1m}}]}
integrations:
  - {id: AAAAAAAAAAAAAAAAAAAA, type: gcp, topic: projects/test-project/topics/Main, objects: Et_float}
  - {id: BBBBBBBBBBBBBBBBBBBB, type: aws, topic_arn: "arn:aws:sns:us-east-2:393221637266:Main"}
  - {id: CCCCCCCCCCCCCCCCCCCC, type: aws, topic_arn: "arn:aws:sns:us-east-2:393221637266:Other", enabled: false}
`
	parsed, faults := configs.Parse([]byte(config), mustCatalog(t))
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	got := agent.UplinkBudget(parsed, mustCatalog(t))
	const minutes = 30 * 1440
	want := map[string]float64{
		"AAAAAAAAAAAAAAAAAAAA": minutes * (870 + 26) / 1e6, "BBBBBBBBBBBBBBBBBBBB": minutes * (1069 + 2*561) / 1e6,
	}
	for id, mb := range want {
		if !within(got[id], mb) {
			t.Errorf("%s: %.2f MB, want %.2f", id, got[id], mb)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%v: a paused integration costs nothing", got)
	}
}
