package configs_test

import (
	"fmt"
	"testing"
)

func TestRegistersToAvoid(t *testing.T) {
	for text, want := range map[string]string{
		"[0x0002-0x0003, 0x0010]":   "[{2 3} {16 16}]",
		"0x00E0":                    "[{224 224}]",
		"[0x0000 - 0xFFFF, 0x0001]": "[{0 65535} {1 1}]",
	} {
		c := mustParse(t, "lines: [{name: a, port: /dev/null, slaves: [\n {id: 1, model: PSPWM,\n avoid: "+text+"\n}]}]")
		if got := fmt.Sprint(c.Lines[0].Slaves[0].Avoid); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}
