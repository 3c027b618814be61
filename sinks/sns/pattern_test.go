package sns_test

import (
	"sync/atomic"
	"testing"
	"time"

	"noi-agent/sinks"
	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sinktest/standin"
	"noi-agent/sinks/sns"
)

// If the clocks of service and gateway differ, requests are signed with the time of the last answer, like those of
// the SDK. A clock that drifts causes no refused request, and a clock that is changed causes one.
func TestSignaturesFollowTheClockOfTheService(t *testing.T) {
	withKeys(t)
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	cloud := mustStart(t, standin.SNSOptions{Now: now})
	sink := mustNew(t, sns.Options{Endpoint: cloud.URL()})
	publish := func(step string, want ...sinks.Outcome) {
		t.Helper()
		for i, outcome := range want {
			if r := sink.Publish(t.Context(), sinktest.Messages(1))[0]; r.Outcome != outcome {
				t.Fatalf("%s, request %d: %s (%s)", step, i, r.Outcome, r.Error())
			}
		}
	}
	publish("equal clocks", sinks.Accepted, sinks.Accepted)
	for range 6 {
		ahead.Add(int64(10 * time.Minute))
		publish("drift", sinks.Accepted)
	}
	ahead.Add(int64(time.Hour))
	publish("step forwards", sinks.Retry, sinks.Accepted, sinks.Accepted, sinks.Accepted)
	ahead.Store(-int64(24 * time.Hour))
	publish("step backwards", sinks.Retry, sinks.Accepted, sinks.Accepted, sinks.Accepted)
}
