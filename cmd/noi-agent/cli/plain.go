package cli

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// plainJSON decodes the daemon's JSON for a terminal. In all texts it escapes characters that could move the cursor or
// change the order of letters, because some texts come from controllers and clouds.
func plainJSON(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	escapeTexts(reflect.ValueOf(into))
	return nil
}

// escapeTexts escapes all texts in v that can be changed.
func escapeTexts(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			escapeTexts(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			// Learnt is our own YAML, and its line ends must stay.
			if v.Type().Field(i).IsExported() && v.Type().Field(i).Name != "Learnt" {
				escapeTexts(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() && v.CanSet() {
			v.SetBytes([]byte(escaped(string(v.Bytes()))))
			return
		}
		for i := range v.Len() {
			escapeTexts(v.Index(i))
		}
	case reflect.Map:
		escapeMap(v)
	case reflect.String:
		if v.CanSet() {
			v.SetString(escaped(v.String()))
		}
	}
}

// escapeMap replaces each entry of a map, because keys and values of a map cannot be changed in place.
func escapeMap(v reflect.Value) {
	for _, key := range v.MapKeys() {
		k, value := reflect.New(key.Type()).Elem(), reflect.New(v.Type().Elem()).Elem()
		k.Set(key)
		value.Set(v.MapIndex(key))
		escapeTexts(k)
		escapeTexts(value)
		v.SetMapIndex(key, reflect.Value{})
		v.SetMapIndex(k, value)
	}
}

// escaped writes control characters, format characters (which can change the direction of a text) and invalid UTF-8 in
// the form \u001b.
func escaped(text string) string {
	odd := func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar
	}
	if !strings.ContainsFunc(text, odd) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if odd(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
