package agent_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/status/api"
)

// A filter that can match no row is an error that lists the existing names. An empty list would look like good news.
func TestAFilterThatCanFindNothingIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		named := strings.Replace(oneSlave, "{name: x,", "{id: AAAAAAAAAAAAAAAAAAAA, name: main-solar,", 1)
		s := start(t, named, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		defer s.stop()
		time.Sleep(25 * time.Second)
		for name, c := range map[string]struct {
			q    api.TriggerQuery
			want string // part of the error; "": no error
		}{
			"an id":              {api.TriggerQuery{Integration: "AAAAAAAAAAAAAAAAAAAA"}, ""},
			"a name":             {api.TriggerQuery{Integration: "main-solar"}, ""},
			"an object":          {api.TriggerQuery{Object: "Et_float"}, ""},
			"a pattern":          {api.TriggerQuery{Object: "E*"}, ""},
			"another name":       {api.TriggerQuery{Integration: "main-solr"}, `"main-solr"; there are: main-solar`},
			"another id":         {api.TriggerQuery{Integration: "BBBBBBBBBBBBBBBBBBBB"}, "there are: main-solar"},
			"another object":     {api.TriggerQuery{Object: "adc_vbtrm"}, "did you mean adc_vbterm?"},
			"a pattern of none":  {api.TriggerQuery{Object: "adz_*"}, `"adz_*" matches no object`},
			"a name and a wrong": {api.TriggerQuery{Integration: "main-solar", Object: "x"}, "have no object"},
		} {
			rows, err := s.agent.Triggers(c.q)
			answer := new(api.Error)
			switch {
			case c.want == "" && (err != nil || len(rows.Triggers) == 0):
				t.Errorf("%s: %d rows, %v", name, len(rows.Triggers), err)
			case c.want != "" && (!errors.As(err, &answer) || !strings.Contains(answer.Detail, c.want) || answer.Status/100 != 4):
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
		}
		if _, err := s.agent.DeadLetters("main-solar"); err != nil {
			t.Error(err)
		}
		if _, err := s.agent.DeadLetters("main-solr"); err == nil || !strings.Contains(err.Error(), "there are: main-solar") {
			t.Errorf("dead letters of an unknown integration: %v", err)
		}
		if err := s.agent.TryNow("main-solar"); err != nil {
			t.Error(err)
		}
	})
}
