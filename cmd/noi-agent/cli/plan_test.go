package cli

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/clitest"
)

const planConfig = `lines:
  - name: rs485
    port: /dev/ttyUSB0
    slaves:
      - {id: 1, model: PSPWM, max_registers: 3, objects: "adc_ia, adc_vbterm, serial_number", intervals: {adc_ia: 1s, adc_vbterm: 2s}}
      - {id: 2, model: auto}
  - {name: gateway, port: "tcp://192.0.2.1", slaves: [{id: 1, model: PSPWM, objects: adc_ia, intervals: {adc_ia: 500ms}}]}
  - {name: idle, enabled: false, port: /dev/ttyUSB1, slaves: [{id: 1, model: PSPWM}]}
`

func TestPlanShowsReadsTheirMomentsAndTheirCost(t *testing.T) {
	code, stdout, stderr := run1("plan", "--config", clitest.WriteConfig(t, planConfig))
	if code != ExitDone {
		t.Errorf("exit %d: %s", code, stderr)
	}
	golden := "LINE\tSLAVE\tREAD\tOBJECTS\tEVERY\tTIME\n" +
		// half of the sweeps need 22 characters, the other half 24, and the serial number is never read
		"rs485\trs485/1\t0x0011+1 (fc 4)\t1\t1s\t25.2 ms\n" +
		"rs485\trs485/1\t0x0011+2 (fc 4)\t2\t2s\t27.5 ms\n" +
		"rs485\trs485/1\t0xE080+4 (fc 3)\t1\t1h\t32.1 ms\n" +
		"rs485\trs485/1\t0x0011+2 (fc 4)\t2\t1h\t27.5 ms\n"
	if !strings.HasPrefix(stdout, golden) || !strings.Contains(stdout, "gateway\tgateway/1\t0x0011+1 (fc 4)\t1\t500ms\t–\n") {
		t.Errorf("want first\n%s\nof\n%s", golden, stdout)
	}
	for _, want := range []string{
		"rs485/1: serial_number is longer than one read may be",
		"rs485/2: model auto: ",
		"rs485: 1.58 s a minute, 2.6 % busy at 9600 8N2; one read for each object would take ",
		"gateway: 2 reads a second; over Modbus TCP bus time means nothing",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
	if strings.Contains(stdout+stderr, "idle") {
		t.Errorf("a line that is not enabled is planned:\n%s", stdout)
	}
}

func TestPlanAsJSON(t *testing.T) {
	code, stdout, _ := run1("plan", "--json", "--config", clitest.WriteConfig(t, planConfig))
	var got struct{ Lines []lineListing }
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != ExitDone || len(got.Lines) != 2 {
		t.Fatalf("exit %d, %v:\n%s", code, err, stdout)
	}
	l := got.Lines[0]
	if l.Settings != "9600 8N2" || l.Load == nil || math.Abs(*l.Load-0.0264) > 1e-4 || len(l.Slaves[0].Moments) != 3 || l.Slaves[0].TooLong[0] != "serial_number" {
		t.Errorf("%+v", l)
	}
	if tcp := got.Lines[1]; tcp.Load != nil || tcp.Slaves[0].Moments[0].BusTimeMS != nil || tcp.ReadsPerSecond != 2 {
		t.Errorf("Modbus TCP has bus times: %s", stdout)
	}
}

func TestCheckWarnsOfALineThatIsTooBusy(t *testing.T) {
	for interval, want := range map[string]string{
		"1s":    "",
		"250ms": "warning: line rs485 is busy for 88.0 % of the time",
		"200ms": "WARNING: line rs485 is overloaded (110.0 %): samples will be missing",
	} {
		config := clitest.WriteConfig(t, `lines:
  - {name: rs485, port: /dev/ttyUSB0, slaves: [{id: 1, model: PSPWM, encodings: {kWhc_r: f16, kWhc_t: f16}, intervals: {"*": `+interval+`}}]}
  - {name: idle, enabled: false, port: /dev/ttyUSB1, slaves: [{id: 1, model: PSPWM, intervals: {"*": 10ms}}]}
  - {name: net, port: "tcp://192.0.2.1", slaves: [{id: 1, model: PSPWM, intervals: {"*": 10ms}}]}
`)
		code, stdout, stderr := run1("check", "--config", config)
		if code != ExitDone || stderr != "" || !strings.Contains(stdout, want) || want == "" && strings.Contains(strings.ToLower(stdout), "warning") {
			t.Errorf("%s: exit %d, %q %q", interval, code, stdout, stderr)
		}
		if strings.Contains(stdout, "line idle is") || strings.Contains(stdout, "line idle CANNOT") || strings.Contains(stdout, "line net CANNOT") {
			t.Errorf("a warning about a line that is not polled or has no bus time:\n%s", stdout)
		}
		code, stdout, _ = run1("check", "--json", "--config", config)
		var got checkResult
		if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != ExitDone {
			t.Fatalf("exit %d, %v: %s", code, err, stdout)
		}
		if l := got.Lines[0]; l.Load == nil || !strings.HasPrefix(l.Warning, want) || (want == "") != (l.Warning == "") {
			t.Errorf("%s: %+v", interval, l)
		}
		if l := got.Lines[2]; l.Load != nil || l.Warning != "" {
			t.Errorf("Modbus TCP: %+v", l)
		}
	}
}

func TestCheckTellsTheUplinkAndWhatItTakesForGranted(t *testing.T) {
	config := clitest.WriteConfig(t, `lines:
  - {name: rs485, port: /dev/ttyUSB0, slaves: [{id: 1, model: PSPWM, objects: [Et_float, EV_float], intervals: {"*": 1m}}]}
integrations:
  - {name: each, id: AAAAAAAAAAAAAAAAAAAA, type: aws, topic_arn: "arn:aws:sns:us-east-2:393221637266:Main"}
  - {name: batched, id: BBBBBBBBBBBBBBBBBBBB, type: aws, topic_arn: "arn:aws:sns:us-east-2:393221637266:Main", publish_every: 5m, envelope: batch}
  - {name: news, id: CCCCCCCCCCCCCCCCCCCC, type: aws, topic_arn: "arn:aws:sns:us-east-2:393221637266:Main", when: change}
  - {name: mute, id: DDDDDDDDDDDDDDDDDDDD, type: aws, topic_arn: "arn:aws:sns:us-east-2:393221637266:Main", when: change, heartbeat: 0s}
`)
	code, stdout, stderr := run1("check", "--config", config)
	if code != ExitDone || !strings.HasPrefix(stderr, "hint: each: publish_every: 15m with envelope: batch needs 41 MB a month instead of 95; ") ||
		strings.Count(stderr, "\n") != 1 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	for _, want := range []string{
		"uplink\teach\t2880 messages/day, 3.2 MB/day, 95 MB/month; sent immediately\n",
		"uplink\tbatched\t1440 messages/day, 1.3 MB/day, 40 MB/month; collected for 5m, one message per sweep\n",
		"uplink\tnews\t2880 messages/day, 2.7 to 95 MB/month; sent immediately; the minimum if nothing changes (a sample of each object every 1h)",
		"uplink\tmute\t2880 messages/day, 0.0 to 95 MB/month; sent immediately; the minimum if nothing changes (no heartbeat)",
		"bus\trs485\t", " s a minute, 0.0 % of 9600 8N2; 2 objects of 1 slave\n", "flash\toutbox\t", ": ok\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	_, stdout, _ = run1("check", "--json", "--config", config)
	var got checkResult
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	least, told := got.UplinkLeast["CCCCCCCCCCCCCCCCCCCC"]
	if len(got.Uplink) != 4 || len(got.UplinkLeast) != 2 || !told || least <= 0 || least >= got.Uplink["CCCCCCCCCCCCCCCCCCCC"] {
		t.Errorf("uplink %v, least %v", got.Uplink, got.UplinkLeast)
	}
}

// The cost of a slave with `model: auto` is not known. It must not be printed as zero.
func TestCheckSaysWhatItDoesNotCount(t *testing.T) {
	config := clitest.WriteConfig(t, planConfig)
	if _, stdout, _ := run1("check", "--config", config); !strings.Contains(stdout, "notice: rs485/2: `model: auto`: load and cost unknown") {
		t.Errorf("no word of unit 2:\n%s", stdout)
	}
	_, stdout, _ := run1("check", "--json", "--config", config)
	var got checkResult
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || strings.Join(got.Uncounted, " ") != "rs485/2" {
		t.Errorf("%v: %q", err, got.Uncounted)
	}
}

func TestFlashOfOneFigureIsNoSpan(t *testing.T) {
	least, same := 23.9, 125.0
	f := flashBudget{Online: 26.2, Offline: 125, LeastOnline: &least, LeastOffline: &same}
	want := "23.9 to 26.2 MB/day while the clouds accept, 125.0 MB/day while none can be reached"
	if got := f.words(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
