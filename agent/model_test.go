package agent_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/status/api"
)

// site of one controller at /dev/ttyA.
func startOne(t *testing.T, config string, slave *modbustest.Slave) *site {
	t.Helper()
	return start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
}

// exchangeable returns a function that replaces a running controller by one with another product code; with "" the
// new one does not identify itself. It wraps the script that the slave has at the time of the call.
func exchangeable(slave *modbustest.Slave) (become func(code string)) {
	var next atomic.Pointer[string]
	script := slave.Script
	slave.Script = func(r modbustest.Request) modbustest.Fault {
		switch code := next.Swap(nil); {
		case code == nil:
		case *code == "":
			slave.Identity = nil
		default:
			slave.Identity = &modbustest.Identity{Vendor: "Morningstar Corp.", Product: *code, Revision: "v01.04.06"}
		}
		if script == nil {
			return modbustest.Fault{}
		}
		return script(r)
	}
	return func(code string) { next.Store(&code) }
}

// problem returns the live problem of a code.
func (s *site) problem(code string) (api.Problem, bool) {
	s.t.Helper()
	for _, p := range s.status().Problems {
		if p.Code == code {
			return p, true
		}
	}
	return api.Problem{}, false
}

// after counts the messages of samples that were taken later than a moment.
func (s *site) after(from time.Time) (n int) {
	s.t.Helper()
	for _, m := range s.messages() {
		if m.SampledAt > from.UTC().Format(time.RFC3339) {
			n++
		}
	}
	return n
}

const tristar = `
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: TSPWM, objects: [adc_vb_f], intervals: {"*": 10s}}]}
integrations:
  - {name: x, type: gcp, topic: projects/test-project/topics/Main}
`

func TestAControllerOfAnotherFamilyIsNeverSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		become := exchangeable(slave)
		s := startOne(t, tristar, slave)
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		const want = "the controller says PS-PWM-30M (PSPWM), the configuration says TSPWM"
		p, ok := s.problem("slave_wrong_model")
		if !ok || p.Detail != want || p.Severity != api.Fault || !strings.Contains(p.Remedy, "model_check: ignore") || p.Since.Unix() > 946684810 {
			t.Errorf("problem %+v", p)
		}
		st := s.status().Lines[0].Slaves[0]
		if n := len(s.messages()); n != 0 || st.State != "wrong_model" || st.Error != want || st.Missed < 150 {
			t.Errorf("%d messages, slave %+v", n, st)
		}
		// once when the agent finds it, and once as the shown problem
		if once := `reason="` + want; strings.Count(s.log.String(), once) != 1 || strings.Count(s.log.String(), want) > 2 {
			t.Errorf("log:\n%s", s.log)
		}
		if n := slave.Requests(); n > 30 {
			t.Errorf("%d requests in half an hour", n)
		}
		become("TS-45")
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if _, still := s.problem("slave_wrong_model"); still || s.after(time.Now().Add(-time.Minute)) < 5 {
			t.Errorf("the right controller is not sampled: %+v", s.status().Lines[0].Slaves[0])
		}
		rows := s.gapRows()
		if len(rows) != 1 || !strings.HasSuffix(rows[0], "identity: "+want) || !strings.HasPrefix(rows[0], "a/1 adc_vb_f ") {
			t.Errorf("gaps %q", rows)
		}
		s.stop()
	})
}

// The regular identification finds the exchange; after a missed reply the agent finds it at once.
func TestAnExchangedControllerOfAnotherFamilyIsNotSampled(t *testing.T) {
	for _, missed := range []bool{false, true} {
		t.Run(fmt.Sprintf("a reply was missed: %v", missed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slave := controller(1)
				silent := silenced(slave)
				become := exchangeable(slave)
				s := startOne(t, oneSlave, slave)
				time.Sleep(15 * time.Second)
				if missed {
					silent.Store(true)
					time.Sleep(7 * time.Second)
					silent.Store(false)
				}
				exchanged, limit := time.Now(), 10*time.Minute
				become("TS-60")
				if missed {
					limit = 0
				}
				time.Sleep(20 * time.Minute)
				synctest.Wait()
				if n := s.after(exchanged.Add(limit)); n != 0 || s.status().Lines[0].Slaves[0].State != "wrong_model" {
					t.Errorf("%d messages after it, slave %+v", n, s.status().Lines[0].Slaves[0])
				}
				s.stop()
			})
		})
	}
}

