package publish

import (
	"fmt"

	"noi-agent/agent/worker"
	"noi-agent/objects"
	"noi-agent/sinks"
	"noi-agent/status/api"
	"noi-agent/store"
)

// KindOf returns the problem of an integration whose messages wait because of a cloud's error, "Code: Text". passes:
// the agent tries again without an operator; an error without a known cause is then CloudRetrying.
func KindOf(errorText string, passes bool) api.Kind {
	switch sinks.CauseOf(errorText) {
	case sinks.CauseUnreachable:
		return api.CloudUnreachable
	case sinks.CauseClock:
		return api.ClockWrong
	case sinks.CauseCredentials:
		return api.CloudNoCredentials
	case sinks.CausePermission:
		return api.CloudNoPermission
	case sinks.CauseTopic:
		return api.CloudNoTopic
	case sinks.CauseSetUp:
		return api.CloudNotSetUp
	}
	if passes {
		return api.CloudRetrying
	}
	return api.CloudWaiting
}

// problems lists the problems of the integration.
func (f *Forwarder) problems(v shown, counts store.IntegrationStats) (list []api.Problem) {
	now := f.clock.Elapsed()
	switch v.state {
	case integrationRetrying, integrationWaiting:
		kind := KindOf(v.lastError, v.state == integrationRetrying)
		list = append(list, kind.Of(f.cfg.ID, v.since, v.lastError).Lasting(now-v.begun))
	}
	if !v.skewedSince.IsZero() {
		list = append(list,
			api.CloudSkewed.Of(f.cfg.ID, v.skewedSince, "new credentials have ended already by the gateway's clock"))
	}
	if v.refuses != "" {
		list = append(list, api.CloudRefuses.Of(f.cfg.ID, v.refusesSince, v.refuses))
	}
	if counts.Dead > 0 {
		list = append(list, api.CloudRejected.Of(f.cfg.ID, counts.DeadFrom, counted(counts.Dead, "dead letter")).
			With("messages", counted(counts.Dead, "message")))
	}
	if drops := f.view.noteDrops(counts.Dropped); drops.Live(now) {
		list = append(list, api.CloudDropped.Of(f.cfg.ID, drops.Since,
			fmt.Sprintf("%d samples were deleted since the start, the last ones within %s",
				counts.Dropped-f.droppedBefore, objects.Period(worker.Recently))).Lasting(now-drops.Begun))
	}
	return list
}

// counted is a number of things in words: "1 message", "2 messages".
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
