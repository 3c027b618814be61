package agent_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
	"noi-agent/status/api"
)

func TestGapsAreSentAsMessagesWhereTheyAreWanted(t *testing.T) {
	for name, wanted := range map[string]bool{"wanted": true, "not wanted": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slave := controller(1)
				silent := silenced(slave)
				config := oneObject
				if wanted {
					config = strings.Replace(oneObject, "topics/Main", "topics/Main, gaps: true", 1)
				}
				s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
				time.Sleep(25 * time.Second)
				silent.Store(true)
				time.Sleep(40 * time.Second)
				silent.Store(false)
				tries := 0
				s.sink.answers(func(m sinks.Message) sinks.Result {
					if strings.Contains(string(m.Body), `"gap"`) {
						if m.Key != "a/1/Et_float" || !strings.Contains(m.SampleID, "-gap-") || !strings.HasSuffix(m.SampleID, "-"+count(t, m)) {
							t.Errorf("gap message %s of group %s: %s", m.SampleID, m.Key, m.Body)
						}
						if tries++; tries < 3 {
							return sinks.Failed(sinks.Retry, "Unavailable", "no link")
						}
					}
					return sinks.Result{Outcome: sinks.Accepted, MessageID: "m"}
				})
				time.Sleep(5 * time.Minute)
				s.stop()
				var gaps []api.Gap
				for _, body := range s.sink.bodies() {
					var a struct{ Gap *api.Gap }
					if err := json.Unmarshal([]byte(body), &a); err != nil {
						t.Fatal(err)
					}
					if a.Gap != nil {
						gaps = append(gaps, *a.Gap)
					}
				}
				told := s.status().Integrations[0].Gaps
				if len(told) != 1 {
					t.Fatalf("gaps %+v, want one", told)
				}
				if !wanted {
					if len(gaps) != 0 {
						t.Errorf("sent %+v", gaps)
					}
					return
				}
				if len(gaps) != 1 || tries != 3 || gaps[0].Count != told[0].Count || gaps[0].Object != "Et_float" || gaps[0].First != 4 {
					t.Errorf("sent %+v, the status says %+v", gaps, told)
				}
			})
		})
	}
}

// count returns how many missing samples a gap message reports. Its id ends with this number, because a grown gap
// needs a new id.
func count(t *testing.T, m sinks.Message) string {
	t.Helper()
	var a struct{ Gap api.Gap }
	if err := json.Unmarshal(m.Body, &a); err != nil {
		t.Error(err)
	}
	return strconv.FormatUint(a.Gap.Count, 10)
}
