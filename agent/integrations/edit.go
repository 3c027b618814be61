package integrations

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"

	"noi-agent/agent"
	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/status/api"
)

// List returns all integrations, first the ones of the configuration file.
func (b *Book) List() api.Integrations {
	return api.Integrations{Integrations: b.entries(b.state())}
}

// Get returns the integration with this id. The error is an *api.Error with status 404.
func (b *Book) Get(id string) (api.IntegrationEntry, error) {
	for _, e := range b.entries(b.state()) {
		if e.Config.ID == id {
			return e, nil
		}
	}
	return api.IntegrationEntry{}, noSuch(id)
}

func noSuch(id string) error {
	return api.NewError(http.StatusNotFound, fmt.Sprintf("there is no integration with the id %q", id),
		"noi-agent integrations list")
}

// Preview checks a configuration as Create does (id ""), or as Replace does. It returns the entry that the integration
// would have, and changes nothing.
func (b *Book) Preview(id string, config []byte) (api.IntegrationEntry, error) {
	s := b.state()
	in, err := b.candidate(s, id, config)
	if err != nil {
		return api.IntegrationEntry{}, err
	}
	e := b.entry(s, in)
	e.ETag = ""
	return e, nil
}

// Create adds an integration, which starts with the next sample.
func (b *Book) Create(ctx context.Context, config []byte) (api.IntegrationEntry, error) {
	var id string
	err := b.change(ctx, func(s *state) ([]configs.Integration, error) {
		in, err := check(s, len(s.made), "", config)
		if err != nil {
			return nil, err
		}
		id = in.ID
		return append(slices.Clone(s.made), *in), nil
	})
	return b.after(id, err)
}

// Replace replaces the configuration of the integration with this id. etag is the version on which the change is based;
// "*": any version. The error has status 412 if the integration has another version.
func (b *Book) Replace(ctx context.Context, id, etag string, config []byte) (api.IntegrationEntry, error) {
	err := b.change(ctx, func(s *state) ([]configs.Integration, error) {
		at, err := b.own(s, id, &etag)
		if err != nil {
			return nil, err
		}
		in, err := check(s, at, id, config)
		if err != nil {
			return nil, err
		}
		set := slices.Clone(s.made)
		set[at] = *in
		return set, nil
	})
	return b.after(id, err)
}

// Delete removes an integration. Its waiting samples are kept for 24 h. etag is as in Replace.
func (b *Book) Delete(ctx context.Context, id, etag string) error {
	return b.change(ctx, func(s *state) ([]configs.Integration, error) {
		at, err := b.own(s, id, &etag)
		if err != nil {
			return nil, err
		}
		return slices.Delete(slices.Clone(s.made), at, at+1), nil
	})
}

// SetEnabled resumes (true) or pauses an integration. It does nothing if the integration already has this state.
func (b *Book) SetEnabled(ctx context.Context, id string, enabled bool) (api.IntegrationEntry, error) {
	err := b.change(ctx, func(s *state) ([]configs.Integration, error) {
		at, err := b.own(s, id, nil)
		if err != nil || s.made[at].Enabled == enabled {
			return s.made, err
		}
		set := slices.Clone(s.made)
		set[at].Enabled = enabled
		return set, nil
	})
	return b.after(id, err)
}

// Wake makes an integration that waits after a failure try again at once.
func (b *Book) Wake(id string) error {
	switch err := b.engine.TryNow(id); {
	case errors.Is(err, publish.ErrNoIntegration):
		return noSuch(id)
	case err != nil:
		return api.NewError(http.StatusConflict, err.Error(), "")
	default:
		return nil
	}
}

// after returns the entry of a changed integration, or err.
func (b *Book) after(id string, err error) (api.IntegrationEntry, error) {
	if err != nil {
		return api.IntegrationEntry{}, err
	}
	return b.Get(id)
}

// anyVersion is the etag that matches every version (RFC 9110 §13.1.1). A client that uses it may overwrite the change
// of another client.
const anyVersion = "*"

// own returns the index in s.made of an integration that may be changed. etag is as in Replace; nil: the version is not
// checked.
func (b *Book) own(s *state, id string, etag *string) (int, error) {
	called := func(in configs.Integration) bool { return in.ID == id }
	if at := slices.IndexFunc(s.main.Integrations, called); at >= 0 {
		line := s.main.At(fmt.Sprintf("integrations[%d]", at), "").Line
		e := api.NewError(http.StatusConflict,
			fmt.Sprintf("it is set in %s, line %d: change it there", b.o.MainFile, line),
			"sudo systemctl reload noi-agent")
		e.Type, e.Title = api.ErrorPrefix+"locked", "The configuration file has this integration"
		return 0, e
	}
	at := slices.IndexFunc(s.made, called)
	switch {
	case at < 0:
		return 0, noSuch(id)
	case etag != nil && *etag == "":
		return 0, api.NewError(http.StatusPreconditionRequired,
			"send the ETag of the version that you want to change in the header If-Match", "")
	case etag != nil && *etag != anyVersion && *etag != etagOf(&s.made[at]):
		return 0, api.NewError(http.StatusPreconditionFailed,
			"it was changed meanwhile: read it again, and repeat your change", "")
	}
	return at, nil
}

