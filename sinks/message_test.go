package sinks_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"noi-agent/objects"
	"noi-agent/sinks"
)

// envelope is the example of the message contract. Tests change parts of it.
func envelope() sinks.Envelope {
	return sinks.Envelope{
		PublishedAt:   time.Date(2022, 6, 28, 8, 20, 29, 502e6, time.UTC),
		DeviceID:      "5300520006504b5957343920",
		IntegrationID: "FFjU28MMaL3W9B9hhhhH",
		Source: objects.Source{
			Line: "rs485", UnitID: 1, Slave: "PS-PWM-30M", Firmware: "v01.04.06", FWVersion: "PSPWM 1.0.10",
		},
		Sample: objects.Sample{
			Object: "adc_vbterm", Value: objects.Number(12.1171875), N: 7,
			SampledAt: time.Date(2022, 6, 28, 8, 20, 29, 0, time.UTC),
		},
	}
}

const example = `{"published_at":"2022-06-28T08:20:29.502Z","device_id":"5300520006504b5957343920","data":12.117188,` +
	`"integration_id":"FFjU28MMaL3W9B9hhhhH","sampled_at":"2022-06-28T08:20:29Z","object":"adc_vbterm","slave":"PS-PWM-30M",` +
	`"cc_firmware":"v01.04.06","fw_version":"PSPWM 1.0.10"}`

func TestBodyIsTheContractsExample(t *testing.T) {
	if got := string(sinks.AppendBody(nil, envelope())); got != example {
		t.Errorf("\n got %s\nwant %s", got, example)
	}
}

func TestBodyIsAppended(t *testing.T) {
	if got := string(sinks.AppendBody([]byte("> "), envelope())); got != "> "+example {
		t.Errorf("got %s", got)
	}
}

// In the example the register 0x0012 has 0x4A0F: 12.1171875 in half precision.
func TestBodySpellsEveryKindOfValue(t *testing.T) {
	for _, c := range []struct {
		value objects.Value
		want  string
	}{
		{objects.Number(12.1171875), `"data":12.117188,`},
		{objects.Number(0), `"data":0,`},
		{objects.Number(math.Copysign(0, -1)), `"data":0,`},
		{objects.Number(-0.0000001), `"data":0,`},
		{objects.Number(-1.5), `"data":-1.5,`},
		{objects.Number(4294967295), `"data":4294967295,`},
		{objects.Number(1e21), `"data":1000000000000000000000,`},
		{objects.Text("ABSORPTION"), `"data":"ABSORPTION",`},
		{objects.Text(`"quoted" <&> \ ` + "\n°"), `"data":"\"quoted\" <&> \\ \n°",`},
		{objects.Bits([]string{"overcurrent", "FETs shorted"}), `"data":["overcurrent","FETs shorted"],`},
		{objects.Bits(nil), `"data":[],`},
		{objects.Bool(true), `"data":true,`},
		{objects.Bool(false), `"data":false,`},
	} {
		e := envelope()
		e.Sample.Value = c.value
		if got := string(sinks.AppendBody(nil, e)); !strings.Contains(got, c.want) {
			t.Errorf("want %s in %s", c.want, got)
		}
	}
}

func TestTimesAreUTCAndCut(t *testing.T) {
	paris := time.FixedZone("CEST", 2*3600)
	for _, c := range []struct {
		at               time.Time
		published, taken string
	}{
		{time.Date(2022, 6, 28, 10, 20, 29, 502_999_999, paris), "2022-06-28T08:20:29.502Z", "2022-06-28T08:20:29Z"},
		{time.Date(2022, 6, 28, 8, 20, 29, 0, time.UTC), "2022-06-28T08:20:29.000Z", "2022-06-28T08:20:29Z"},
		{time.Date(2022, 12, 31, 23, 59, 59, 999_999_999, time.UTC), "2022-12-31T23:59:59.999Z", "2022-12-31T23:59:59Z"},
		{time.Date(2023, 1, 1, 1, 0, 0, 7e6, paris), "2022-12-31T23:00:00.007Z", "2022-12-31T23:00:00Z"},
	} {
		e := envelope()
		e.PublishedAt, e.Sample.SampledAt = c.at, c.at
		got := string(sinks.AppendBody(nil, e))
		if !strings.Contains(got, `{"published_at":"`+c.published+`",`) || !strings.Contains(got, `,"sampled_at":"`+c.taken+`",`) {
			t.Errorf("%s: got %s", c.at, got)
		}
	}
}

