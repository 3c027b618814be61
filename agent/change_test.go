package agent

import (
	"fmt"
	"testing"
	"time"

	"noi-agent/agent/poll"
	"noi-agent/configs"
	"noi-agent/objects"
)

// news gives samples to a sampler with one integration and returns those that the integration gets.
type news struct {
	t   *testing.T
	sm  *sampler
	now time.Duration
	in  []configs.Integration
	src objects.Source
}

func listen(t *testing.T, band map[string]float64, heartbeat time.Duration) *news {
	n := &news{t: t, now: time.Hour, src: objects.Source{Line: "a", UnitID: 1, Slave: "PS-PWM-30M", Firmware: "v1"}}
	all := configs.Names{All: true}
	n.in = []configs.Integration{{ID: "x", Objects: all, Slaves: all, When: configs.WhenChange, Deadband: band, Heartbeat: heartbeat}}
	n.sm = &sampler{changes: changes{elapsed: func() time.Duration { return n.now }}}
	n.sm.route(n.in, 0)
	return n
}

func (n *news) sample(object string, v objects.Value, every time.Duration) bool {
	kept, _ := n.sm.routes(&poll.Sweep{
		Source: n.src, Samples: []objects.Sample{{Object: object, Value: v}}, Every: []time.Duration{every},
	})
	return len(kept) == 1
}

func (n *news) numbers(values ...float64) (sent []float64) {
	for _, v := range values {
		n.now += time.Second
		if n.sample("adc_vbterm", objects.Number(v), time.Second) {
			sent = append(sent, v)
		}
	}
	return sent
}

func (n *news) want(got any, want string) {
	n.t.Helper()
	if fmt.Sprint(got) != want {
		n.t.Errorf("sent %v, want %s", got, want)
	}
}

func TestWithoutABandEachChangeIsSent(t *testing.T) {
	n := listen(t, nil, 0)
	n.want(n.numbers(12, 12, 12.5, 12.5, 12.5000001, 12), "[12 12.5 12]") // 12.5000001 is printed as 12.5
}

// A value that drifts is compared with the last sent value, not with the last read value.
func TestADriftLeavesTheBandInTime(t *testing.T) {
	n := listen(t, map[string]float64{"adc_*": 0.5}, 0)
	n.want(n.numbers(12, 12.25, 12.5, 12.75, 13, 13.25, 13.5, 12.75, 12.25, 100, 99.75), "[12 12.75 13.5 12.75 100]")
}

// With the numbers as a consumer reads them, none of these steps is larger than the band.
func TestAStepAsLargeAsTheBandIsNoChange(t *testing.T) {
	n := listen(t, map[string]float64{"adc_*": 0.1}, 0)
	n.want(n.numbers(1, 1.1, 1, 1.2, 1.3, 1.2, float64(float32(12.1)), float64(float32(12.2)), 12.200001), "[1 1.2 12.100000381469727 12.200001]")
}

func TestStatesFaultsAndAlarmsHaveNoBand(t *testing.T) {
	n := listen(t, map[string]float64{"*": 1000}, 0)
	var sent []string
	for _, s := range []struct {
		object string
		value  objects.Value
	}{
		{"charge_state", objects.Text("NIGHT")}, {"charge_state", objects.Text("NIGHT")}, {"charge_state", objects.Text("BULK")},
		{"array_fault", objects.Bits(nil)}, {"array_fault", objects.Bits([]string{"a"})}, {"array_fault", objects.Bits([]string{"a"})},
		{"array_fault", objects.Bits([]string{"a", "b"})}, {"array_fault", objects.Bits(nil)},
		{"night", objects.Bool(false)}, {"night", objects.Bool(false)}, {"night", objects.Bool(true)},
		{"mixed", objects.Number(1)}, {"mixed", objects.Number(2)}, {"mixed", objects.Text("2")},
	} {
		if n.sample(s.object, s.value, time.Second) {
			sent = append(sent, s.object+" "+s.value.String())
		}
	}
	n.want(sent, "[charge_state NIGHT charge_state BULK array_fault  array_fault a array_fault a, b array_fault  night false night true mixed 1 mixed 2]")
}

// There is at least one sample in each heartbeat's time. If the log interval divides that time, a sample comes
// exactly at its end, although samples are sometimes a little late.
func TestHeartbeat(t *testing.T) {
	for _, c := range []struct {
		heartbeat, every time.Duration
		want             string
	}{
		{time.Hour, 10 * time.Minute, "[0 6 12 18]"},
		// the next sample would be too late
		{time.Hour, 40 * time.Minute, "[0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18]"},
		{time.Hour, 25 * time.Minute, "[0 2 4 6 8 10 12 14 16 18]"},
		{time.Hour, 3 * time.Hour, "[0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18]"},
		{0, time.Hour, "[0]"},
	} {
		n := listen(t, nil, c.heartbeat)
		var sent []int
		for i := range 19 {
			n.now = time.Hour + time.Duration(i)*c.every + time.Duration(i*37%200)*time.Millisecond
			if n.sample("T_batt", objects.Number(20), c.every) {
				sent = append(sent, i)
			}
		}
		if got := fmt.Sprint(sent); got != c.want {
			t.Errorf("heartbeat %v, interval %v: sent %s, want %s", c.heartbeat, c.every, got, c.want)
		}
	}
}

func TestAnotherControllersFirstSampleIsNews(t *testing.T) {
	n := listen(t, nil, 0)
	n.want(n.numbers(12, 12), "[12]")
	n.src.Firmware = "v2"
	n.want(n.numbers(12, 12), "[12]")
	n.src.Slave = "PS-PWM-15M" // another device with the same unit id and firmware
	n.want(n.numbers(12, 12), "[12]")
	n.src.UnitID = 2
	n.want(n.numbers(12, 12), "[12]")
	n.src.UnitID = 1
	n.want(n.numbers(12), "[]")
}

// Each integration has its own last sent values. A reload forgets only those of the changed integrations.
func TestReloadKeepsWhatWasGiven(t *testing.T) {
	n := listen(t, nil, 0)
	n.want(n.numbers(12), "[12]")
	same := n.in[0]
	every := configs.Integration{ID: "y", Objects: configs.Names{List: []string{"T_batt"}}, Slaves: same.Slaves, When: configs.WhenEvery}
	n.sm.route([]configs.Integration{every, same}, 0)
	n.want(n.numbers(12), "[]")
	edited := same
	edited.Deadband = map[string]float64{"*": 1}
	n.sm.route([]configs.Integration{every, edited}, 0)
	n.want(n.numbers(12, 12.5), "[12]")
	all := every
	all.Objects = same.Objects
	n.sm.route([]configs.Integration{all, edited}, 0)
	kept, routes := n.sm.routes(&poll.Sweep{Source: n.src, Every: []time.Duration{1, 1},
		Samples: []objects.Sample{{Object: "adc_vbterm", Value: objects.Number(12)}, {Object: "T_batt", Value: objects.Number(20)}}})
	n.want(len(kept), "2")
	n.want(routes, "[{y [0 1]} {x [1]}]")
}
