package agent

import (
	"context"
	"slices"

	"noi-agent/status/api"
	"noi-agent/store"
)

// DeadLetters lists the messages that clouds have rejected and that were not sent again or dropped since then, of one
// integration, by id or name, or of all with "". It fails with an *api.Error (404), and with the store's errors.
func (a *Agent) DeadLetters(integration string) (api.DeadLetters, error) {
	integration, err := a.current().integrationID(integration, a.store)
	if err != nil {
		return api.DeadLetters{}, unknown(err)
	}
	letters, err := a.store.DeadLetters(integration, 0, 0)
	if err != nil {
		return api.DeadLetters{}, err
	}
	list := api.DeadLetters{DeadLetters: make([]api.Trigger, len(letters))}
	ahead := a.outlooks()
	for i := range letters {
		list.DeadLetters[i] = a.triggerRow(&letters[i].Trigger, ahead)
	}
	return list, nil
}

// RetryDeadLetters sends dead letters of an integration again, all if ids is empty, with their old sample ids. It
// reports and ends as Replay does. A dead letter that the cloud accepts is removed. Errors before the first report are
// ErrNoIntegration, ErrPaused and ErrReplaying.
func (a *Agent) RetryDeadLetters(ctx context.Context, integration string, ids []uint64,
	report func(line any) error) error {
	f, err := a.working(integration)
	if err != nil {
		return err
	}
	letters, err := a.store.DeadLetters(f.Integration().ID, 0, 0)
	if err != nil {
		return err
	}
	letters = slices.DeleteFunc(letters, func(l store.DeadLetter) bool {
		return len(ids) > 0 && !slices.Contains(ids, l.ID)
	})
	return f.SendLetters(ctx, letters, report)
}

// DropDeadLetters deletes dead letters of an integration, all if ids is empty, and returns their number. It fails as
// DeadLetters does.
func (a *Agent) DropDeadLetters(integration string, ids []uint64) (int, error) {
	integration, err := a.current().integrationID(integration, a.store)
	if err != nil {
		return 0, unknown(err)
	}
	if len(ids) == 0 {
		letters, err := a.store.DeadLetters(integration, 0, 0)
		if err != nil {
			return 0, err
		}
		for i := range letters {
			ids = append(ids, letters[i].ID)
		}
	}
	return a.store.DropDead(integration, ids...)
}
