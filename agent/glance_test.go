package agent_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/agent"
	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
	"noi-agent/status/api"
)

// glance is one way to bring an agent into the state of a problem code. It returns the site in that state. The cause
// ends with the site.
type glance struct {
	code string
	site func(t *testing.T) *site
}

// faulty is a site whose only controller answers with a fault.
func faulty(fault modbustest.Fault, config string) func(t *testing.T) *site {
	return func(t *testing.T) *site {
		slave := controller(1)
		slave.Script = func(modbustest.Request) modbustest.Fault { return fault }
		return after(time.Minute, startOne(t, config, slave))
	}
}

// damage is a reply with a wrong byte.
func damage(b []byte) []byte { b[2] ^= 0xFF; return b }

// sometimes is a site whose controller has a fault in each eighth reply.
func sometimes(fault modbustest.Fault) func(t *testing.T) *site {
	return func(t *testing.T) *site {
		slave := controller(1)
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			if r.N%8 == 0 {
				return fault
			}
			return modbustest.Fault{}
		}
		return after(10*time.Minute, startOne(t, oneSlave, slave))
	}
}

// onePair is oneSlave with a second controller.
var onePair = strings.Replace(oneSlave, "slaves: [", `slaves: [{id: 2, model: PSPWM, objects: [Et_float], intervals: {"*": 10s}}, `, 1)

// bothOf has two controllers with the same fault.
func bothOf(fault modbustest.Fault) func(t *testing.T) *site {
	return func(t *testing.T) *site {
		one, two := controller(1), controller(2)
		one.Script = func(modbustest.Request) modbustest.Fault { return fault }
		two.Script = one.Script
		return after(time.Minute, startPair(t, one, two))
	}
}

// startPair starts a site with onePair.
func startPair(t *testing.T, one, two *modbustest.Slave) *site {
	t.Helper()
	return start(t, onePair, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, one, two)})
}

// after waits for a site to run so long.
func after(d time.Duration, s *site) *site {
	time.Sleep(d)
	synctest.Wait()
	return s
}

// closed is a site whose port does not open.
func closed(err error) func(t *testing.T) *site {
	return func(t *testing.T) *site {
		sink := &memorySink{}
		s := begin(t, "state_dir: "+t.TempDir()+"\n"+oneSlave, agent.Options{
			OpenPort: func(modbus.Settings) (modbus.Port, error) { return nil, err },
			NewSink:  func(configs.Integration, string) (publish.Sink, error) { return sink, nil },
		})
		return after(time.Minute, s)
	}
}

// reports is a site whose controller reports a product code, with a model in the configuration.
func reports(product, model string) func(t *testing.T) *site {
	return func(t *testing.T) *site {
		slave := controller(1)
		if slave.Identity.Product = product; product == "" {
			slave.Identity = nil
		}
		config := strings.Replace(oneObject, "model: PSPWM", "model: "+model, 1)
		if strings.Contains(model, "objects") {
			config = strings.Replace(config, "objects: [Et_float], ", "", 1)
		}
		return after(time.Minute, startOne(t, config, slave))
	}
}

// unselected is a site whose controller gives no product code, with an integration that lists it by product code.
func unselected(t *testing.T) *site {
	slave := controller(1)
	slave.Identity = nil
	return after(time.Minute, startOne(t, strings.Replace(oneObject, "{name: x, ", "{name: x, slaves: PS-PWM-30M, ", 1), slave))
}

func kindsRefused(t *testing.T) *site {
	s := startOne(t, oneSlave, controller(1))
	s.sink.said("the topic's schema refuses fractions of Ahc_r")
	return after(time.Minute, s)
}

// answered is a site whose cloud gives the same answer to every message.
func answered(d time.Duration, more string, r sinks.Result) func(t *testing.T) *site {
	return func(t *testing.T) *site {
		s := startOne(t, more+strings.Replace(oneObject, "{name: x, ", "{name: main-solar, ", 1), controller(1))
		s.sink.answers(func(sinks.Message) sinks.Result { return r })
		return after(d, s)
	}
}

// network is a site on a network line with one of networkTroubles.
func network(code string, rtu bool) func(t *testing.T) *site {
	return func(t *testing.T) *site {
		all := networkTroubles()
		c := all[slices.IndexFunc(all, func(c networkTrouble) bool { return c.code == code && c.rtu == rtu })]
		s, end := c.start(t)
		stop := s.stop
		s.stop = func() { stop(); end() }
		return after(time.Minute, s)
	}
}

