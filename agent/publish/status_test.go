package publish

import (
	"testing"

	"noi-agent/store"
)

// The bytes of replayed samples count as those of other samples.
func TestASampleCostsTheSameAfterAReplay(t *testing.T) {
	if u := uplinkOf(store.Traffic{}, 0); u.PerSample != nil {
		t.Errorf("before the first sample: %v", *u.PerSample)
	}
	for _, traffic := range []store.Traffic{{Sent: 5000}, {Sent: 10_000, Replayed: 100}} {
		if u := uplinkOf(traffic, 100); u.PerSample == nil || *u.PerSample != 50 {
			t.Errorf("%+v: %+v", traffic, u)
		}
	}
}
