package objects_test

import (
	"testing"
	"time"

	"noi-agent/objects"
)

func TestPeriodIsAsPeopleWriteIt(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 500 * time.Millisecond: "500 ms", 1500 * time.Millisecond: "1.5 s", 30 * time.Second: "30 s", time.Minute: "1 min",
		90 * time.Second: "90 s", 10 * time.Minute: "10 min", time.Hour: "1 h", 90 * time.Minute: "90 min", 24 * time.Hour: "24 h",
		48 * time.Hour: "2 d", 720 * time.Hour: "30 d", 1234567890: "1.235 s", -time.Second: "-1 s",
	} {
		if got := objects.Period(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