func glances() []glance {
	wait := func(code, text string) func(*testing.T) *site {
		return answered(time.Minute, "", sinks.Failed(sinks.Wait, code, text))
	}
	down := sinks.Failed(sinks.Retry, sinks.CodeNetwork, "dial tcp: connection refused")
	list := []glance{
		{"line_port_missing", closed(fmt.Errorf("open /dev/ttyA: %w", syscall.ENOENT))},
		{"line_port_denied", closed(fmt.Errorf("open /dev/ttyA: %w", syscall.EACCES))},
		{"line_port_busy", closed(fmt.Errorf("open /dev/ttyA: %w", syscall.EBUSY))},
		{"line_down", closed(errors.New("the driver does not take the settings"))},
		{"line_silent", bothOf(modbustest.Fault{Silent: true})}, {"line_garbled", bothOf(modbustest.Fault{Mangle: damage})},
		{"line_shared", overheard},
		{"line_collides", colliding},
		{"line_noisy", sometimes(modbustest.Fault{Mangle: damage})}, {"line_unanswered", sometimes(modbustest.Fault{Silent: true})},
		{"line_overrun", faulty(modbustest.Fault{Late: 400 * time.Millisecond},
			strings.Replace(oneSlave, `{"*": 10s}`, `{"*": 100ms}`, 1))},
		{"slave_silent", faulty(modbustest.Fault{Silent: true}, oneSlave)},
		{"slave_garbled", faulty(modbustest.Fault{Mangle: damage}, oneSlave)},
		{"slave_refusing", faulty(modbustest.Fault{Exception: modbustest.IllegalAddress}, oneSlave)},
		{"slave_wrong_model", reports("TS-45", "PSPWM")}, {"slave_model_unknown", reports("OEM-1", "auto")},
		{"slave_without_objects", reports("PS-PWM-30M", "auto, objects: [battery_voltage_min]")},
		{"slave_code_unknown", reports("OEM-1", "PSPWM")},
		{"slave_not_identified", reports("", "PSPWM")},
		{"slave_not_selected", unselected},
		{"object_refused", refusing},
		{"controller_alarm", alarmed},
		{"integration_retrying", answered(time.Minute, "", sinks.Failed(sinks.Retry, "Throttling", "too much"))},
		{"integration_unreachable", answered(time.Minute, "", down)},
		{"integration_waiting", wait("EndpointDisabled", "the endpoint is off")},
		{"integration_no_permission", wait("AuthorizationError", "User: arn:aws:iam::940497413619:user/push is not authorized")},
		{"integration_no_topic", wait("NotFound", "Topic does not exist")},
		{"integration_no_credentials", wait(sinks.CodeMissingCredentials, "no AWS credentials found")},
		{"integration_setup", wait(sinks.CodeCAFile, "ca_file /nope.pem: not there")},
		{"clock_wrong", answered(time.Minute, "", sinks.Failed(sinks.Retry, sinks.CodeClock, "Signature expired"))},
		{"clock_differs", answered(time.Minute, "", sinks.Result{Outcome: sinks.Accepted, MessageID: "m", Skewed: true})},
		{"dead_letters", answered(time.Minute, "", sinks.Failed(sinks.Reject, "InvalidParameter", "no"))},
		{"kinds_refused", kindsRefused},
		{"outbox_filling", answered(3*time.Hour, "buffer: {max_age: 48h}\n", down)},
		{"samples_dropped", answered(2*time.Hour, "buffer: {max_age: 1h}\n", down)},
		{"store_in_memory", inMemory},
		{"samples_lost", keptUp},
		{"store_recovered", func(t *testing.T) *site { return damaged(t, 0) }},
		{"store_kept_aside", func(t *testing.T) *site {
			s := damaged(t, 0)
			if _, err := s.agent.AcknowledgeGaps(time.Time{}); err != nil { // only the problem of the file is left
				t.Fatal(err)
			}
			return s
		}},
		{"store_kept_aside", func(t *testing.T) *site { return damaged(t, 1) }},
		{"clock_unset", func(t *testing.T) *site {
			g := newGateway(t)
			g.set(-years(30))
			return after(time.Minute, g.start(""))
		}},
		{"config_refused", func(t *testing.T) *site {
			s := startOne(t, oneSlave, controller(1))
			s.agent.ConfigRefused(errors.New("config.yaml:7: lines[0].baud: no number"))
			return after(time.Minute, s)
		}},
		{"integrations_file", func(t *testing.T) *site {
			s := startOne(t, oneSlave, controller(1))
			s.agent.IntegrationsFile("integrations.yaml:7: integrations[0].type: no such type")
			return after(time.Minute, s)
		}},
		{"restart_needed", func(t *testing.T) *site {
			s := after(time.Minute, startOne(t, "device_id: 5300520006504b5957343920\n"+oneSlave, controller(1)))
			s.reloadIn(s.dir, "device_id: 5300520006504b5957343921\n"+oneSlave)
			return s
		}},
	}
	for _, code := range []string{"slave_late", "slave_transaction_id", "slave_other_unit", "slave_wrong_length", "gateway_fails",
		"gateway_refuses", "gateway_unreachable"} {
		list = append(list, glance{code, network(code, false)})
	}
	return list
}

