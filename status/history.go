package status

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"noi-agent/status/api"
)

// Hours of a history: by default, and at most. status.history of the configuration is the limit if it is lower.
const (
	defaultHours = 24
	mostHours    = 168
)

// serveHistory answers with the values of an object in the last hours.
func (s *Server) serveHistory(w http.ResponseWriter, r *http.Request) {
	values, err := readQuery(r.URL.RawQuery, "hours")
	if err != nil {
		fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	line, unit, object := r.PathValue("line"), r.PathValue("unit"), r.PathValue("object")
	number, err := strconv.Atoi(unit)
	hours, wrong := readHours(values["hours"])
	history, ok := s.o.Reporter.History(line, number, object, hours)
	if err != nil || !ok {
		fail(w, r, http.StatusNotFound,
			fmt.Sprintf("no object %q is polled from unit %q of line %q: GET /api/v1/objects "+
				"lists those that are", object, unit, line))
		return
	}
	most := hoursOf(history)
	if wrong || values["hours"] != "" && most > 0 && hours > most {
		if most == 0 {
			most = mostHours * time.Hour
		}
		fail(w, r, http.StatusBadRequest, fmt.Sprintf("parameter %q: want a number from 1 to %d, not %q; "+
			"status.history of the configuration sets the limit", "hours", most/time.Hour, values["hours"]))
		return
	}
	sendJSON(w, r, history)
}

// readHours reads a number of hours; "" is the default. A wrong one comes with the most hours that can be kept.
func readHours(text string) (hours time.Duration, wrong bool) {
	if text == "" {
		return defaultHours * time.Hour, false
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < 1 || number > mostHours {
		return mostHours * time.Hour, true
	}
	return time.Duration(number) * time.Hour, false
}

// hoursOf returns the length of a history in whole hours, rounded up; 0: none is kept. The times of a history are
// rounded too, so one extra second does not count as another hour.
func hoursOf(h api.History) time.Duration {
	return (h.To.Sub(h.From) + time.Hour - time.Second).Truncate(time.Hour)
}
