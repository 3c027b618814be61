package integrations_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"noi-agent/agent/integrations"
	"noi-agent/configs"
	"noi-agent/status/api"
)

func TestLifeOfAnIntegration(t *testing.T) {
	d := newDesk(t)
	e := d.create(solar)
	if e.Config.ID != configs.DeriveID("solar") || e.ETag == "" || e.Locked || e.Source != api.SourceAPI || e.Line != 4 || e.State == nil {
		t.Errorf("created: %s", asJSON(t, e))
	}
	if e.Cost.MessagesPerDay != 2*1440 || e.Cost.BytesPerDay <= 0 || e.Cost.Objects != 2 || e.Cost.Slaves != 2 {
		t.Errorf("cost: %+v", e.Cost)
	}
	if got := d.used(); got != "fixed solar" {
		t.Errorf("the agent uses %q, want \"fixed solar\"", got)
	}
	id := e.Config.ID
	wider := strings.Replace(solar, `["adc_vbterm"]`, `"adc_vbterm, charge_state"`, 1)
	r, err := d.Replace(t.Context(), id, e.ETag, []byte(wider))
	if err != nil || r.ETag == e.ETag || len(r.Config.Objects) != 2 {
		t.Fatalf("replaced: %v %s", err, asJSON(t, r))
	}
	if _, err := d.Replace(t.Context(), id, e.ETag, []byte(solar)); problem(t, err).Status != http.StatusPreconditionFailed {
		t.Errorf("with the earlier version: %v", err)
	}
	if _, err := d.Replace(t.Context(), id, "", []byte(solar)); problem(t, err).Status != http.StatusPreconditionRequired {
		t.Errorf("without a version: %v", err)
	}
	p, err := d.SetEnabled(t.Context(), id, false)
	if err != nil || p.Config.Enabled || d.engine.edits[2][1].Enabled {
		t.Errorf("paused: %v %s", err, asJSON(t, p))
	}
	if _, err := d.SetEnabled(t.Context(), id, false); err != nil || len(d.engine.edits) != 3 {
		t.Errorf("paused again: %v, %d edits", err, len(d.engine.edits))
	}
	// Another start and a reload find the same set.
	d.start()
	if got, _ := d.Get(id); got.ETag != p.ETag {
		t.Errorf("after a start: %s, before: %s", asJSON(t, got), asJSON(t, p))
	}
	if got := names(d.reload(mainFile).Integrations); got != "fixed solar" {
		t.Errorf("after a reload: %s", got)
	}
	if _, err := d.Replace(t.Context(), "nobody", "*", []byte(solar)); problem(t, err).Status != http.StatusNotFound {
		t.Errorf("any version of a missing integration: %v", err)
	}
	whole, err := d.Replace(t.Context(), id, "*", []byte(wider)) // replaces any version
	if err != nil || whole.ETag != r.ETag {
		t.Errorf("any version: %v %s", err, asJSON(t, whole))
	}
	if err := d.Delete(t.Context(), id, whole.ETag); err != nil || d.used() != "fixed" {
		t.Errorf("after the delete: %v, the agent uses %q, want \"fixed\"", err, d.used())
	}
	if _, err := d.Get(id); problem(t, err).Status != http.StatusNotFound {
		t.Errorf("after that: %v", err)
	}
	if info, err := os.Stat(d.path()); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file: %v %v", info.Mode(), err)
	}
}

// TestLocked: an integration of the configuration file is shown with file and line, and can be changed only there.
func TestLocked(t *testing.T) {
	d := newDesk(t)
	fixed := configs.DeriveID("fixed")
	e, err := d.Get(fixed)
	if err != nil || !e.Locked || e.Source != api.SourceFile || e.File != "config.yaml" || e.Line != 6 || e.State == nil || e.State.State != "ok" {
		t.Errorf("%v %s", err, asJSON(t, e))
	}
	_, replaced := d.Replace(t.Context(), fixed, e.ETag, []byte(solar))
	_, paused := d.SetEnabled(t.Context(), fixed, false)
	for _, err := range []error{replaced, paused, d.Delete(t.Context(), fixed, e.ETag)} {
		if p := problem(t, err); p.Status != http.StatusConflict || p.Code() != "locked" || !strings.Contains(p.Detail, "config.yaml, line 6") {
			t.Errorf("%+v", p)
		}
	}
}

