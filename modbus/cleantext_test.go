package modbus_test

import (
	"testing"

	"noi-agent/modbus"
)

func TestTextsEndAtTheFirstZeroAndArePrintable(t *testing.T) {
	for raw, want := range map[string]string{
		" VNSE3-0\x00\x06\x07": "VNSE3-0", "v1\n": "v1", "\x00junk": "", "a\x1b[31mb\xff": "a[31mb", "Größe ": "Größe",
	} {
		if got := modbus.CleanText([]byte(raw)); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}