func TestUnknownFirmwareIsAnEmptyText(t *testing.T) {
	e := envelope()
	e.Source.Firmware = ""
	if got := string(sinks.AppendBody(nil, e)); !strings.Contains(got, `"cc_firmware":"",`) {
		t.Errorf("got %s", got)
	}
}

// With any names and values, the body is JSON with the nine keys in their order.
func TestEveryBodyIsJSONWithNineKeysInOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	keys := []string{"published_at", "device_id", "data", "integration_id", "sampled_at", "object", "slave", "cc_firmware", "fw_version"}
	for range 2000 {
		e := envelope()
		e.PublishedAt = time.UnixMilli(r.Int64N(4e12))
		e.Sample.Object, e.Source.Slave, e.Source.Firmware = anyText(r), anyText(r), anyText(r)
		e.Sample.Value = anyValue(r)
		body := sinks.AppendBody(nil, e)
		if got := keysOf(t, body); !cmp.Equal(got, keys) {
			t.Fatalf("keys %v in %s", got, body)
		}
		var back struct{ Object, Slave string }
		if err := json.Unmarshal(body, &back); err != nil || back.Object != e.Sample.Object || back.Slave != e.Source.Slave {
			t.Fatalf("%v: %q, %q came back from %s", err, back.Object, back.Slave, body)
		}
	}
}

func anyText(r *rand.Rand) string {
	const runes = "aZ09_-[] \"\\/<>&\t\n\x00\x1f\x7f°é\u2028漢😀"
	all := []rune(runes)
	out := make([]rune, r.IntN(12))
	for i := range out {
		out[i] = all[r.IntN(len(all))]
	}
	return string(out)
}

func anyValue(r *rand.Rand) objects.Value {
	switch r.IntN(3) {
	case 0:
		return objects.Number((r.Float64() - 0.5) * 1e6)
	case 1:
		return objects.Text(anyText(r))
	default:
		return objects.Bits([]string{anyText(r), anyText(r)}[:r.IntN(3)])
	}
}

// keysOf returns the keys of a JSON object in their order.
func keysOf(t *testing.T, body []byte) []string {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(body)))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		t.Fatalf("not an object: %v in %s", err, body)
	}
	var keys []string
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		keys = append(keys, key.(string))
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
	}
	return keys
}

func TestAttributesComeInTheOrderAskedFor(t *testing.T) {
	const id = "5300520006504b5957343920-00c0ffee-1-7"
	e := envelope()
	all := []sinks.Attribute{
		{Name: "object", Value: "adc_vbterm"}, {Name: "slave", Value: "PS-PWM-30M"}, {Name: "unit", Value: "rs485/1"},
		{Name: "device_id", Value: "5300520006504b5957343920"}, {Name: "sample_id", Value: id},
	}
	e.Run, e.Sample.Seq = 7, 41
	if got := sinks.Attributes([]string{"seq"}, e, id); len(got) != 1 || got[0].Value != "7-41" {
		t.Errorf("seq: %v", got)
	}
	if diff := cmp.Diff(all, sinks.Attributes(sinks.AttributeNames(), e, id)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]sinks.Attribute{all[4], all[0]}, sinks.Attributes([]string{"sample_id", "object"}, e, id)); diff != "" {
		t.Error(diff)
	}
	e.Source.Slave = ""
	if diff := cmp.Diff([]sinks.Attribute{all[0]}, sinks.Attributes([]string{"slave", "object", "nonsense"}, e, id)); diff != "" {
		t.Errorf("empty and unknown attributes must be left out: %s", diff)
	}
	if got := sinks.Attributes(nil, e, id); len(got) != 0 {
		t.Errorf("attributes although none were requested: %v", got)
	}
}