func TestWhenTheConfiguredFamilyCounts(t *testing.T) {
	for _, c := range []struct{ name, slave, code, problem string }{
		{"a shared code", "model: SSDUO, objects: [vb1]", "TS-45", ""},
		{"model_check: ignore", "model: PSPWM, model_check: ignore, objects: [adc_vbterm]", "TS-45", ""},
		{"model_check: ignore, and no family has the code", "model: PSPWM, model_check: ignore, objects: [adc_vbterm]", "OEM-1", ""},
		{"no family has the code", "model: PSPWM, objects: [adc_vbterm]", "OEM-1", "slave_code_unknown"},
		{"another code of the family", "model: PS-PWM-30M, objects: [adc_vbterm]", "PS-PWM-15", ""},
		{"a longer code of another family", "model: TSMPPT, objects: [adc_vb_f_med]", "TS-MPPT-60-600V-48", "slave_wrong_model"},
		{"a product code with auto", "product_code: PS-PWM-30M, objects: [adc_vbterm]", "OEM-1", "slave_code_unknown"},
		{"a product code with auto, and another controller", "product_code: PS-PWM-30M, objects: [adc_vbterm]", "TS-45", "slave_wrong_model"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slave := controller(1)
				slave.Identity.Product = c.code
				s := startOne(t, strings.Replace(tristar, "model: TSPWM, objects: [adc_vb_f]", c.slave, 1), slave)
				time.Sleep(65 * time.Second)
				problems := s.status().Problems
				s.stop()
				sampled := len(s.messages()) == 7
				if sampled != (c.problem != "slave_wrong_model") || c.problem == "" && len(problems) != 0 {
					t.Errorf("%d messages, problems %+v", len(s.messages()), problems)
				}
				if c.problem != "" && (len(problems) != 1 || problems[0].Code != c.problem) {
					t.Errorf("problems %+v, want %s", problems, c.problem)
				}
			})
		})
	}
}

// A product code alone is enough to know the family. The agent also asks for the firmware, but the controller need
// not answer.
func TestProductCodeAloneSaysTheFamily(t *testing.T) {
	for _, identity := range []*modbustest.Identity{nil, {Vendor: "x", Product: "OEM-1", Revision: "v2"}} {
		synctest.Test(t, func(t *testing.T) {
			slave := controller(1)
			slave.Identity = identity
			s := startOne(t, strings.Replace(oneSlave, "model: PSPWM", "product_code: PS-PWM-30M", 1), slave)
			time.Sleep(65 * time.Second)
			s.stop()
			firmware := ""
			if identity != nil {
				firmware = "v2"
			}
			if m := s.messages(); len(m) != 21 || m[20].Slave != "PS-PWM-30M" || m[20].CCFirmware != firmware {
				t.Errorf("%d messages", len(m))
			}
		})
	}
}

// An identification fails for some minutes, in any way. This changes nothing, because every read meanwhile was
// answered.
func TestIdentityIsKeptUntilAnotherDeviceIsProven(t *testing.T) {
	for name, fault := range map[string]modbustest.Fault{
		"silent": {Silent: true}, "busy": {Exception: 6}, "exception 4": {Exception: 4}, "refused": {Exception: 1},
		"damaged": {Mangle: func(f []byte) []byte { f[len(f)-1] ^= 1; return f }},
	} {
		for _, model := range []string{"PSPWM", "auto"} {
			t.Run(name+", "+model, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					slave := controller(1)
					var bad atomic.Bool
					slave.Script = func(r modbustest.Request) modbustest.Fault {
						if bad.Load() && (r.Function == 0x2B || r.Function == 0x11) {
							return fault
						}
						return modbustest.Fault{}
					}
					config := strings.Replace(oneObject, "model: PSPWM", "model: "+model, 1)
					s := startOne(t, strings.Replace(config, "topics/Main}", "topics/Main, slaves: [PS-PWM-30M]}", 1), slave)
					time.Sleep(9 * time.Minute)
					bad.Store(true)
					time.Sleep(2 * time.Minute)
					bad.Store(false)
					time.Sleep(50*time.Minute + 5*time.Second)
					synctest.Wait()
					messages, gaps := s.messages(), s.gapRows()
					s.stop()
					if len(messages) < 365 || len(gaps) != 0 {
						t.Errorf("%d messages in 61 minutes, gaps %q", len(messages), gaps)
					}
					for _, m := range messages {
						if m.Slave != "PS-PWM-30M" || m.CCFirmware != "v01.04.06" {
							t.Fatalf("%+v", m)
						}
					}
					if asked := slave.Functions()[0x2B]; asked < 7 || asked > 30 {
						t.Errorf("%d requests with 0x2B", asked)
					}
				})
			})
		}
	}
}

