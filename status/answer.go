package status

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"noi-agent/status/api"
)

// The content types we answer with.
const (
	typeText  = "text/plain; charset=utf-8"
	typeJSON  = "application/json"
	typeError = "application/problem+json"
)

func sendJSON(w http.ResponseWriter, r *http.Request, v any) {
	body, err := encode(v)
	if err != nil {
		fail(w, r, http.StatusInternalServerError, "encode the answer: "+err.Error())
		return
	}
	send(w, http.StatusOK, typeJSON, body)
}

// sendCheaply is sendJSON with an ETag: a client that has the answer already gets none. The tag is of the content, so
// it is the same after a restart too. It is a weak one (RFC 9110 §8.8.1): ages do not count, because otherwise no two
// answers would be equal. A client adds the time since the answer to the ages.
func sendCheaply(w http.ResponseWriter, r *http.Request, v any) {
	body, err := encode(v)
	if err != nil {
		fail(w, r, http.StatusInternalServerError, "encode the answer: "+err.Error())
		return
	}
	sum := sha256.Sum256(ages().ReplaceAll(body, nil))
	tag := `W/"` + hex.EncodeToString(sum[:16]) + `"`
	w.Header().Set("ETag", tag)
	if matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	send(w, http.StatusOK, typeJSON, body)
}

// ages finds the ages of an answer, such as "age_s":3. A text cannot look like one, because JSON writes a quote inside
// a text with a backslash.
var ages = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`_s":[0-9.]+`) })

// matches reports whether a list of If-None-Match has a tag; strong ones count too (RFC 9110 §13.1.2).
func matches(list, tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	for one := range strings.SplitSeq(list, ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == tag || one == "*" {
			return true
		}
	}
	return false
}

// encode returns v as JSON and a newline, without HTML escapes, so that the messages in trigger rows are the same as
// the sent ones.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// fail answers with an error that has only a status and a sentence.
func fail(w http.ResponseWriter, r *http.Request, status int, detail string) {
	failWith(w, r, api.NewError(status, detail, ""))
}

// failOr answers with err: as it is if it is an *api.Error, else with the status.
func failOr(w http.ResponseWriter, r *http.Request, err error, status int) {
	var f *api.Error
	if !errors.As(err, &f) {
		f = api.NewError(status, err.Error(), "")
	}
	failWith(w, r, f)
}

// failWith answers with a fault: JSON under /api, which programs use; otherwise text.
func failWith(w http.ResponseWriter, r *http.Request, f *api.Error) {
	describe(w, f)
	if !isAPI(r) {
		text := f.Error()
		if f.Hint != "" {
			text += "\n" + f.Hint
		}
		send(w, f.Status, typeText, []byte(text+"\n"))
		return
	}
	body, _ := encode(f) // strings always encode
	send(w, f.Status, typeError, body)
}

// isAPI reports whether a request is for the API, whose errors are JSON.
func isAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/") }

// send writes a complete answer. An error of the write is ignored, because the client has gone.
func send(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
