package agent

import (
	"cmp"
	"fmt"
	"strings"

	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/status/api"
	"noi-agent/store"
)

// integrationID returns the id of the integration that a client names, by id or by name. An integration that is no
// longer configured is known by its id as long as its rows are kept. "" stays "": all. It fails with ErrNoIntegration
// and a list of what exists.
func (w workers) integrationID(word string, st *store.Store) (string, error) {
	var exist []string
	for _, f := range w.forwarders {
		in := f.Integration()
		if word == in.ID || word == in.Name {
			return in.ID, nil
		}
		exist = append(exist, cmp.Or(in.Name, in.ID))
	}
	if _, kept := st.Stats().Integrations[word]; kept || word == "" {
		return word, nil
	}
	if len(exist) == 0 {
		return "", fmt.Errorf("%w: %q; none is configured", publish.ErrNoIntegration, word)
	}
	return "", fmt.Errorf("%w: %q; there are: %s", publish.ErrNoIntegration, word, strings.Join(exist, ", "))
}

// unknown returns the error for a client that named an integration that does not exist.
func unknown(err error) error { return api.NewError(404, err.Error(), "noi-agent integrations list") }

// checkFilter replaces the name of an integration by its id. It fails with an *api.Error for a value that can match no
// row, because an empty answer would hide the mistake.
func (w workers) checkFilter(q *api.TriggerQuery, st *store.Store) (err error) {
	if q.Integration != "" {
		if q.Integration, err = w.integrationID(q.Integration, st); err != nil {
			return unknown(err)
		}
	}
	if q.Object == "" {
		return nil
	}
	if why := configs.UnknownObject(q.Object, w.catalog.Families()); why != "" {
		return api.NewError(400, "object: "+why, "noi-agent objects")
	}
	return nil
}
