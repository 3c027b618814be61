package webtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"noi-agent/objects"
	"noi-agent/status/api"
)

// Scene is a gateway at one moment. It implements status.Reporter, status.TriggerLog and status.Health.
type Scene struct {
	Name     string
	State    api.Status
	Values   api.Objects
	Log      []api.Trigger // the newest first
	LogError error         // the error of reading the trigger log; nil: none
	Kept     time.Duration // length of the history
	Gap      bool          // the history has a gap
	catalog  *objects.Catalog
}

// Moment returns the time of all scenes.
func Moment() time.Time { return time.Date(2022, 6, 28, 8, 20, 40, 0, time.UTC) }

// Scenes returns all scenes.
func Scenes() []*Scene {
	return []*Scene{Well(), Troubled(), Large(100), Unplugged(), Fresh(), Starting(), Unreadable()}
}

// Status returns the state.
func (s *Scene) Status() api.Status { return s.State }

// Objects returns the latest values.
func (s *Scene) Objects() api.Objects { return s.Values }

// Healthy returns nil.
func (s *Scene) Healthy() error { return nil }

// Ready returns nil.
func (s *Scene) Ready() error { return nil }

// Family returns a built-in family.
func (s *Scene) Family(slug string) (*objects.Family, bool) { return s.catalog.Family(slug) }

// The ids of the two integrations.
const (
	AWS = "FFjU28MMaL3W9B9hhhhH"
	GCP = "0a1B2c3D4e5F6g7H8i9J"
)

// The topics of the two integrations.
const (
	TopicARN = "arn:aws:sns:us-east-2:393221637266:MainSolarData"
	Topic    = "projects/test-project/topics/MainSolarData"
)

func at(d time.Duration) time.Time { return Moment().Add(-d) }

func before(d time.Duration) *time.Time {
	t := at(d)
	return &t
}

func number[T any](n T) *T { return &n }

// Well returns a site where everything works. It has two controllers and two integrations.
func Well() *Scene {
	catalog, err := objects.LoadCatalog()
	if err != nil {
		panic(err) // built in
	}
	s := &Scene{Name: "well", Kept: 24 * time.Hour, catalog: catalog}
	s.State = api.Status{
		DeviceID: "5300520006504b5957343920", Version: "0.1.0", StartedAt: at(41 * 24 * time.Hour), UptimeS: 41 * 86400,
		Clock: api.Clock{Source: "auto", State: "good", Service: "chrony",
			Reason: "chrony says that it is synchronised"},
		Lines: []api.Line{{
			Name: "rs485", Port: "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0",
			State: "ok", Load: 0.0612,
			Counters: api.Counters{Requests: 41204, Replies: 41201, Timeouts: 2, CRCErrors: 1},
			Slaves: []api.Slave{
				slave(1, "battery-shed", 3), slave(2, "water-pump", 5),
			},
		}},
		Integrations: []api.Integration{
			integration(AWS, "main-solar", "aws", TopicARN), integration(GCP, "bigquery", "gcp", Topic),
		},
		Store: api.Store{
			Bytes: 10_700_000, Samples: 12, Committed: 104_211, Commits: 60_312, Start: "clean", PerDay: number(1.3),
			Settings: api.Buffer{
				MaxSize: 256 << 20, MaxAge: "720h0m0s", WhenFull: "drop_oldest", CommitEvery: "1s",
				RetainAfterAck: "0s",
				KeepTriggers:   1000, FlushEvery: "1m0s",
			},
			KeptAside: []string{},
		},
		Problems: []api.Problem{},
	}
	s.Values = api.Objects{Objects: append(s.valuesOf(1, "battery-shed", 12.117188, "BULK"),
		s.valuesOf(2, "water-pump", 12.484375, "FLOAT")...)}
	s.Log = messages(160, 0)
	return s
}

func slave(unit int, name string, age int64) api.Slave {
	return api.Slave{
		UnitID: unit, Slave: name, ProductCode: "PS-PWM-30M", CCFirmware: "v01.04.06", Family: "PSPWM", State: "ok",
		LastGood: before(time.Duration(age) * time.Second), AgeS: &age, Objects: 52, Load: 0.031, Refused: []string{},
		Counters: api.Counters{Requests: 20602, Replies: 20600, Timeouts: 2, TurnaroundP50: 31.5, TurnaroundP99: 47},
	}
}

