package status

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"noi-agent/status/api"
)

// mostConfig is the most bytes of the configuration of an integration.
const mostConfig = 64 << 10

// insteadOfEdits is the command that changes integrations on the gateway.
const insteadOfEdits = "noi-agent integrations"

// integrationHandlers answer requests about Options.Integrations.
type integrationHandlers struct{ book Integrations }

// routes lists their addresses.
func (h integrationHandlers) routes() []route {
	const all, one = "/api/v1/integrations", "/api/v1/integrations/{id}"
	return []route{
		{"GET", all, reads, h.listIntegrations, ""},
		{"POST", all, changes, h.createIntegration, insteadOfEdits},
		{"GET", one, reads, h.getIntegration, ""},
		{"PUT", one, changes, h.replaceIntegration, insteadOfEdits},
		{"DELETE", one, changes, h.deleteIntegration, insteadOfEdits},
		{"POST", one + "/test", changes, h.testIntegration, insteadOfEdits},
		{"POST", one + "/pause", changes, h.enableIntegration(false), insteadOfEdits},
		{"POST", one + "/resume", changes, h.enableIntegration(true), insteadOfEdits},
		{"POST", one + "/wake", changes, h.wakeIntegration, insteadOfEdits},
	}
}

func (h integrationHandlers) listIntegrations(w http.ResponseWriter, r *http.Request) {
	if noQuery(w, r) {
		sendJSON(w, r, h.book.List())
	}
}

func (h integrationHandlers) getIntegration(w http.ResponseWriter, r *http.Request) {
	if noQuery(w, r) {
		entry, err := h.book.Get(r.PathValue("id"))
		sendEntry(w, r, http.StatusOK, entry, err)
	}
}

// createIntegration adds an integration. `?preview=true` only checks it.
func (h integrationHandlers) createIntegration(w http.ResponseWriter, r *http.Request) {
	h.edit(w, r, "", func(ctx context.Context, body []byte) (api.IntegrationEntry, error) {
		return h.book.Create(ctx, body)
	})
}

func (h integrationHandlers) replaceIntegration(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	h.edit(w, r, id, func(ctx context.Context, body []byte) (api.IntegrationEntry, error) {
		return h.book.Replace(ctx, id, ifMatch(r), body)
	})
}

// edit answers a request whose body is a configuration.
func (h integrationHandlers) edit(w http.ResponseWriter, r *http.Request, id string,
	do func(ctx context.Context, body []byte) (api.IntegrationEntry, error)) {
	values, err := readQuery(r.URL.RawQuery, "preview")
	if err == nil && values["preview"] != "" && values["preview"] != "true" {
		err = fmt.Errorf("parameter %q: want true, not %q", "preview", values["preview"])
	}
	if err != nil {
		fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	preview := values["preview"] == "true"
	body, ok := configBody(w, r)
	if !ok {
		return
	}
	if preview {
		entry, err := h.book.Preview(id, body)
		sendEntry(w, r, http.StatusOK, entry, err)
		return
	}
	unhurried(w)
	entry, err := do(r.Context(), body)
	status := http.StatusOK
	if id == "" && err == nil {
		status = http.StatusCreated
		w.Header().Set("Location", "/api/v1/integrations/"+entry.Config.ID)
	}
	sendEntry(w, r, status, entry, err)
}

func (h integrationHandlers) deleteIntegration(w http.ResponseWriter, r *http.Request) {
	if !noQuery(w, r) {
		return
	}
	unhurried(w)
	if err := h.book.Delete(r.Context(), r.PathValue("id"), ifMatch(r)); err != nil {
		failOr(w, r, err, http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h integrationHandlers) enableIntegration(enabled bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !noQuery(w, r) {
			return
		}
		unhurried(w)
		entry, err := h.book.SetEnabled(r.Context(), r.PathValue("id"), enabled)
		sendEntry(w, r, http.StatusOK, entry, err)
	}
}

func (h integrationHandlers) wakeIntegration(w http.ResponseWriter, r *http.Request) {
	if !noQuery(w, r) {
		return
	}
	if err := h.book.Wake(r.PathValue("id")); err != nil {
		failOr(w, r, err, http.StatusInternalServerError)
		return
	}
	sendJSON(w, r, map[string]bool{"tries": true})
}

// newID replaces the id in the address of a test for an integration that is not saved. A real id has 20 characters.
const newID = "new"

// testIntegration tests the active integration; with a body it tests the configuration in the body instead.
func (h integrationHandlers) testIntegration(w http.ResponseWriter, r *http.Request) {
	if !noQuery(w, r) {
		return
	}
	id := r.PathValue("id")
	if id == newID {
		id = ""
	} else if r.ContentLength == 0 {
		h.test(w, r, id, nil)
		return
	}
	if body, ok := configBody(w, r); ok {
		h.test(w, r, id, body)
	}
}

// testLimit bounds a whole test. Each of its steps also has its own limit.
const testLimit = 2 * time.Minute

func (h integrationHandlers) test(w http.ResponseWriter, r *http.Request, id string, config []byte) {
	unhurried(w)
	ctx, cancel := context.WithTimeout(r.Context(), testLimit)
	defer cancel()
	result, err := h.book.Test(ctx, id, config, nil)
	if err != nil {
		failOr(w, r, err, http.StatusInternalServerError)
		return
	}
	sendJSON(w, r, result)
}

// sendEntry answers with an integration and its version.
func sendEntry(w http.ResponseWriter, r *http.Request, status int, entry api.IntegrationEntry, err error) {
	if err != nil {
		failOr(w, r, err, http.StatusInternalServerError)
		return
	}
	body, err := encode(entry)
	if err != nil {
		fail(w, r, http.StatusInternalServerError, "encode the answer: "+err.Error())
		return
	}
	if entry.ETag != "" {
		w.Header().Set("ETag", entry.ETag)
	}
	send(w, status, typeJSON, body)
}

// configBody reads a body that is JSON.
func configBody(w http.ResponseWriter, r *http.Request) (body []byte, ok bool) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != typeJSON {
		fail(w, r, http.StatusUnsupportedMediaType, "want Content-Type: "+typeJSON)
		return nil, false
	}
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, mostConfig))
	if err != nil {
		failWith(w, r, badBody(&bodyError{err}))
		return nil, false
	}
	return body, true
}

// ifMatch returns the version on which a change is based; "": none is given; "*": any. A list and a weak version match
// nothing, because the agent never sends them.
func ifMatch(r *http.Request) string {
	return strings.TrimSpace(strings.Join(r.Header.Values("If-Match"), ","))
}

// noQuery refuses parameters where there are none.
func noQuery(w http.ResponseWriter, r *http.Request) bool {
	if _, err := readQuery(r.URL.RawQuery); err != nil {
		fail(w, r, http.StatusBadRequest, err.Error())
		return false
	}
	return true
}

// unhurried removes the write deadline of an answer that waits for requests and clouds, which have their own limits.
func unhurried(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
}