// candidate checks a configuration that is not saved. id is "" for a new integration.
func (b *Book) candidate(s *state, id string, config []byte) (*configs.Integration, error) {
	if id == "" {
		return check(s, len(s.made), "", config)
	}
	at, err := b.own(s, id, nil)
	if err != nil {
		return nil, err
	}
	return check(s, at, id, config)
}

// check decodes and validates a body as the integration with index at of the set, together with all others. id is the
// id that the integration keeps; "": it is new.
func check(s *state, at int, id string, body []byte) (*configs.Integration, error) {
	in, list, err := parse(s, at, id, body)
	if err != nil {
		return nil, err
	}
	if id == "" && len(list) == 1 && list[0].Code == configs.CodeTaken && !named(s, in.Name) {
		// The derived id belongs to an integration that had this name before it was renamed.
		in, list, err = parse(s, at, freeID(s, in.Name), body)
	}
	if err == nil && id != "" && in.ID != "" && in.ID != id {
		list = append(list, api.FieldError{Pointer: "#/id", Code: configs.CodeInvalid,
			Detail: "an integration keeps its id, " + id, Hint: "leave the key out"})
	}
	if err == nil && len(list) == 0 { // check it again in the form that the file will have
		in, list, err = parse(s, at, in.ID, mustJSON(configOf(in)))
	}
	if err != nil {
		return nil, err
	}
	return in, invalid(list)
}

func parse(s *state, at int, id string, body []byte) (*configs.Integration, []api.FieldError, error) {
	own, err := flowOf(body, id)
	if err != nil {
		return nil, nil, err
	}
	var text bytes.Buffer
	text.WriteString("integrations: [")
	for i := range max(len(s.made), at+1) {
		if i > 0 {
			text.WriteString(", ")
		}
		if i == at {
			text.WriteString(own)
		} else {
			text.WriteString(flowText(&s.made[i]))
		}
	}
	text.WriteString("]\n")
	added, faults := configs.ParseAdded(text.Bytes(), s.main, s.catalog)
	if at >= len(added.Integrations) { // the body is not valid YAML: an unusual character, or too many levels
		return &configs.Integration{}, fieldErrors(faults, at), nil
	}
	return &added.Integrations[at], fieldErrors(faults, at), nil
}

// named reports whether an integration has this name or id. It is true for "".
func named(s *state, name string) bool {
	return name == "" || slices.ContainsFunc(slices.Concat(s.main.Integrations, s.made),
		func(in configs.Integration) bool { return in.Name == name || in.ID == name })
}

// freeID returns an unused id for a new integration whose derived id is taken.
func freeID(s *state, name string) string {
	for n := 2; ; n++ {
		id := configs.DeriveID(fmt.Sprintf("%s %d", name, n))
		if !named(s, id) {
			return id
		}
	}
}

// change calls edit for the next set of integrations, writes the set to the disk and makes it active. It returns when
// the set is active.
func (b *Book) change(ctx context.Context, edit func(s *state) ([]configs.Integration, error)) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	defer b.end()
	s := b.state()
	set, err := edit(s)
	if err != nil {
		return err
	}
	if err := b.isOurs(s); err != nil {
		return err
	}
	same := func(x, y configs.Integration) bool { return etagOf(&x) == etagOf(&y) }
	if slices.EqualFunc(set, s.made, same) {
		return nil // nothing changes
	}
	text := textOf(set)
	if err := replace(b.o.File, text); err != nil {
		b.o.Logger.Error("the file of integrations cannot be written; nothing was changed", "error", err)
		return api.NewError(http.StatusInternalServerError, "nothing was changed: "+err.Error(),
			"noi-agent doctor")
	}
	// A written change must become active, also if the client no longer waits.
	err = b.engine.EditIntegrations(context.WithoutCancel(ctx), slices.Concat(s.main.Integrations, set))
	switch {
	case errors.Is(err, agent.ErrInForce):
		b.o.Logger.Error("the integrations are active, but a part of the change failed", "error", err)
	case err != nil:
		return api.NewError(http.StatusServiceUnavailable,
			"the change is written, and becomes active at the next start: "+err.Error(), "")
	}
	b.set(b.written(s, set, text))
	return nil
}

// written returns the state after a change.
func (b *Book) written(s *state, set []configs.Integration, text []byte) *state {
	next := &state{main: s.main, catalog: s.catalog, made: set, text: text}
	added, faults := configs.ParseAdded(text, s.main, s.catalog)
	next.lines = linesOf(added)
	if len(faults) > 0 { // for example an integration that lists a slave which the configuration no longer has
		next.fault = briefly(b.o.File, faults)
	}
	return next
}

// isOurs returns an error if the file differs from the active integrations. A change would then overwrite the edit of a
// person.
func (b *Book) isOurs(s *state) error {
	text, err := read(b.o.File)
	if err != nil && !errors.Is(err, fs.ErrNotExist) || s.foreign || (text == nil) != (s.text == nil) ||
		!bytes.Equal(text, s.text) {
		e := api.NewError(http.StatusConflict,
			b.o.File+" differs from the active integrations: it was edited by hand, or cannot be read. "+
				"Nothing was changed",
			"noi-agent check && noi-agent reload")
		e.Type = api.ErrorPrefix + "integrations_file"
		e.Title = "The file of integrations has changes that are not active"
		return e
	}
	return nil
}
