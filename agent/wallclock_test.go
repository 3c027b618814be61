package agent_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/agent"
	"noi-agent/agent/clock"
	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
	"noi-agent/status/api"
)

// gateway is a machine whose wall clock may be wrong. The time of the bubble is the true time, and begins at
// 2000-01-01.
type gateway struct {
	t        *testing.T
	dir      string
	memory   string // survives a kill; "": none
	boot     atomic.Pointer[string]
	bootedAt atomic.Pointer[time.Time] // true time
	wrong    atomic.Int64              // ns by which the wall clock is ahead
	synch    atomic.Pointer[clock.Synch]
	probed   bool // there is a time service
	slave    *modbustest.Slave
	catcher  *catcher
	log      io.Writer
	gaps     bool              // gaps are announced to the cloud
	edit     *strings.Replacer // changes the configuration; nil: no change
}

var builtAt = time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC)

// years returns about n years. They have an odd number of seconds, so that no schedule fits by chance.
func years(n int) time.Duration { return time.Duration(n)*365*24*time.Hour + 3*time.Second }

func newGateway(t *testing.T) *gateway {
	g := &gateway{t: t, dir: t.TempDir(), slave: controller(1), catcher: &catcher{}, log: io.Discard}
	g.reboot("boot-1")
	g.says(clock.Synch{})
	return g
}

func (g *gateway) reboot(id string) {
	at := time.Now().Add(-time.Minute) // the agent starts a minute after the boot
	g.boot.Store(&id)
	g.bootedAt.Store(&at)
}

func (g *gateway) says(s clock.Synch)      { g.synch.Store(&s) }
func (g *gateway) now() time.Time          { return time.Now().Round(0).Add(time.Duration(g.wrong.Load())) }
func (g *gateway) set(ahead time.Duration) { g.wrong.Store(int64(ahead)) }

// synched is the answer of a service that has just set the clock.
func (g *gateway) synched() clock.Synch {
	return clock.Synch{Service: "timesyncd", Synched: true, At: g.now()}
}

// unsynched is the answer of a service that has not set the clock yet.
var unsynched = clock.Synch{Service: "timesyncd"}

// start runs an agent in the gateway, with the existing store.
func (g *gateway) start(config string) *site {
	g.t.Helper()
	source := clock.Source{Boot: *g.boot.Load(), Built: builtAt, Uptime: func() time.Duration { return time.Since(*g.bootedAt.Load()) }}
	if g.probed {
		source.Probe = func(context.Context) clock.Synch { return *g.synch.Load() }
	}
	pipe := modbustest.NewPipe(9600, 11, g.slave)
	slave := oneSlave
	if g.gaps {
		slave = strings.Replace(slave, "topics/Main", "topics/Main, gaps: true", 1)
	}
	if g.edit != nil {
		slave = g.edit.Replace(slave)
	}
	return begin(g.t, "state_dir: "+g.dir+"\n"+slave+config, agent.Options{
		Logger: slog.New(slog.NewTextHandler(g.log, nil)), Now: g.now, Time: source, Memory: g.memory,
		NewSink:  func(configs.Integration, string) (publish.Sink, error) { return g.catcher, nil },
		OpenPort: func(modbus.Settings) (modbus.Port, error) { return pipe.Dial() },
	})
}

// catcher is a cloud that accepts everything unless refusal is set.
type catcher struct {
	mu      sync.Mutex
	refusal *sinks.Result
	caught  []caught
}

// caught is a received message.
type caught struct {
	Object      string
	SampledAt   time.Time `json:"sampled_at"`
	PublishedAt time.Time `json:"published_at"`
	clock       string    // the attribute
}