func TestFaultsOfABody(t *testing.T) {
	d := newDesk(t)
	d.create(solar)
	for _, c := range []struct {
		name, body string
		status     int
		fields     string
	}{
		{"no JSON", `{"name":`, 400, ""},
		{"YAML", `name: x`, 400, ""},
		{"two objects", solar + solar, 400, ""},
		{"nothing", ``, 400, ""},
		{"a list", `[]`, 422, "# invalid"},
		{"unknown key", `{"type":"gcp","topic":"projects/test-project/topics/Main","filter":1}`, 422, "#/filter unknown_key"},
		{"key given twice", `{"type":"gcp","topic":"projects/test-project/topics/Main","type":"gcp"}`, 422, "#/type repeated_key"},
		{"no value", `{"type":"gcp","topic":"projects/test-project/topics/Main","name":null}`, 422, "#/name no_value"},
		{"nothing given", `{}`, 422, "#/type required"},
		{"no topic", `{"type":"aws"}`, 422, "#/topic_arn required"},
		{"region", strings.Replace(strings.Replace(solar, "solar", "x", 1), "{", `{"region":"us-east-1",`, 1), 422, "#/region region_mismatch"},
		{"object", `{"type":"gcp","topic":"projects/test-project/topics/Main","objects":["adc_vbterm","adc_vbtrm"]}`, 422, "#/objects/1 unknown_object"},
		{"objects", `{"type":"gcp","topic":"projects/test-project/topics/Main","objects":"adc_vbtrm, nope"}`, 422, "#/objects unknown_object, #/objects unknown_object"},
		{"slave", `{"type":"gcp","topic":"projects/test-project/topics/Main","slaves":["rs485/9"]}`, 422, "#/slaves/0 unknown_slave"},
		{"deadband", `{"type":"gcp","topic":"projects/test-project/topics/Main","when":"change","deadband":{"T_ind[U]":-1}}`, 422, "#/deadband/T_ind%5BU%5D invalid, #/deadband/T_ind%5BU%5D unknown_object"},
		{"other type", strings.Replace(solar, "{", `{"ordering":true,`, 1), 422, "#/name taken, #/ordering foreign_key"},
		{"number for a text", `{"type":"gcp","topic":"projects/test-project/topics/Main","catch_up":{"rate":"5"}}`, 422, "#/catch_up/rate invalid"},
		{"name of one of the file", strings.Replace(solar, "solar", "fixed", 1), 409, "#/name taken"},
		{"name of another", solar, 409, "#/name taken"},
		{"name that is an id", strings.Replace(solar, "solar", configs.DeriveID("solar"), 1), 409, "#/name taken"},
		{"id of one of the file", strings.Replace(strings.Replace(solar, "solar", "x", 1), "{", `{"id":"`+configs.DeriveID("fixed")+`",`, 1), 409, "#/id taken"},
		{"deep", `{"type":` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + `}`, 422, "#/type invalid"},
	} {
		_, err := d.Create(t.Context(), []byte(c.body))
		if err == nil {
			t.Errorf("%s: accepted", c.name)
			continue
		}
		if p := problem(t, err); p.Status != c.status || !strings.HasPrefix(fields(p), c.fields) {
			t.Errorf("%s: %d %q, want %d %q: %v", c.name, p.Status, fields(p), c.status, c.fields, p)
		}
		if _, err := d.Preview("", []byte(c.body)); err == nil {
			t.Errorf("%s: the preview accepts it", c.name)
		}
	}
	if len(d.engine.edits) != 1 {
		t.Errorf("the agent got %d edits", len(d.engine.edits))
	}
	_, err := d.Preview("", []byte(`{"type":"aws","topic_arn":"arn:aws:sns:us-east-2:393221637266:Solar","region":"us-east-1"}`))
	f := problem(t, err).Errors[0]
	if f.Detail != "region us-east-1 contradicts the topic, which lies in us-east-2" || f.Hint != "leave region out, or correct the one that is wrong" {
		t.Errorf("detail %q, hint %q", f.Detail, f.Hint)
	}
}

