package integrations

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"noi-agent/configs"
	"noi-agent/internal/strictyaml"
	"noi-agent/status/api"
)

// A JSON body is converted to YAML in one line and read by the decoder of the configuration file. JSON is nearly YAML.
// Only its texts must be quoted again, because YAML does not know all escapes of JSON.

// flowOf returns one JSON value as YAML in one line. Repeated keys are kept, so that the decoder refuses them. If id is
// not "", and the object has no key "id", the key is added. The error is an *api.Error with status 400.
func flowOf(body []byte, id string) (string, error) {
	var b strings.Builder
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := flow(dec, &b, id); err != nil {
		return "", malformed(dec, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return "", malformed(dec, errors.New("there is more text after the object"))
	}
	return b.String(), nil
}

func malformed(dec *json.Decoder, err error) error {
	if errors.Is(err, io.EOF) {
		err = errors.New("it ends too early")
	}
	return api.NewError(http.StatusBadRequest, fmt.Sprintf("the body is not one JSON object: byte %d: %v",
		dec.InputOffset(), err), "")
}

// flow copies the next JSON value to b as YAML. id is as in flowOf.
func flow(dec *json.Decoder, b *strings.Builder, id string) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	switch t := token.(type) {
	case json.Delim:
		return flowInside(dec, b, t, id)
	case string:
		b.WriteString(strconv.Quote(t))
	case json.Number:
		b.WriteString(t.String())
	case bool:
		b.WriteString(strconv.FormatBool(t))
	default:
		b.WriteString("null")
	}
	return nil
}

// flowInside copies an object or a list from its first bracket, begin, to its last. id is as in flowOf.
func flowInside(dec *json.Decoder, b *strings.Builder, begin json.Delim, id string) error {
	b.WriteString(begin.String())
	for n := 0; dec.More(); n++ {
		if n > 0 {
			b.WriteString(", ")
		}
		if begin == '{' {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			if key == "id" {
				id = ""
			}
			b.WriteString(strconv.Quote(key.(string)) + ": ")
		}
		if err := flow(dec, b, ""); err != nil {
			return err
		}
	}
	end, err := dec.Token()
	if err != nil {
		return err
	}
	if begin == '{' && id != "" {
		if !strings.HasSuffix(b.String(), "{") {
			b.WriteString(", ")
		}
		b.WriteString(`"id": ` + strconv.Quote(id))
	}
	b.WriteString(end.(json.Delim).String())
	return nil
}

// fieldErrors returns the faults of the integration with index i in a text, with pointers into its JSON body.
func fieldErrors(faults strictyaml.Faults, i int) (list []api.FieldError) {
	for _, f := range faults {
		steps := strictyaml.Steps(f.Path)
		whole := len(steps) < 2 // a fault of the whole text: the body causes it, because the rest of the text is ours
		if !whole && steps[1] != strconv.Itoa(i) {
			continue // a fault of another integration, which is active in spite of it
		}
		var inside []string
		if !whole {
			inside = steps[2:]
		}
		detail, hint, _ := strings.Cut(f.Text, "; ")
		code := f.Code
		if code == "" {
			code = configs.CodeInvalid
		}
		list = append(list, api.FieldError{Pointer: pointer(inside), Code: code, Detail: detail, Hint: hint})
	}
	return list
}

// pointer returns a JSON pointer as a URI fragment (RFC 6901 §6).
func pointer(steps []string) string {
	p := "#"
	for _, s := range steps {
		p += "/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(s))
	}
	return p
}

// invalid returns the error for a list of faults; nil if the list is empty. The status is 422, or 409 if the only fault
// is a name that another integration has.
func invalid(list []api.FieldError) error {
	if len(list) == 0 {
		return nil
	}
	status := http.StatusUnprocessableEntity
	other := func(f api.FieldError) bool { return f.Code != configs.CodeTaken }
	if !slices.ContainsFunc(list, other) {
		status = http.StatusConflict
	}
	e := api.NewError(status, "1 field needs correcting", "")
	if len(list) > 1 {
		e.Detail = fmt.Sprintf("%d fields need correcting", len(list))
	}
	e.Errors = list
	if status == http.StatusConflict {
		e.Type, e.Title = api.ErrorPrefix+configs.CodeTaken, "The name or the id is taken"
	}
	return e
}