// colliding is a site whose line echoes, at times with another device's bytes in it.
func colliding(t *testing.T) *site {
	slave := controller(1)
	slave.Script = func(r modbustest.Request) modbustest.Fault {
		if r.N > 10 && r.N%3 == 0 {
			return modbustest.Fault{Silent: true, Echo: func(b []byte) []byte { b[1] ^= 0xFF; return b }}
		}
		return modbustest.Fault{Echo: modbustest.Same}
	}
	return after(5*time.Minute, startOne(t, oneSlave, slave))
}

// overheard is a site on whose line another master sends requests.
func overheard(t *testing.T) *site {
	pipe := modbustest.NewPipe(9600, 11, controller(1))
	s := after(11*time.Second, start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": pipe}))
	pipe.Overhear(modbustest.AppendCRC([]byte{1, 4, 0, 0x20, 0, 2}))
	return after(time.Minute, s)
}

// refusing is a site whose controller lacks one object.
func refusing(t *testing.T) *site {
	slave := controller(1)
	slave.Script = func(r modbustest.Request) modbustest.Fault {
		if r.Function == 4 && r.Addr <= 0x12 && 0x12 < r.Addr+r.Count {
			return modbustest.Fault{Exception: modbustest.IllegalAddress}
		}
		return modbustest.Fault{}
	}
	return after(10*time.Minute, startOne(t, strings.Replace(oneSlave, "[Et_float, ", "[adc_vbterm, Et_float, ", 1), slave))
}

// alarmed is a site whose controller reports a fault.
func alarmed(t *testing.T) *site {
	slave := controller(1)
	slave.Read = func(_ byte, addr, count uint16) ([]uint16, byte) {
		regs := make([]uint16, count)
		for i := range regs {
			regs[i] = 1
		}
		return regs, 0
	}
	return after(time.Minute, startOne(t, strings.Replace(oneSlave, "[Et_float, ", "[array_fault, Et_float, ", 1), slave))
}

// damaged is a site whose store was not usable at so many starts before this one.
func damaged(t *testing.T, before int) *site {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "noi.db"), "no store")
	var s *site
	for range before + 1 {
		if s != nil {
			s.stop()
		}
		s = after(time.Minute, startIn(t, dir, oneSlave,
			map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))}, "", &memorySink{}))
	}
	return s
}

// inMemory is a site whose disk has failed three times.
func inMemory(t *testing.T) *site {
	state, memory := t.TempDir(), t.TempDir()
	if err := errors.Join(os.Chmod(memory, 0o700), agent.FailedBefore(memory, state)); err != nil {
		t.Fatal(err)
	}
	sink := &memorySink{}
	s := begin(t, "state_dir: "+state+"\n"+oneSlave, agent.Options{
		Memory:   memory,
		OpenPort: func(modbus.Settings) (modbus.Port, error) { return modbustest.NewPipe(9600, 11, controller(1)).Dial() },
		NewSink:  func(configs.Integration, string) (publish.Sink, error) { return sink, nil },
	})
	return after(time.Minute, s)
}

// keptUp is a site whose store accepts no samples, so that more are read than can wait.
func keptUp(t *testing.T) *site {
	sink, open := &memorySink{}, make(chan struct{})
	s := prepare(t, "state_dir: "+t.TempDir()+"\n"+strings.Replace(oneSlave, `{"*": 10s}`, `{"*": 100ms}`, 1), agent.Options{
		OpenPort: func(modbus.Settings) (modbus.Port, error) { return modbustest.NewPipe(9600, 11, controller(1)).Dial() },
		NewSink:  func(configs.Integration, string) (publish.Sink, error) { return sink, nil },
	})
	agent.Hold(s.agent, open)
	s.run()
	stop := s.stop
	s.stop = func() { close(open); stop() }
	return after(3*time.Minute, s)
}

