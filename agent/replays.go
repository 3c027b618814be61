package agent

import (
	"context"
	"fmt"
	"noi-agent/agent/publish"
	"noi-agent/store"
)

// Replay sends samples of a range again that an integration has settled and that are still in the outbox, the oldest
// first, marked as replayed. New samples are sent before them. Failures are retried as usual. Replay returns when
// everything is sent. It calls report at its begin, every second, and at the end with the state "done".
//
// It ends early with ctx's error (samples in flight are still sent), with the error of report or of the store, and when
// the agent ends or a reload changes the integration. Errors before the first report are ErrNoIntegration, ErrPaused,
// ErrReplaying and ErrNotKept.
func (a *Agent) Replay(ctx context.Context, integration string, r store.Range, report func(line any) error) error {
	f, err := a.working(integration)
	if err == nil && a.current().config.Buffer.RetainAfterAck <= 0 {
		err = publish.ErrNotKept
	}
	if err != nil {
		return err
	}
	number := fmt.Sprintf("%d-%d", a.store.Run(), a.replays.Add(1))
	return f.Replay(ctx, number, r, report)
}

// working returns the running forwarder of an integration.
func (a *Agent) working(integration string) (*publish.Forwarder, error) {
	id, err := a.current().integrationID(integration, a.store)
	if err != nil {
		return nil, err
	}
	for _, f := range a.current().forwarders {
		switch {
		case f.Integration().ID != id:
			continue
		case !f.Integration().Enabled:
			return nil, fmt.Errorf("%w: enable it first", publish.ErrPaused)
		default:
			return f, nil
		}
	}
	return nil, fmt.Errorf("%w: %q is no longer configured", publish.ErrNoIntegration, integration)
}
