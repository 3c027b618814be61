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
	hours, err := readHours(values["hours"])
	if err != nil {
		fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	line, unit, object := r.PathValue("line"), r.PathValue("unit"), r.PathValue("object")
	number, err := strconv.Atoi(unit)
	history, ok := s.o.Reporter.History(line, number, object, hours)
	if err != nil || !ok {
		fail(w, r, http.StatusNotFound,
			fmt.Sprintf("no object %q is polled from unit %q of line %q: GET /api/v1/objects "+
				"lists those that are", object, unit, line))
		return
	}
	if most := hoursOf(history); values["hours"] != "" && most > 0 && hours > most {
		fail(w, r, http.StatusBadRequest, hoursError(most, values["hours"]).Error()+
			": status.history of the configuration keeps no more")
		return
	}
	sendJSON(w, r, history)
}

// readHours reads a number of hours; "" is the default.
func readHours(text string) (time.Duration, error) {
	if text == "" {
		return defaultHours * time.Hour, nil
	}
	hours, err := strconv.Atoi(text)
	if err != nil || hours < 1 || hours > mostHours {
		return 0, hoursError(mostHours*time.Hour, text)
	}
	return time.Duration(hours) * time.Hour, nil
}

func hoursError(most time.Duration, text string) error {
	return fmt.Errorf("parameter %q: want a number from 1 to %d, not %q", "hours", most/time.Hour, text)
}

// hoursOf returns the length of a history in whole hours, rounded up; 0: none is kept. Its times are rounded too, so a
// second more is no more hour.
func hoursOf(h api.History) time.Duration {
	return (h.To.Sub(h.From) + time.Hour - time.Second).Truncate(time.Hour)
}
