package agent_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/agent"
	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
	"noi-agent/objects"
	"noi-agent/sinks"
	"noi-agent/status/api"
)

// memorySink keeps its messages. answer returns the result for a message; nil: all are accepted.
type memorySink struct {
	refuses atomic.Pointer[string]
	window  int // 0: 100

	mu     sync.Mutex
	taken  []string
	seqs   []string // of accepted messages: key and the attribute seq, if it was requested
	answer func(sinks.Message) sinks.Result
}

func (m *memorySink) Publish(_ context.Context, messages []sinks.Message) []sinks.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	results := make([]sinks.Result, len(messages))
	for i, message := range messages {
		results[i] = sinks.Result{Outcome: sinks.Accepted, MessageID: "m"}
		if m.answer != nil {
			results[i] = m.answer(message)
		}
		if results[i].Outcome == sinks.Accepted {
			m.taken = append(m.taken, string(message.Body))
			for _, a := range message.Attributes {
				if a.Name == "seq" {
					m.seqs = append(m.seqs, message.Key+" "+a.Value)
				}
			}
		}
	}
	return results
}

func (m *memorySink) answers(answer func(sinks.Message) sinks.Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answer = answer
}

// said sets the kinds of messages that the sink reports as refused by its topic.
func (m *memorySink) said(words string) { m.refuses.Store(&words) }

func (m *memorySink) Refuses() string {
	if words := m.refuses.Load(); words != nil {
		return *words
	}
	return ""
}

func (m *memorySink) Window() int  { return cmp.Or(m.window, 100) }
func (m *memorySink) Close() error { return nil }

func (m *memorySink) bodies() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.taken...)
}

// site is an agent in virtual time: lines in memory, the store on disk.
type site struct {
	t     *testing.T
	dir   string // state directory
	agent *agent.Agent
	sink  *memorySink
	log   *lines
	stop  func()
}

// start runs an agent over pipes by port name. It must be called inside a synctest bubble.
func start(t *testing.T, config string, pipes map[string]*modbustest.Pipe) *site {
	t.Helper()
	return startWith(t, config, pipes, "")
}

// startWith is start with the families of a directory in addition to the built-in ones; "": none.
func startWith(t *testing.T, config string, pipes map[string]*modbustest.Pipe, families string) *site {
	t.Helper()
	return startIn(t, t.TempDir(), config, pipes, families, &memorySink{})
}

// startIn is startWith with an existing state directory and sink, as after a restart.
func startIn(t *testing.T, dir, config string, pipes map[string]*modbustest.Pipe, families string, sink *memorySink) *site {
	t.Helper()
	catalog := mustCatalog(t)
	if families != "" {
		var err error
		if catalog, err = objects.LoadCatalog(families); err != nil {
			t.Fatal(err)
		}
	}
	log := &lines{}
	s := begin(t, "state_dir: "+dir+"\n"+config, agent.Options{
		Catalog: catalog, Logger: slog.New(slog.NewTextHandler(log, nil)),
		NewSink:  func(configs.Integration, string) (publish.Sink, error) { return sink, nil },
		OpenPort: func(m modbus.Settings) (modbus.Port, error) { return pipes[m.Port].Dial() },
	})
	s.dir, s.sink, s.log = dir, sink, log
	return s
}

// newAgent makes an agent of a configuration. Without options it uses the built-in catalog, and a log that is not
// read.
func newAgent(t *testing.T, config string, o agent.Options) *agent.Agent {
	t.Helper()
	if o.Catalog == nil {
		o.Catalog = mustCatalog(t)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	parsed, faults := configs.Parse([]byte(config), o.Catalog)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	o.Config, o.Version = parsed, "1.0.10"
	a, err := agent.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// begin runs the agent of newAgent until its stop. It must be called inside a synctest bubble.
func begin(t *testing.T, config string, o agent.Options) *site {
	t.Helper()
	s := prepare(t, config, o)
	s.run()
	return s
}

// prepare is begin for an agent that does not run yet.
func prepare(t *testing.T, config string, o agent.Options) *site {
	t.Helper()
	return &site{t: t, agent: newAgent(t, config, o)}
}

// run starts the agent of a site, which runs until stop is called.
func (s *site) run() {
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.agent.Run(ctx) }()
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("the agent ended with %v", err)
		}
	}
}