// TestWhatIsReadCanBeSentBack: for each kind of integration, the answer is a body that changes nothing.
func TestWhatIsReadCanBeSentBack(t *testing.T) {
	d := newDesk(t)
	for i, body := range []string{
		`{"type":"aws","topic_arn":"arn:aws:sns:us-east-2:393221637266:A","region":"us-east-2","profile":"p"}`,
		`{"type":"aws","topic_arn":"arn:aws:sns:us-east-2:393221637266:B.fifo","attributes":["object","seq"],"publish_every":"15m","pacing":"10s"}`,
		`{"type":"aws","topic_arn":"arn:aws:sns:us-east-2:393221637266:C","iot":{"endpoint":"c.credentials.iot.us-east-2.amazonaws.com","role_alias":"noi","certificate":"c","key":"k"}}`,
		`{"type":"aws","topic_arn":"arn:aws:sns:us-east-2:393221637266:D","role_arn":"arn:aws:iam::123456789012:role/x","external_id":"e1","imds":true,"when":"change","heartbeat":"0s"}`,
		`{"type":"gcp","project_id":"test-project","topic":"Main","name":"` + "é\\u00e9\\ud83d\\ude00 \\\"x\\\" <&> 'y': #\"}",
		`{"type":"gcp","topic":"projects/test-project/topics/Main2","ordering":true,"attributes":[],"objects":"all, EV_reg","enabled":false}`,
		`{"type":"gcp","topic":"projects/test-project/topics/Main3","envelope":"batch","compress":"gzip","gaps":true,"catch_up":{"rate":5,"alarms_first":true,"spread":"1m30s"}}`,
		`{"type":"gcp","topic":"projects/test-project/topics/Main4","when":"change","deadband":{"adc_*":0.5,"adc_vbterm":1e-3},"objects":["adc_vbterm","T_*"],"slaves":"shed, rs485/2"}`,
	} {
		body = strings.Replace(body, `"objects":"all, EV_reg"`, `"objects":"all"`, 1)
		e := d.create(body)
		edits := len(d.engine.edits)
		back, err := d.Replace(t.Context(), e.Config.ID, e.ETag, []byte(asJSON(t, e.Config)))
		if err != nil || len(d.engine.edits) != edits {
			t.Errorf("%d: %v, %d edits more", i, err, len(d.engine.edits)-edits)
		}
		if diff := cmp.Diff(e.Config, back.Config); diff != "" {
			t.Errorf("%d: %s", i, diff)
		}
		before := d.engine.edits[edits-1]
		if again := d.start(); !cmp.Equal(before, again.Integrations, cmp.AllowUnexported(configs.Names{})) {
			t.Errorf("%d: another start reads a different set:\n%s", i, cmp.Diff(before, again.Integrations, cmp.AllowUnexported(configs.Names{})))
		}
		d.engine.edits = [][]configs.Integration{before}
	}
	if d.engine.fault != "" {
		t.Error(d.engine.fault)
	}
}

// TestIDOfARenamedOne: an integration keeps its id under another name, and its first name can be used again.
func TestIDOfARenamedOne(t *testing.T) {
	d := newDesk(t)
	e := d.create(solar)
	if _, err := d.Replace(t.Context(), e.Config.ID, e.ETag, []byte(strings.Replace(solar, `"solar"`, `"roof"`, 1))); err != nil {
		t.Fatal(err)
	}
	again := d.create(solar)
	if again.Config.ID == e.Config.ID || again.Config.Name != "solar" {
		t.Errorf("%s", asJSON(t, again))
	}
	other := fmt.Sprintf(`{"id":%q,"type":"gcp","topic":"projects/test-project/topics/Main"}`, configs.DeriveID("y"))
	if _, err := d.Replace(t.Context(), again.Config.ID, again.ETag, []byte(other)); fields(problem(t, err)) != "#/id invalid" {
		t.Errorf("another id: %v", err)
	}
}

