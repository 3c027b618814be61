package modbus

import (
	"testing"
	"time"
)

// The quantiles include the last 128 replies, and the sum includes all replies.
func TestTurnaroundSumsAllReplies(t *testing.T) {
	var a account
	for range 10 {
		a.turnaround(time.Second)
	}
	a.turnaround(-time.Second) // the reply seemed to come before the end of its request: counts as zero
	for range 128 {
		a.turnaround(20 * time.Millisecond)
	}
	want := Turnaround{P50: 20 * time.Millisecond, P99: 20 * time.Millisecond, Sum: 12560 * time.Millisecond}
	if got := a.snapshot().Turnaround; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
