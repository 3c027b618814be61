package status

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"noi-agent/status/api"
)

// serveTriggers answers with one page of rows. Link names the next page, as `next` in the body does.
func (s *Server) serveTriggers(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r.URL.RawQuery, triggerParameters(), s.o.Now())
	if err != nil {
		fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	rows, err := s.o.TriggerLog.Triggers(q)
	if err != nil {
		failOr(w, r, fmt.Errorf("read the trigger log: %w", err), http.StatusInternalServerError)
		return
	}
	if rows.Next != nil {
		w.Header().Set("Link", fmt.Sprintf("<%s>; rel=\"next\"", nextPage(r.URL, *rows.Next)))
	}
	sendCheaply(w, r, rows)
}

// nextPage returns the address of the rows before an id, with the same filters.
func nextPage(u *url.URL, before uint64) string {
	values := u.Query()
	values.Set("before", strconv.FormatUint(before, 10))
	return u.Path + "?" + values.Encode()
}

// rowID reads the id in the path. The error is an *api.Error with status 404.
func rowID(r *http.Request) (uint64, error) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil || id == 0 {
		return 0, api.NewError(http.StatusNotFound,
			fmt.Sprintf("no trigger %q: want the id of a row, a number from 1 up", r.PathValue("id")),
			"noi-agent triggers")
	}
	return id, nil
}

func (s *Server) serveTrigger(w http.ResponseWriter, r *http.Request) {
	id, err := rowID(r)
	if err != nil {
		failOr(w, r, err, http.StatusNotFound)
		return
	}
	row, err := s.o.TriggerLog.Trigger(id)
	if err != nil {
		failOr(w, r, err, http.StatusInternalServerError)
		return
	}
	sendJSON(w, r, row)
}

// publishTrigger publishes the sample of a row again, and answers when the cloud has. The body may be empty.
func (s *Server) publishTrigger(w http.ResponseWriter, r *http.Request) {
	id, err := rowID(r)
	if err != nil {
		failOr(w, r, err, http.StatusNotFound)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // the agent has its own time limit
	done, err := s.o.TriggerLog.PublishTrigger(r.Context(), id)
	if err != nil {
		failOr(w, r, err, http.StatusInternalServerError)
		return
	}
	sendJSON(w, r, done)
}