func (c *catcher) Publish(_ context.Context, messages []sinks.Message) []sinks.Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refusal != nil {
		return sinks.Repeat(*c.refusal, len(messages))
	}
	for _, m := range messages {
		var got caught
		if err := json.Unmarshal(m.Body, &got); err != nil {
			panic(err)
		}
		for _, a := range m.Attributes {
			if a.Name == "clock" {
				got.clock = a.Value
			}
		}
		c.caught = append(c.caught, got)
	}
	return sinks.Repeat(sinks.Result{Outcome: sinks.Accepted, MessageID: "m"}, len(messages))
}

func (c *catcher) Window() int  { return 10 }
func (c *catcher) Close() error { return nil }

// refuses sets the result of later messages; nil: they are accepted.
func (c *catcher) refuses(r *sinks.Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusal = r
}

var away = sinks.Failed(sinks.Retry, sinks.CodeNetwork, "no route to host")

// of returns the messages of one object. It fails if there are not n.
func (g *gateway) of(object string, n int) []caught {
	g.t.Helper()
	g.catcher.mu.Lock()
	defer g.catcher.mu.Unlock()
	var out []caught
	for _, c := range g.catcher.caught {
		if c.Object == object {
			out = append(out, c)
		}
	}
	if n >= 0 && len(out) != n {
		g.t.Errorf("%d messages of %s, want %d: %v", len(out), object, n, out)
		out = make([]caught, n) // the test continues, so that it stops the agent
	}
	return out
}

// times checks the true times of the messages, in seconds since the begin of the bubble, and whether they are marked.
func (g *gateway) times(got []caught, mark string, want ...int) {
	g.t.Helper()
	begin := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	if len(got) != len(want) {
		g.t.Errorf("%d messages, want %d: %v", len(got), len(want), got)
		return
	}
	for i, c := range got {
		if at := begin.Add(time.Duration(want[i]) * time.Second); !c.SampledAt.Equal(at) || c.clock != mark {
			g.t.Errorf("message %d was sampled at %v (clock %q), want %v (clock %q)", i, c.SampledAt, c.clock, at, mark)
		}
	}
}

func codes(s api.Status) string {
	var out []string
	for _, p := range s.Problems {
		out = append(out, p.Code)
	}
	return strings.Join(out, " ")
}

func TestBootIn1970ThenRight(t *testing.T) {
	for _, service := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			g := newGateway(t)
			g.probed = service
			if service {
				g.says(unsynched)
			}
			g.set(-years(30))
			s := g.start("")
			time.Sleep(25 * time.Second) // due at 0, and at 3, 13, 23: multiples of 10 s by that clock
			unsure := s.status()
			g.of("Et_float", 0)
			if c := unsure.Clock; c.State != "unsure" || c.Held != 12 || c.BootedAt != nil || unsure.Integrations[0].State != "waiting_for_clock" || codes(unsure) != "clock_unset" {
				t.Errorf("before: %+v, %+v, %+v", c, unsure.Integrations[0], unsure.Problems)
			}
			g.set(0)
			g.says(g.synched())
			time.Sleep(9 * time.Second) // the next probe comes at 30
			five := g.of("Et_float", 5)
			// a multiple of 10 s by the old clock, or by the right one if the schedule notices it first; both are at
			// 30
			fifth := 33
			if five[4].SampledAt.Second() == 30 {
				fifth = 30
			}
			g.times(five, "", 0, 3, 13, 23, fifth)
			time.Sleep(60 * time.Second)
			s.stop()
			g.times(g.of("Et_float", 11)[4:], "", fifth, 40, 50, 60, 70, 80, 90)
			if st := s.status(); st.Clock.State != "good" || st.Clock.Steps != 1 || st.Clock.Held != 0 || codes(st) != "" || st.Integrations[0].Dropped != 0 {
				t.Errorf("after: %+v %+v", st.Clock, st.Problems)
			}
			if st := s.status(); !st.StartedAt.Equal(builtAt.AddDate(0, 1, 0)) {
				t.Errorf("the start is at %v by the right clock", st.StartedAt)
			}
		})
	}
}