func (s *site) status() api.Status {
	s.t.Helper()
	return s.agent.Status()
}

// message has the keys of a body that the tests use.
type message struct {
	Object, Slave string
	CCFirmware    string `json:"cc_firmware"`
	SampledAt     string `json:"sampled_at"`
	Data          any
}

func (s *site) messages() []message {
	s.t.Helper()
	var out []message
	for _, body := range s.sink.bodies() {
		var m message
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			s.t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

func controller(unit byte) *modbustest.Slave {
	return &modbustest.Slave{
		Unit: unit, Read: modbustest.OwnAddress,
		Identity: &modbustest.Identity{Vendor: "Morningstar Corp.", Product: "PS-PWM-30M", Revision: "v01.04.06"},
	}
}

// silenced makes a slave not answer while the returned value is true.
func silenced(slave *modbustest.Slave) *atomic.Bool {
	silent := new(atomic.Bool)
	slave.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: silent.Load()} }
	return silent
}

const oneSlave = `
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM, objects: [Et_float, EV_float, Ahc_r], intervals: {"*": 10s}}]}
integrations:
  - {name: x, type: gcp, topic: projects/test-project/topics/Main}
`

func TestObjectsAreSampledAtStartAndAtMultiplesOfTheirInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		time.Sleep(35 * time.Second) // virtual; a bubble begins at a full second of 2000-01-01
		s.stop()
		got := map[string][]string{}
		for _, m := range s.messages() {
			got[m.Object] = append(got[m.Object], m.SampledAt)
			if m.Slave != "PS-PWM-30M" || m.CCFirmware != "v01.04.06" {
				t.Errorf("%+v carries the wrong identity", m)
			}
		}
		want := "[2000-01-01T00:00:00Z 2000-01-01T00:00:10Z 2000-01-01T00:00:20Z 2000-01-01T00:00:30Z]"
		if len(got) != 3 {
			t.Errorf("sampled: %v", got)
		}
		for object, at := range got {
			if fmt.Sprint(at) != want {
				t.Errorf("%s sampled at %v, want %v", object, at, want)
			}
		}
	})
}

func TestSamplesWaitForTheIdentityAndGoWithoutItAfterThreeTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mute := controller(1)
		mute.Identity = nil // exception 01
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, mute)})
		time.Sleep(25 * time.Second)
		s.stop()
		if tries := mute.Functions()[0x2B]; tries != 3 {
			t.Errorf("%d identification requests, want 3", tries)
		}
		messages := s.messages()
		if len(messages) != 9 || messages[0].Slave != "PSPWM" || messages[0].CCFirmware != "" {
			t.Errorf("%d messages, the first %+v; want 9 under the model's name", len(messages), messages[0])
		}
	})
}

func TestAnotherControllerOnTheSameUnitIDIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			if r.N != 4 { // the first poll takes two reads and an identification
				return modbustest.Fault{}
			}
			slave.Identity = &modbustest.Identity{Vendor: "Morningstar Corp.", Product: "PS-PWM-15", Revision: "v02.00.01"}
			return modbustest.Fault{Silent: true}
		}
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(15 * time.Second)
		s.stop()
		messages := s.messages()
		if last := messages[len(messages)-1]; last.Slave != "PS-PWM-15" || last.CCFirmware != "v02.00.01" {
			t.Errorf("after a missed reply the messages still say %+v", last)
		}
	})
}

