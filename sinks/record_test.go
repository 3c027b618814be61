package sinks_test

import (
	"strings"
	"testing"

	"noi-agent/objects"
	"noi-agent/sinks"
)

func TestRecordSpellsEveryKindOfValue(t *testing.T) {
	for _, c := range []struct {
		value         objects.Value
		json, inTable string
	}{
		{objects.Number(12.1171875), `12.117188`, "12.117188"},
		{objects.Text("FLOAT"), `"FLOAT"`, "FLOAT"},
		{objects.Bits(nil), `[]`, ""},
		{objects.Bool(true), `true`, "true"},
		{objects.Bool(false), `false`, "false"},
		{objects.Bits([]string{"hvd", "rts_shorted"}), `["hvd","rts_shorted"]`, "hvd|rts_shorted"},
	} {
		e := envelope()
		e.Sample.Value, e.Sample.Seq, e.Source.Slave = c.value, 42, `a "b"`
		want := `{"device_id":"5300520006504b5957343920","data":` + c.json + `,"sampled_at":"2022-06-28T08:20:29Z","object":"adc_vbterm",` +
			`"slave":"a \"b\"","cc_firmware":"v01.04.06","fw_version":"PSPWM 1.0.10","sample_id":"id-1","unit":"rs485/1","seq":42}`
		if got := string(sinks.AppendRecord([]byte("> "), e, "id-1")); got != "> "+want {
			t.Errorf("\n got %s\nwant > %s", got, want)
		}
		row := strings.Join(sinks.Record(e, "id-1"), ",")
		if want := `2022-06-28T08:20:29Z,5300520006504b5957343920,rs485/1,a "b",v01.04.06,PSPWM 1.0.10,adc_vbterm,` + c.inTable + `,id-1,42`; row != want {
			t.Errorf("\n got %s\nwant %s", row, want)
		}
		if len(sinks.Record(e, "")) != len(sinks.RecordColumns()) {
			t.Error("a row has another number of columns than the header")
		}
	}
}