func integration(id, name, kind, topic string) api.Integration {
	return api.Integration{
		ID: id, Name: name, Type: kind, Topic: topic, State: "ok", LastSuccess: before(3 * time.Second), Sent: 120_344,
		Uplink: api.Uplink{TodaySent: 290_000, TodayReceived: 21_000, MonthSent: 8_700_000, MonthReceived: 700_000},
		Gaps:   []api.Gap{},
	}
}

// valuesOf returns plausible values of the objects of a ProStar PWM that are polled by default.
func (s *Scene) valuesOf(unit int, name string, volts float64, state string) []api.Latest {
	family, ok := s.catalog.Family("PSPWM")
	if !ok {
		panic("webtest: no family PSPWM") // built in
	}
	var list []api.Latest
	for i := range family.Objects {
		o := &family.Objects[i]
		if o.ByName || len(o.Choices) > 0 {
			continue
		}
		list = append(list, api.Latest{
			Line: "rs485", Slave: name, UnitID: unit, Object: o.Name, Value: value(o, i+unit, volts,
				state), Unit: o.Unit,
			SampledAt: at(time.Duration(3+i%4) * time.Second), AgeS: int64(3 + i%4), Interval: o.Interval.String(),
		})
	}
	return list
}

// value returns a plausible value of an object.
func value(o *objects.Object, i int, volts float64, state string) json.RawMessage {
	var v any
	switch {
	case o.Name == "charge_state":
		v = state
	case o.Name == "load_state":
		v = "LOAD_ON"
	case o.Kind() == objects.KindText:
		v = "GREEN"
	case o.Kind() == objects.KindBits:
		v = []string{}
	case o.Name == "adc_vbterm":
		v = volts
	case o.Unit == "V" && o.Address > 0x0010:
		v = volts + float64(i%5)*0.03125
	case o.Unit == "A":
		v = 4.21875 - float64(i%4)
	case o.Unit == "°C":
		v = 21.5 + float64(i%7)
	default:
		v = float64(i*i) * 1.5
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own values
	}
	return raw
}

// Troubled returns the same site with problems: AWS refuses messages, a controller does not answer, a cable is bad.
func Troubled() *Scene {
	s := Well()
	s.Name, s.Gap = "troubled", true
	s.Log = messages(160, 40)
	s.Log[7].Gap = &api.Gap{
		Unit: "rs485/2", Object: "adc_vbterm", From: before(3 * time.Hour), To: before(2 * time.Hour), Count: 54,
		Reason: "bus",
	}
	s.Log[7].IntegrationData.MessageID = ""
	s.Log[7].Success, s.Log[7].PublishedData, s.Log[7].State = false, json.RawMessage("null"), api.StateDropped
	aws := &s.State.Integrations[0]
	aws.State, aws.Backlog, aws.Oldest = "waiting", 1204, before(18*time.Minute)
	aws.OldestAgeS = number(int64(18 * 60))
	aws.LastError, aws.LastSuccess, aws.Dead = refusal, before(18*time.Minute), 3
	aws.Gaps = []api.Gap{*s.Log[7].Gap, {Unit: "rs485/2", Object: "charge_state", To: before(30 * time.Hour),
		Reason: "agent_down"}}
	pump := &s.State.Lines[0].Slaves[1]
	pump.State, pump.AgeS, pump.LastGood = "silent", number(int64(245)), before(245*time.Second)
	pump.Error = "read unit 2 0x0012+8: timeout"
	s.State.Lines[0].Counters = api.Counters{
		Requests: 41204, Replies: 36054, Timeouts: 31, CRCErrors: 5119, Resyncs: 12, Exceptions: 3,
		ExceptionCodes: map[string]uint64{"02": 3}, DiscardedBytes: 902,
	}
	for i := range s.Values.Objects {
		if l := &s.Values.Objects[i]; l.UnitID == 2 {
			l.SampledAt, l.AgeS = l.SampledAt.Add(-4*time.Minute), l.AgeS+4*60
		} else if l.Object == "array_fault" {
			l.Value = json.RawMessage(`["rts_was_valid_now_disconnected"]`)
		}
	}
	s.State.Lines[0].Slaves[0].NoValue = map[string]string{"T_rts": "not_a_number"}
	s.Values.Objects = slices.DeleteFunc(s.Values.Objects, func(l api.Latest) bool {
		return l.UnitID == 1 && l.Object == "T_rts"
	})
	s.State.Lines[0].Slaves[0].Refused = []string{"kWhc_t"}
	s.State.Problems = []api.Problem{
		named(api.CloudWaiting.Of(AWS, at(18*time.Minute), refusal).With("cloud", "AWS", "type", "aws"), "main-solar"),
		named(api.SlaveNoReply.Of("rs485/2", at(245*time.Second), "read unit 2 0x0012+8: timeout"), "water-pump"),
		named(api.LineNoisy.Of("rs485", at(9*time.Hour), "23 of 184 reads within 20 min got a damaged reply").
			With("n", "8"), "rs485"),
		named(api.CloudRejected.Of(AWS, at(30*time.Hour), "3 dead letters").With("messages", "3 messages"),
			"main-solar"),
	}
	return s
}