// After a missed reply a `model: auto` slave may be another controller. It is not sampled until it has identified
// itself, and this time is a gap.
func TestWithModelAutoAMissedReplyAndNoIdentityIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		var mode atomic.Int32
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			return modbustest.Fault{Silent: mode.Load() == 1 || mode.Load() == 2 && (r.Function == 0x2B || r.Function == 0x11)}
		}
		s := startOne(t, strings.Replace(oneObject, "model: PSPWM", "model: auto", 1), slave)
		time.Sleep(25 * time.Second)
		mode.Store(1)
		time.Sleep(7 * time.Second)
		mode.Store(2)
		doubted := time.Now()
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if st := s.status().Lines[0].Slaves[0]; s.after(doubted) != 0 || st.State == "ok" {
			t.Errorf("%d messages while the controller was not identified again, slave %+v", s.after(doubted), st)
		}
		mode.Store(0)
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		messages, counted := s.messages(), uint64(0)
		for _, g := range s.status().Integrations[0].Gaps {
			counted += g.Count
			if g.Count > 5 && !strings.HasPrefix(g.Reason, "identity: ") {
				t.Errorf("gap %+v", g)
			}
		}
		back, err := time.Parse(time.RFC3339, messages[3].SampledAt)
		if missing := uint64(back.Unix()/10 - 946684820/10 - 1); err != nil || counted != missing {
			t.Errorf("%d in gaps %q, want %d up to %v", counted, s.gapRows(), missing, back)
		}
		s.stop()
	})
}

// A new device refuses a read that the first one answered: it does not get the first one's name. The exchange caused
// a missed reply.
func TestAnotherDeviceThatDoesNotIdentifyItselfLosesTheName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		silent := silenced(slave)
		become := exchangeable(slave)
		s := startOne(t, oneObject, slave)
		time.Sleep(15 * time.Second)
		silent.Store(true)
		time.Sleep(7 * time.Second)
		become("")
		silent.Store(false)
		exchanged := time.Now()
		time.Sleep(time.Minute)
		s.stop()
		for _, m := range s.messages() {
			if late := m.SampledAt > exchanged.UTC().Format(time.RFC3339); late != (m.Slave == "PSPWM") {
				t.Errorf("%+v", m)
			}
		}
		if s.after(exchanged) < 5 {
			t.Errorf("%d messages after the exchange", s.after(exchanged))
		}
	})
}

// An integration lists a product code. While the controller has not reported it, the integration's missing samples
// are a gap.
func TestWhatAnIntegrationDoesNotGetForWantOfAnIdentityIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		var bad atomic.Bool
		bad.Store(true)
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			return modbustest.Fault{Silent: bad.Load() && (r.Function == 0x2B || r.Function == 0x11)}
		}
		s := startOne(t, strings.Replace(oneObject, "topics/Main}", "topics/Main, slaves: [PS-PWM-30M]}", 1), slave)
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if rows := s.gapRows(); len(s.messages()) != 0 || len(rows) != 1 || !strings.Contains(rows[0], "identity: the controller did not report the product code") {
			t.Errorf("%d messages, gaps %q", len(s.messages()), rows)
		}
		bad.Store(false)
		time.Sleep(time.Hour + 10*time.Minute)
		synctest.Wait()
		messages, gaps := s.messages(), s.status().Integrations[0].Gaps
		if len(messages) == 0 || len(gaps) != 1 {
			t.Fatalf("%d messages, gaps %+v", len(messages), gaps)
		}
		first, err := time.Parse(time.RFC3339, messages[0].SampledAt)
		if missing := uint64(first.Unix()-946684800) / 10; err != nil || gaps[0].Count != missing || gaps[0].First != 1 || gaps[0].Last != missing {
			t.Errorf("gap %+v, the first message %s", gaps[0], first)
		}
		s.stop()
	})
}

// With `model: auto`, a family that has none of the listed objects is a fault. The right controller is found later.
func TestAFamilyWithNoneOfTheListedObjectsIsAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		become := exchangeable(slave)
		config := strings.Replace(oneObject, "model: PSPWM, objects: [Et_float]", "objects: [battery_voltage_min]", 1)
		s := startOne(t, config, slave)
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		p, _ := s.problem("slave_without_objects")
		if st := s.status().Lines[0].Slaves[0]; st.State != "no_objects" || !strings.Contains(p.Detail, "PS-PWM-30M (PSPWM)") || slave.Requests() > 30 {
			t.Errorf("%+v, problem %+v, %d requests", st, p, slave.Requests())
		}
		become("GS-MPPT-100M")
		time.Sleep(6 * time.Minute)
		st := s.status()
		s.stop()
		if len(s.messages()) == 0 || st.Lines[0].Slaves[0].Family != "GENSTAR" || len(st.Problems) != 0 {
			t.Errorf("%d messages, slave %+v, problems %+v", len(s.messages()), st.Lines[0].Slaves[0], st.Problems)
		}
	})
}

