package cli

import (
	"bytes"
	"strings"
	"testing"

	"noi-agent/status/api"
)

// A controller or a cloud can put any characters into its texts. No control character of them may reach a terminal.
func TestTextsOfOthersCannotMoveTheCursor(t *testing.T) {
	const body = `{"device_id":"d","lines":[{"name":"a","slaves":[{"unit_id":1,"slave":"PS\u001b[2J\tX\u202e","no_value":{"x\u0007":"y\n"},"refused":["r\u009b1m"],"learnt":"a: 1\nb: 2"}]}],` +
		`"integrations":[{"id":"i","last_error":"E\u0000: \ufeff","gaps":[{"unit":"u","object":"o","reason":"bus\u001b"}]}],"problems":[{"detail":"d\r\n"}]}`
	var s api.Status
	if err := plainJSON([]byte(body), &s); err != nil {
		t.Fatal(err)
	}
	slave := s.Lines[0].Slaves[0]
	if slave.Slave != `PS\u001b[2J\u0009X\u202e` || slave.NoValue[`x\u0007`] != `y\u000a` || slave.Refused[0] != `r\u009b1m` || slave.Learnt != "a: 1\nb: 2" {
		t.Errorf("slave %+v", slave)
	}
	if in := s.Integrations[0]; in.LastError != `E\u0000: \ufeff` || in.Gaps[0].Reason != `bus\u001b` || s.Problems[0].Detail != `d\u000d\u000a` {
		t.Errorf("%+v %+v", in, s.Problems)
	}
	var out bytes.Buffer
	for _, verbose := range []bool{false, true} {
		(&statusPage{s: &s, look: screen(80), cli: &commandLine{}, verbose: verbose}).print(&out)
	}
	if strings.ContainsAny(out.String(), "\x1b\x07\t\u202e\u009b\x00\r") || !strings.Contains(out.String(), `PS\u001b[2J`) {
		t.Errorf("%q", out.String())
	}
	var page api.Triggers
	if err := plainJSON([]byte("{\"triggers\":[{\"published_data\":{\"slave\":\"a\u009bb\"},\"topic\":\"t\u001b\"}]}"), &page); err == nil {
		t.Error("the JSON has a raw control character")
	}
	if err := plainJSON([]byte("{\"triggers\":[{\"published_data\":{\"slave\":\"a\u009bb\"}}]}"), &page); err != nil || string(page.Triggers[0].PublishedData) != `{"slave":"a\u009bb"}` {
		t.Errorf("%v %s", err, page.Triggers[0].PublishedData)
	}
}
