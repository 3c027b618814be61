package modbus

import "testing"

// TestALineEchoesAfterThreeExchangesInARow: one exchange that differs proves nothing. An exchange without any byte
// proves nothing either.
func TestALineEchoesAfterThreeExchangesInARow(t *testing.T) {
	e := echoes{mode: EchoAuto}
	for i, c := range []struct {
		echoed, heard bool
		want, changed bool
	}{
		{echoed: true}, {echoed: true}, {heard: true}, {echoed: true}, {}, // two of three
		{echoed: true, want: true, changed: true},
		{echoed: true, want: true},
		{heard: true, want: true}, {heard: true, want: true}, {want: true},
		{heard: true, changed: true},
		{heard: true},
	} {
		got, changed := e.learn(&window{echoed: c.echoed, heard: c.heard})
		if got != c.want || changed != c.changed || e.expected() != c.want {
			t.Errorf("exchange %d: echoes %v, new %v, expected %v; want %+v", i, got, changed, e.expected(), c)
		}
	}
}

// TestTheConfiguredEchoCountsMoreThanTheObservedOne.
func TestTheConfiguredEchoCountsMoreThanTheObservedOne(t *testing.T) {
	on, off := echoes{mode: EchoOn}, echoes{mode: EchoOff}
	for range 2 * echoSure {
		on.learn(&window{heard: true})
		off.learn(&window{echoed: true})
	}
	if !on.expected() || off.expected() {
		t.Errorf("on: %v, off: %v", on.expected(), off.expected())
	}
}