func TestModelAutoTakesTheFamilyOfTheProductCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := strings.Replace(oneSlave, "model: PSPWM", "model: auto", 1)
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		time.Sleep(5 * time.Second)
		s.stop()
		if n := len(s.messages()); n != 3 {
			t.Errorf("%d messages, want 3", n)
		}
	})
}

// A slave refuses a register between two objects, and always refuses one object. It gives all other objects.
func TestRefusedRegistersCostOnlyThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		slave.Read = func(function byte, addr, count uint16) ([]uint16, byte) {
			for at := addr; at < addr+count; at++ {
				if at == 0x0003 || at == 0x0005 { // reserved; adc_fgdrive
					return nil, modbustest.IllegalAddress
				}
			}
			return modbustest.OwnAddress(function, addr, count)
		}
		config := strings.Replace(oneSlave, "[Et_float, EV_float, Ahc_r]", "[sw_ver, vdd_actual, adc_fgdrive, adc_pmeter, Et_float]", 1)
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		status := s.status()
		s.stop()
		var got []string
		for _, m := range s.messages() {
			got = append(got, m.Object)
		}
		if want := "[Et_float sw_ver vdd_actual adc_pmeter]"; fmt.Sprint(got) != want {
			t.Errorf("sampled %v, want %v", got, want)
		}
		if refused := status.Lines[0].Slaves[0].Refused; fmt.Sprint(refused) != "[adc_fgdrive]" {
			t.Errorf("refused: %v", refused)
		}
		if len(status.Problems) != 1 || status.Problems[0].Code != "object_refused" {
			t.Errorf("problems: %+v", status.Problems)
		}
	})
}

// A refusal may be temporary: a controller starts up, or the exception belongs to an older request.
func TestRefusalOfTheMomentHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			if r.N <= 8 && r.Function != 0x2B {
				return modbustest.Fault{Exception: modbustest.IllegalAddress}
			}
			return modbustest.Fault{}
		}
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(65 * time.Second)
		status := s.status()
		s.stop()
		if refused := status.Lines[0].Slaves[0].Refused; len(refused) != 0 || len(status.Problems) != 0 {
			t.Errorf("still refused: %v, problems %+v", refused, status.Problems)
		}
	})
}

func TestRefusedObjectIsAskedAtItsIntervalOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		slave.Read = func(byte, uint16, uint16) ([]uint16, byte) { return nil, modbustest.IllegalAddress }
		config := strings.Replace(oneSlave, `[Et_float, EV_float, Ahc_r], intervals: {"*": 10s}`, `Et_float, intervals: {"*": 1h}`, 1)
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(30 * time.Minute)
		s.stop()
		if n := slave.Requests(); n > 4 { // the object, the identification, and the line's own first request
			t.Errorf("an object that the slave does not know was requested %d times in half an hour", n)
		}
	})
}

// Another controller that does not identify itself must not be read with the old one's register map.
func TestModelAutoThatTellsNothingAnyMoreIsNotSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			if r.N != 6 {
				return modbustest.Fault{}
			}
			slave.Identity = nil
			return modbustest.Fault{Silent: true}
		}
		config := strings.Replace(oneSlave, "model: PSPWM", "model: auto", 1)
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(45 * time.Second)
		status := s.status()
		s.stop()
		for _, m := range s.messages() {
			if m.Slave != "PS-PWM-30M" {
				t.Errorf("%+v was sent without an identity", m)
			}
		}
		if n := len(s.messages()); n == 0 || n > 6 {
			t.Errorf("%d messages; want those of before", n)
		}
		if st := status.Lines[0].Slaves[0]; st.State != "unknown_model" && st.State != "silent" || st.Missed == 0 {
			t.Errorf("the slave is %+v", st)
		}
	})
}

