package modbus

import (
	"testing"
	"time"
)

// The quantiles are of the last 128 replies; the sum is of all replies.
func TestTurnaroundSumsAllReplies(t *testing.T) {
	var a account
	for range 10 {
		a.turnaround(time.Second)
	}
	a.turnaround(-time.Second) // the reply seemed to come before its request ended: as good as at once
	for range 128 {
		a.turnaround(20 * time.Millisecond)
	}
	want := Turnaround{P50: 20 * time.Millisecond, P99: 20 * time.Millisecond, Sum: 12560 * time.Millisecond}
	if got := a.snapshot().Turnaround; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