// Large returns the site with problems, with ten controllers on the line and this many rows in the trigger log.
func Large(rows int) *Scene {
	s := Troubled()
	s.Name, s.Log = "large", messages(rows, 40)
	names := []string{"barn", "gate", "greenhouse", "repeater", "workshop", "cabin", "spring", "weather-mast"}
	for i, name := range names {
		s.State.Lines[0].Slaves = append(s.State.Lines[0].Slaves, slave(3+i, name, int64(4+i)))
		s.Values.Objects = append(s.Values.Objects, s.valuesOf(3+i, name, 12.3+float64(i)/16, "BULK")...)
	}
	return s
}

// Unplugged returns the site without its serial adapter. The problems of its controllers are folded under this problem.
func Unplugged() *Scene {
	s := Well()
	s.Name = "unplugged"
	line := &s.State.Lines[0]
	line.State, line.Error = "failed", "open /dev/serial/by-id/usb-FTDI_FT232R: no such file or directory"
	p := named(api.LinePortMissing.Of("rs485", at(6*time.Minute), line.Error), "rs485")
	for i := range line.Slaves {
		sl := &line.Slaves[i]
		sl.State, sl.AgeS, sl.LastGood = "silent", number(int64(365)), before(365*time.Second)
		p.Folded = append(p.Folded, api.Folded{Code: api.SlaveNoReply.Code, Subject: fmt.Sprintf("rs485/%d", sl.UnitID),
			Title: sl.Slave + " does not answer", Since: p.Since, Effect: api.Lost})
	}
	s.State.Problems = []api.Problem{p}
	return s
}

// named sets the name of a problem's subject, as the agent does.
func named(p api.Problem, name string) api.Problem {
	p.Name, p.AgeS = name, int64(Moment().Sub(p.Since).Seconds())
	return p.With("name", name)
}

// Fresh returns a gateway that is not configured.
func Fresh() *Scene {
	s := Well()
	s.Name, s.Log, s.Values = "fresh", nil, api.Objects{Objects: []api.Latest{}}
	s.State.Lines, s.State.Integrations, s.State.UptimeS = []api.Line{}, []api.Integration{}, 12
	s.State.StartedAt = at(12 * time.Second)
	s.State.Store = api.Store{Start: "created", Settings: s.State.Store.Settings, KeptAside: []string{}}
	return s
}

// Starting returns the site some seconds after the start. Nothing was read or sent, and the clock is not set.
func Starting() *Scene {
	s := Well()
	s.Name, s.Log, s.Values = "starting", nil, api.Objects{Objects: []api.Latest{}}
	s.State.UptimeS, s.State.StartedAt = 4, at(4*time.Second)
	for i := range s.State.Lines[0].Slaves {
		sl := &s.State.Lines[0].Slaves[i]
		sl.State, sl.LastGood, sl.AgeS, sl.Counters = "waiting", nil, nil, api.Counters{}
		sl.ProductCode, sl.CCFirmware = "", ""
	}
	for i := range s.State.Integrations {
		in := &s.State.Integrations[i]
		in.State, in.LastSuccess, in.Sent, in.Uplink = "waiting_for_clock", nil, 0, api.Uplink{}
	}
	s.State.Lines[0].State, s.State.Lines[0].Counters = "opening", api.Counters{}
	s.State.Clock = api.Clock{Source: "auto", State: "unsure", Service: "timesyncd",
		Reason: "timesyncd is not synchronised"}
	s.State.Problems = []api.Problem{api.ClockUnset.Of("agent", at(4*time.Second), "timesyncd is not synchronised")}
	return s
}

// Unreadable returns the site with problems whose trigger log cannot be read.
func Unreadable() *Scene {
	s := Troubled()
	s.Name, s.LogError = "unreadable", errors.New("the store is closed")
	return s
}