// TestTwoWritersNeverLoseAnEdit: two writers make a thousand edits, each from the state that it has read. No edit is
// lost.
func TestTwoWritersNeverLoseAnEdit(t *testing.T) {
	d := newDesk(t)
	id := d.create(solar).Config.ID
	const each = 500
	var stale atomic.Int64
	var writers sync.WaitGroup
	for range 2 {
		writers.Go(func() {
			for done := 0; done < each; {
				e, err := d.Get(id)
				if err != nil {
					t.Error(err)
					return
				}
				e.Config.CatchUp.Rate++ // counts all edits
				_, err = d.Replace(t.Context(), id, e.ETag, []byte(asJSON(t, e.Config)))
				switch {
				case err == nil:
					done++
				case problem(t, err).Status == http.StatusPreconditionFailed:
					stale.Add(1)
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	e, _ := d.Get(id)
	if e.Config.CatchUp.Rate != 2*each || len(d.engine.edits) != 2*each+1 {
		t.Errorf("the file has %d edits of %d; the agent got %d", e.Config.CatchUp.Rate, 2*each, len(d.engine.edits)-1)
	}
	t.Logf("%d edits, %d times 412", 2*each, stale.Load())
}

// TestAFaultyFileStopsNothing: the agent keeps its present integrations, and does not overwrite the text of a person.
func TestAFaultyFileStopsNothing(t *testing.T) {
	d := newDesk(t)
	e := d.create(solar)
	d.create(strings.ReplaceAll(strings.Replace(solar, "Solar", "Roof", 1), "solar", "roof"))
	sound := d.text()
	for name, c := range map[string]struct{ text, fault string }{
		"no YAML":       {"integrations: [", "integrations.yaml"},
		"a wrong value": {strings.Replace(sound, `enabled: true`, `enabled: yes`, 1), "integrations.yaml:6: integrations[0].enabled: want true or false"},
		"a name of the file": {strings.Replace(sound, `"roof"`, `"fixed"`, 1),
			"integrations[1].name: an integration of the configuration file is called fixed"},
		"an object": {strings.Replace(sound, `["adc_vbterm"]`, `["adc_vbtrm"]`, 1), "integrations[0].objects[0]: PSPWM has no object"},
	} {
		d.write(c.text)
		if got := names(d.reload(mainFile).Integrations); got != "fixed solar roof" || !strings.Contains(d.engine.fault, c.fault) {
			t.Errorf("%s: the agent uses %s, problem %q", name, got, d.engine.fault)
		}
		err := d.Delete(t.Context(), e.Config.ID, e.ETag)
		if p := problem(t, err); p.Status != http.StatusConflict || p.Code() != "integrations_file" || d.text() != c.text {
			t.Errorf("%s: a change is answered with %+v, and the file is\n%s", name, p, d.text())
		}
		// A start uses the set before the last change.
		if got := names(d.start().Integrations); got != "fixed solar" || !strings.Contains(d.engine.fault, ".previous are active") {
			t.Errorf("%s: after a start the agent uses %s, problem %q", name, got, d.engine.fault)
		}
		d.write(sound)
		if got := names(d.reload(mainFile).Integrations); got != "fixed solar roof" || d.engine.fault != "" {
			t.Errorf("%s: after the correction the agent uses %s, problem %q", name, got, d.engine.fault)
		}
	}
	// Without an earlier set, integrations without a fault run.
	if err := os.Remove(d.path() + ".previous"); err != nil {
		t.Fatal(err)
	}
	d.write(strings.Replace(sound, `enabled: true`, `enabled: yes`, 1))
	if got := names(d.start().Integrations); got != "fixed roof" {
		t.Errorf("of a file with one fault the agent uses: %s", got)
	}
}

// TestAChangeOfTheLinesStopsNoIntegration: patterns that no longer match select nothing, and everything else
// continues.
func TestAChangeOfTheLinesStopsNoIntegration(t *testing.T) {
	d := newDesk(t)
	e := d.create(strings.Replace(solar, "{", `{"slaves":["pump"],`, 1))
	fewer := strings.Replace(mainFile, ", {id: 2, model: PSPWM, name: pump}", "", 1)
	if got := names(d.reload(fewer).Integrations); got != "fixed solar" || !strings.Contains(d.engine.fault, `no slave is known as "pump"`) {
		t.Errorf("the agent uses %s, problem %q", got, d.engine.fault)
	}
	_ = os.Remove(d.path() + ".previous")
	if got := names(d.start().Integrations); got != "fixed solar" {
		t.Errorf("after a start the agent uses %s", got)
	}
	d.main = d.parse(mainFile)
	d.start()
	d.reload(fewer)
	if _, err := d.Replace(t.Context(), e.Config.ID, e.ETag, []byte(solar)); err != nil || d.engine.fault != "" {
		t.Errorf("the change that corrects it: %v, problem %q", err, d.engine.fault)
	}
	// An integration that is now in the configuration file too runs once.
	both := strings.Replace(mainFile, "name: fixed", "name: solar", 1)
	if got := names(d.reload(both).Integrations); got != "solar" || d.engine.fault == "" {
		t.Errorf("the agent uses %s, problem %q", got, d.engine.fault)
	}
}

func TestAChangeThatIsNotWrittenIsNotInForce(t *testing.T) {
	d := newDesk(t)
	e := d.create(solar)
	// A directory that is not empty is in the place of the new file: even root cannot write there.
	if err := os.MkdirAll(d.path()+".new/x", 0o700); err != nil {
		t.Fatal(err)
	}
	err := d.Delete(t.Context(), e.Config.ID, e.ETag)
	if p := problem(t, err); p.Status != http.StatusInternalServerError || d.used() != "fixed solar" {
		t.Errorf("%+v, the agent uses %s", p, d.used())
	}
	if _, err := d.Get(e.Config.ID); err != nil {
		t.Error(err)
	}
}

func TestAnAgentThatEndsTakesTheChangeAtItsNextStart(t *testing.T) {
	d := newDesk(t)
	d.engine.err = errors.New("the agent ends")
	if _, err := d.Create(t.Context(), []byte(solar)); problem(t, err).Status != http.StatusServiceUnavailable {
		t.Errorf("%v", err)
	}
	d.engine.err = nil
	if got := names(d.start().Integrations); got != "fixed solar" {
		t.Errorf("the agent uses %s", got)
	}
}

func TestTestOfAnIntegration(t *testing.T) {
	d := newDesk(t)
	e := d.create(solar)
	var told []string
	r, err := d.Test(t.Context(), e.Config.ID, nil, func(s api.TestStep) { told = append(told, s.Name+" "+s.Verdict) })
	if err != nil || !r.OK || r.MessageID != "m-1" || strings.Join(told, ", ") != "identity ok, message ok" || len(d.engine.woken) != 1 {
		t.Errorf("%v %+v %v, woken %v", err, r, told, d.engine.woken)
	}
	var body struct {
		Object        string `json:"object"`
		IntegrationID string `json:"integration_id"`
	}
	if err := json.Unmarshal(d.sink.sent[0].Body, &body); err != nil || body.Object != integrations.TestObject || body.IntegrationID != e.Config.ID {
		t.Errorf("%v %s", err, d.sink.sent[0].Body)
	}
	d.sink.refuses = true
	unsaved := strings.ReplaceAll(solar, "solar", "unsaved")
	r, err = d.Test(t.Context(), "", []byte(unsaved), nil)
	if err != nil || r.OK || len(r.Steps) != 3 || r.Steps[1].Remedy == "" || r.Steps[2].Verdict != "skipped" || len(d.sink.sent) != 1 {
		t.Errorf("%v %+v", err, r)
	}
	if d.sink.closed != 2 || len(d.engine.edits) != 1 {
		t.Errorf("%d sinks closed, %d edits", d.sink.closed, len(d.engine.edits))
	}
	if _, err := d.Test(t.Context(), "", []byte(`{}`), nil); problem(t, err).Status != http.StatusUnprocessableEntity {
		t.Errorf("%v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Test(gone, "nobody", nil, nil); problem(t, err).Status != http.StatusNotFound {
		t.Errorf("%v", err)
	}
}

// The commands for the cloud are for the identity of a successful test. Before a test, they are for the identity that
// a refusal has named.
func TestNeedsAreForTheIdentityThatIsKnown(t *testing.T) {
	d := newDesk(t)
	e := d.create(solar)
	for _, want := range []string{"needs for ", "needs for arn:aws:iam::940497413619:user/push"} {
		if got, err := d.Needs(e.Config.ID); err != nil || got != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
		if _, err := d.Test(t.Context(), e.Config.ID, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Needs("nobody"); problem(t, err).Status != http.StatusNotFound {
		t.Errorf("a missing integration: %v", err)
	}
}
