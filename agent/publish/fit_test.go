package publish

import (
	"testing"

	"noi-agent/configs"
	"noi-agent/sinks"
)

// A lost answer means that the whole request is sent again. An answer of any kind shows that it was not lost.
func TestRequestsAreSmallerWhereAnswersAreLost(t *testing.T) {
	late := sinks.Failed(sinks.Retry, sinks.CodeTimeout, "no answer")
	taken := sinks.Taken("m")
	var f fit
	for i, step := range []struct {
		samples int
		result  sinks.Result
		window  int // window of 1000 after the step
	}{
		{1000, taken, 1000},
		{1000, noRoom, 1000},
		{1000, forbidden, 1000},
		{1000, late, 500},
		{1, late, 500}, // probes after a failure
		{1, taken, 500},
		{500, noLink, 250},
		{100, taken, 250}, // too few to show that larger requests succeed
		{250, taken, 375},
		{375, late, 187},
		{187, late, leastFit},
		{leastFit, late, leastFit},
		{96, taken, 150}, // two whole sweeps
		{150, taken, 225}, {225, taken, 337}, {337, taken, 505}, {505, taken, 757}, {757, taken, 1000},
	} {
		f.landed(step.samples, sinks.Repeat(step.result, 1))
		if got := f.window(1000); got != step.window {
			t.Errorf("step %d: a window of %d, want %d", i, got, step.window)
		}
	}
}

// A full request of SNS is small already, so it does not become smaller.
func TestRequestsOfSNSStayFull(t *testing.T) {
	c, now := working(0, 0)
	for range 10 {
		c.fit.landed(10, sinks.Repeat(noLink, 10))
		c.failed(now, noLink)
	}
	c.succeeded(now)
	if got := c.window(10); got != 10 {
		t.Errorf("a window of %d", got)
	}
}

// A batch is a sweep, so a smaller request has fewer whole sweeps.
func TestFewerSweepsGoWhereAnswersAreLost(t *testing.T) {
	f := &Forwarder{cfg: &configs.Integration{Envelope: configs.EnvelopeBatch}, sink: narrow(1000)}
	f.circuit.fit.landed(336, sinks.Repeat(noLink, 7))
	if got := len(f.whole(sweepsOf(48, 48, 48, 48, 48, 48))); got != 3*48 {
		t.Errorf("%d samples are sent, want three sweeps", got)
	}
}
