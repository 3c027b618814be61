package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// accepts reports whether the query of a request has only known parameters, each once. Otherwise it has answered with
// an error: if a misspelt filter were ignored, the page would show everything.
func (s *Site) accepts(w http.ResponseWriter, r *http.Request, known ...string) bool {
	if err := checkQuery(r.URL.RawQuery, known); err != nil {
		s.say(w, http.StatusBadRequest, "This address cannot be read", err.Error())
		return false
	}
	return true
}

func checkQuery(raw string, known []string) error {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return errors.New("the query cannot be read: write name=value, joined by &")
	}
	for name, given := range values {
		if !slices.Contains(known, name) {
			allowed := "none is allowed"
			if len(known) > 0 {
				allowed = "allowed: " + strings.Join(known, ", ")
			}
			return fmt.Errorf("unknown parameter %q: %s", name, allowed)
		}
		if len(given) > 1 {
			return fmt.Errorf("parameter %q is given %d times: give it once", name, len(given))
		}
	}
	return nil
}