// TestEveryProblemSaysWhatSinceWhenWhatItCostsAndWhatToDo brings the agent into the state of each code. It keeps the
// shown problems in a file for the tests of the command line and the page, which show the same ones.
func TestEveryProblemSaysWhatSinceWhenWhatItCostsAndWhatToDo(t *testing.T) {
	all := map[string]api.Problem{}
	for _, g := range glances() {
		t.Run(g.code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := g.site(t)
				status := s.status()
				rec := httptest.NewRecorder()
				s.agent.Metrics().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
				sentence := s.agent.Sentence()
				log := ""
				if s.log != nil {
					log = s.log.String()
				}
				s.stop()
				i := slices.IndexFunc(status.Problems, func(p api.Problem) bool { return p.Code == g.code })
				if i < 0 {
					t.Fatalf("the problem is not shown: %+v", status.Problems)
				}
				p := status.Problems[i]
				judgeProblem(t, p)
				if want := fmt.Sprintf("noi_problem{code=%q,severity=%q,subject=%q} 1", p.Code, p.Severity, p.Subject); !strings.Contains(rec.Body.String(), want) {
					t.Errorf("metrics have no %s", want)
				}
				if i == 0 && !strings.Contains(sentence, p.Title+" ("+p.Subject+", "+p.Code+")") {
					t.Errorf("the sentence is %q", sentence)
				}
				if log != "" && p.AgeS > 10 && !strings.Contains(log, "code="+p.Code+" subject="+p.Subject) {
					t.Errorf("the log does not have the problem:\n%s", log)
				}
				p.Since, p.AgeS, p.Detail = time.Date(2022, 6, 28, 8, 2, 0, 0, time.UTC), 18*60, "the case at hand"
				all[g.code] = p
			})
		})
	}
	if t.Failed() {
		return
	}
	for _, k := range api.Kinds() {
		if all[k.Code].Code == "" {
			t.Errorf("no case brings the agent into the state of %s", k.Code)
		}
	}
	text, err := json.MarshalIndent(all, "", "  ") // by code
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "problems.json", text)
}

// goDuration is a duration as Go prints it, "10m0s": a text for people has "10 min".
var goDuration = regexp.MustCompile(`\b[0-9]+(h[0-9]+m|m)[0-9.]+s\b`)

func judgeProblem(t *testing.T, p api.Problem) {
	t.Helper()
	if goDuration.MatchString(p.Title + p.Detail + p.Remedy) {
		t.Errorf("a duration as Go prints it in %q", p.Detail)
	}
	if p.Title == "" || p.Remedy == "" || p.Effect == "" || p.Since.IsZero() || p.Name == "" || !strings.HasPrefix(p.Href, "/") {
		t.Errorf("the problem has an empty part: %+v", p)
	}
	if strings.ContainsAny(p.Title+p.Remedy+p.Href, "{}") {
		t.Errorf("a placeholder is left: %s %s %s", p.Title, p.Remedy, p.Href)
	}
	if age := time.Duration(p.AgeS) * time.Second; p.Since.Year() == 2000 && (time.Since(p.Since)-age).Abs() > 3*time.Second {
		t.Errorf("since %v, but %v old", p.Since, age)
	}
}

var update = flag.Bool("update", false, "renew the files under testdata/golden")

// golden compares with a file, or renews it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, string(got))
		return
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != string(got) {
		t.Errorf("%s differs from the shown text (-update writes it again): %v\n%s", path, err, got)
	}
}

// TestWithoutItsPortALineHasOneProblem: the problem of the line includes the problems of its slaves.
func TestWithoutItsPortALineHasOneProblem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := modbustest.NewPipe(9600, 11, controller(1))
		s := after(30*time.Second, start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": pipe}))
		if n := len(s.status().Problems); n != 0 {
			t.Fatalf("%d problems before", n)
		}
		pipe.Unplug()
		for range 20 {
			time.Sleep(30 * time.Second)
			if got := s.status().Problems; len(got) != 1 || got[0].Subject != "a" {
				t.Fatalf("%+v", got)
			}
		}
		if p := s.status().Problems[0]; len(p.Folded) != 1 || p.Folded[0].Subject != "a/1" || !strings.Contains(p.Folded[0].Title, "does not answer") {
			t.Errorf("folded: %+v", p.Folded)
		}
		pipe.Plug()
		time.Sleep(time.Minute)
		if got := s.status().Problems; len(got) != 0 {
			t.Errorf("afterwards %+v", got)
		}
		s.stop()
	})
}

// TestOneMissedReplyIsNoNews: one missed reply is no problem, and neither is one failed request to a cloud. A fault
// that lasts is one.
func TestOneMissedReplyIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		silent := silenced(slave)
		s := after(22*time.Second, startOne(t, oneSlave, slave))
		silent.Store(true)
		for s.status().Lines[0].Slaves[0].State == "ok" {
			time.Sleep(100 * time.Millisecond)
		}
		silent.Store(false)
		for range 600 {
			if got := s.status().Problems; len(got) != 0 {
				t.Fatalf("one reply is missed, and shown is %+v", got)
			}
			time.Sleep(100 * time.Millisecond)
		}
		silent.Store(true)
		time.Sleep(time.Minute)
		if got := codes(s.status()); got != "slave_silent" {
			t.Errorf("after a minute of silence: %q", got)
		}
		s.stop()
	})
}
