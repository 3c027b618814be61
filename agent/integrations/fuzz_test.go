package integrations_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"noi-agent/agent/integrations"
	"noi-agent/configs"
	"noi-agent/status/api"
)

// FuzzFile: a file that the decoder accepts is written again so that it decodes to the same integrations.
func FuzzFile(f *testing.F) {
	d := newDesk(f)
	d.create(solar)
	f.Add([]byte(d.text()))
	f.Add([]byte("integrations:\n- {type: gcp, topic: projects/test-project/topics/Main, when: change, deadband: {'T_*': 1}}\n"))
	f.Add([]byte("integrations: [{type: gcp, project_id: test-project, topic: Main, objects: 'all, EV_reg', attributes: none}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		added, faults := configs.ParseAdded(data, d.main, d.cat)
		if len(faults) > 0 {
			for i, in := range added.Sound(faults) {
				if len(in.ID) != 20 || in.Destination() == "" {
					t.Errorf("integration %d counts as sound: %+v", i, in)
				}
			}
			return
		}
		text := integrations.TextOf(added.Integrations)
		again, faults := configs.ParseAdded(text, d.main, d.cat)
		if len(faults) > 0 {
			t.Fatalf("the written file has faults: %v\n%s", faults, text)
		}
		if second := integrations.TextOf(again.Integrations); string(second) != string(text) {
			t.Errorf("written again it differs: %s", cmp.Diff(string(text), string(second)))
		}
	})
}

// FuzzBody: a body is refused with an answer, or makes an integration that the next start has, too.
func FuzzBody(f *testing.F) {
	d := newDesk(f)
	f.Add([]byte(solar))
	f.Add([]byte(`{"type":"gcp","topic":"projects/test-project/topics/Main","deadband":{"T_*":1},"when":"change","id":"FFjU28MMaL3W9B9hhhhH"}`))
	f.Add([]byte(`{"type":"aws","topic_arn":"arn:aws:sns:us-east-2:393221637266:C","iot":{"endpoint":"c.x"},"catch_up":{"rate":1e3},"name":"\ud83d\ude00"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := d.Preview("", body)
		var answer *api.Error
		if errors.As(err, &answer) && answer.Status >= 400 && answer.Status < 500 {
			return
		}
		if err != nil {
			t.Fatalf("%v", err)
		}
		again, err := d.Preview("", []byte(asJSON(t, e.Config)))
		if err != nil {
			t.Fatalf("%s: sent back: %v", asJSON(t, e.Config), err)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			t.Error(diff)
		}
	})
}