// The second slave is read once an hour. A port that was away for a while proves nothing about this slave.
func TestSlaveIsNotCalledSilentForWhatThePortDid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := strings.Replace(oneSlave, "slaves: [{", `slaves: [{id: 2, model: PSPWM, objects: Et_float, intervals: {"*": 1h}}, {`, 1)
		pipe := modbustest.NewPipe(9600, 11, controller(1), controller(2))
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": pipe})
		time.Sleep(12 * time.Second)
		pipe.Unplug()
		time.Sleep(18 * time.Second)
		pipe.Plug()
		time.Sleep(20 * time.Second)
		status := s.status()
		s.stop()
		if slaves := status.Lines[0].Slaves; slaves[0].State != "waiting" || slaves[1].State != "ok" || len(status.Problems) != 0 {
			t.Errorf("slaves %+v, problems %+v", slaves, status.Problems)
		}
	})
}

func TestDeadSlaveCostsItsNeighbourOneTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		live := controller(2)
		config := strings.Replace(oneSlave, "slaves: [{", `slaves: [{id: 9, model: PSPWM, objects: Et_float, intervals: {"*": 1s}}, {`, 1)
		config = strings.Replace(config, "id: 1,", "id: 2,", 1)
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, live)})
		time.Sleep(35 * time.Second)
		status := s.status()
		s.stop()
		if n := len(s.messages()); n != 12 {
			t.Errorf("%d messages of the live slave, want 3 objects 4 times", n)
		}
		for _, m := range s.messages() {
			at, err := time.Parse(time.RFC3339, m.SampledAt)
			if late := at.Second() % 10; err != nil || late > 3 {
				t.Errorf("%s was sampled at %s: the dead slave held it up", m.Object, m.SampledAt)
			}
		}
		if slaves := status.Lines[0].Slaves; slaves[0].State != "silent" || slaves[1].State != "ok" || slaves[0].Missed == 0 {
			t.Errorf("slaves: %+v", slaves)
		}
	})
}

func TestPulledAdapterIsFoundAgainAndTheMissesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := modbustest.NewPipe(9600, 11, controller(1))
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": pipe})
		time.Sleep(12 * time.Second)
		pipe.Unplug()
		time.Sleep(25 * time.Second)
		down := s.status()
		pipe.Plug()
		time.Sleep(25 * time.Second)
		up := s.status()
		s.stop()
		if down.Lines[0].State != "failed" || len(down.Problems) != 1 || down.Problems[0].Code != "line_port_missing" {
			t.Errorf("while it was pulled: %+v %+v", down.Lines[0], down.Problems)
		}
		if up.Lines[0].State != "ok" || len(up.Problems) != 0 || up.Lines[0].Slaves[0].Missed < 6 {
			t.Errorf("afterwards: %+v %+v", up.Lines[0], up.Problems)
		}
		last := s.messages()[len(s.messages())-1]
		if last.SampledAt < "2000-01-01T00:01:00Z" {
			t.Errorf("the last sample is of %s", last.SampledAt)
		}
	})
}

func TestRejectedMessageDoesNotBlockTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		s.sink.answers(func(m sinks.Message) sinks.Result {
			if strings.Contains(string(m.Body), "Ahc_r") {
				return sinks.Failed(sinks.Reject, "InvalidParameter", "no such thing")
			}
			return sinks.Result{Outcome: sinks.Accepted, MessageID: "m"}
		})
		time.Sleep(5 * time.Second)
		status := s.status()
		s.stop()
		if in := status.Integrations[0]; in.Sent != 2 || in.Failed != 1 || in.Backlog != 0 {
			t.Errorf("%+v", in)
		}
	})
}

func TestLastSamplesAreSentAtShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, oneSlave+"buffer: {commit_every: 60s}\n", map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		time.Sleep(25 * time.Second) // the samples of 10 s and 20 s wait for a commit window of a minute
		before := len(s.messages())
		s.stop()
		if after := len(s.messages()); after != 9 {
			t.Errorf("%d messages before the end and %d after it, want all 9", before, after)
		}
	})
}
