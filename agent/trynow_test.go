package agent_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/agent/publish"
	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
	"noi-agent/status/api"
)

// After an action of the operator, an integration that waits for the operator tries at once. A wait that the cloud
// has requested is kept.
func TestOperatorEndsTheWaitAfterAFailure(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration // wait that the cloud requests
		act   func(*site) error
		want  bool
	}{
		"a message was accepted elsewhere": {0, func(s *site) error { return s.agent.TryNow(s.status().Integrations[0].ID) }, true},
		"a reload":                         {0, func(s *site) error { s.reload(oneObject); return nil }, true},
		"the cloud has asked for the wait": {time.Hour, func(s *site) error { s.reload(oneObject); return nil }, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, oneObject, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
			attempts := make(chan time.Time, 10_000)
			s.sink.answers(func(sinks.Message) sinks.Result {
				attempts <- time.Now()
				r := sinks.Failed(sinks.Wait, "AccessDenied", "no")
				r.After = c.after
				return r
			})
			var last time.Time
			for idle := time.Duration(0); idle < 20*time.Second; { // a moment in the middle of a wait
				time.Sleep(time.Second)
				synctest.Wait()
				for len(attempts) > 0 {
					last = <-attempts
				}
				idle = time.Since(last)
				if last.IsZero() || time.Since(last) > time.Hour {
					idle = 0
				}
			}
			s.sink.answers(nil)
			if err := c.act(s); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if sent := len(s.sink.bodies()) > 0; sent != c.want {
				t.Errorf("%s: sent at once %v, want %v", name, sent, c.want)
			}
			s.stop()
		})
	}
}

func TestTryNowKnowsItsIntegrations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, strings.Replace(oneObject, "name: x", "name: x, enabled: false", 1),
			map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		synctest.Wait()
		if err := s.agent.TryNow("nosuch"); !errors.Is(err, publish.ErrNoIntegration) {
			t.Errorf("%v", err)
		}
		if err := s.agent.TryNow(s.status().Integrations[0].ID); !errors.Is(err, publish.ErrPaused) {
			t.Errorf("%v", err)
		}
		s.stop()
	})
}

// A faulty file is a problem until a reload accepts the file. A key that needs a restart is one until file and agent
// agree.
func TestProblemsOfTheConfigurationFileEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, "device_id: 5300520006504b5957343920\n"+oneObject, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		time.Sleep(time.Minute)
		problems := func() map[string]api.Problem {
			found := map[string]api.Problem{}
			for _, p := range s.status().Problems {
				if p.Subject == "agent" {
					found[p.Code] = p
				}
			}
			return found
		}
		first := time.Now().UTC()
		s.agent.ConfigRefused(errors.New("config.yaml:7: lines[0].baud: no number"))
		time.Sleep(time.Minute)
		s.agent.ConfigRefused(errors.New("config.yaml:9: a\nconfig.yaml:10: b\nconfig.yaml:11: c\nconfig.yaml:12: d\n"))
		p := problems()["config_refused"]
		if !p.Since.Equal(first) || !strings.HasPrefix(p.Detail, "config.yaml:9: a; config.yaml:10: b; config.yaml:11: c; and 1 more; the configuration of ") {
			t.Errorf("%+v, first at %v", p, first)
		}
		s.reloadIn(s.dir, strings.Replace("device_id: 5300520006504b5957343921\n"+oneObject, "10s", "20s", 1))
		found := problems()
		if _, ok := found["config_refused"]; ok || !strings.Contains(found["restart_needed"].Detail, "device_id") {
			t.Errorf("after a reload: %+v", found)
		}
		s.reloadIn(s.dir, "device_id: 5300520006504b5957343920\n"+oneObject)
		if found := problems(); len(found) != 0 {
			t.Errorf("file and agent agree: %+v", found)
		}
		s.stop()
	})
}