// A slave of `model: auto` is away, and one of another family replaces it. Missing samples of the objects of both
// families are a gap.
func TestAnExchangeOfTheFamilyLosesNoGap(t *testing.T) {
	for _, c := range []struct {
		code  string
		again time.Duration // how long the new slave is silent after its identification
	}{{"PS-PWM-30M", 0}, {"PS-PWM-15", 0}, {"PS-MPPT-25", 0}, {"PS-MPPT-25", 65 * time.Second}, {"TS-MPPT-60", 0}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slave := controller(1)
				var silent atomic.Bool
				var exchanged time.Time
				slave.Script = func(r modbustest.Request) modbustest.Fault {
					if silent.Load() || !exchanged.IsZero() && time.Since(exchanged) < c.again {
						return modbustest.Fault{Silent: true}
					}
					if r.Function == 0x2B && time.Now().Unix() > 946684800+30*60 && exchanged.IsZero() {
						exchanged = time.Now()
					}
					return modbustest.Fault{}
				}
				become := exchangeable(slave)
				config := strings.Replace(oneObject, "model: PSPWM, objects: [Et_float]", `objects: ["adc_v*"]`, 1)
				s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
				time.Sleep(25 * time.Second)
				silent.Store(true)
				time.Sleep(40 * time.Minute)
				become(c.code)
				silent.Store(false)
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				gaps := map[string]uint64{}
				for _, g := range s.status().Integrations[0].Gaps {
					gaps[g.Object] += g.Count
				}
				for _, object := range []string{"adc_vbterm", "adc_va", "adc_vl", "adc_vbsense", "adc_vb_f_1m", "adc_vrefint"} {
					if gaps[object] < 235 || gaps[object] > 275 {
						t.Errorf("%s: %d missing in its gaps", object, gaps[object])
					}
				}
				// For objects of both families, each moment has a sample or is in a gap.
				samples, last, old := map[string]uint64{}, map[string]time.Time{}, map[string]bool{}
				for _, m := range s.messages() {
					at, err := time.Parse(time.RFC3339, m.SampledAt)
					if err != nil {
						t.Fatal(err)
					}
					samples[m.Object], last[m.Object] = samples[m.Object]+1, at
					old[m.Object] = old[m.Object] || at.Unix() < 946684800+60
				}
				for object, n := range samples {
					if !old[object] {
						continue // only the second family has this object
					}
					moments := uint64(last[object].Unix()-946684800)/10 + 1
					if last[object].Unix() < 946684800+45*60 { // the object is no longer sampled
						continue
					}
					if n+gaps[object] != moments {
						t.Errorf("%s: %d samples and %d missing of %d moments", object, n, gaps[object], moments)
					}
				}
				s.stop()
			})
		})
	}
}

// A controller's own faults are problems, with the time when they began.
func TestAControllersOwnFaultsAreProblems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave, fault := collected()
		become := exchangeable(slave)
		s := startOne(t, strings.Replace(oneObject, "objects: [Et_float]", "objects: [array_fault, adc_vbterm]", 1), slave)
		time.Sleep(15 * time.Second)
		if p, ok := s.problem("controller_alarm"); ok {
			t.Errorf("without a fault: %+v", p)
		}
		fault.Store(1)
		time.Sleep(10 * time.Second)
		fault.Store(3)
		time.Sleep(20 * time.Second)
		p, ok := s.problem("controller_alarm")
		if !ok || p.Subject != "a/1" || !strings.HasPrefix(p.Detail, "PS-PWM-30M reports array_fault: ") || p.Severity != api.Warning ||
			p.Since.Format("15:04:05") != "00:00:20" || strings.Count(p.Detail, ",") != 1 {
			t.Errorf("%+v", p)
		}
		rec := httptest.NewRecorder()
		s.agent.Metrics().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
		if want := `noi_problem{code="controller_alarm",severity="warning",subject="a/1"} 1`; !strings.Contains(rec.Body.String(), want) {
			t.Errorf("the metrics lack %s", want)
		}
		become("PS-PWM-15") // another controller with the same fault
		time.Sleep(10 * time.Minute)
		if p, ok := s.problem("controller_alarm"); !ok || !strings.HasPrefix(p.Detail, "PS-PWM-15 reports") || p.Since.Format("15:04") != "00:10" {
			t.Errorf("the fault of the other controller: %+v", p)
		}
		fault.Store(0)
		time.Sleep(10 * time.Second)
		if p, ok := s.problem("controller_alarm"); ok {
			t.Errorf("after the fault: %+v", p)
		}
		s.stop()
	})
}
