package objects

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// Kind is one of the four kinds of a Value.
type Kind uint8

// The kinds. They are stored: never renumber them.
const (
	KindNumber Kind = 1 // a finite number in the object's unit
	KindText   Kind = 2 // the name of a state, or an identity string
	KindBits   Kind = 3 // the names of the bits that are set, lowest bit first
	KindBool   Kind = 4 // true or false: a bit without names
)

// Value is one decoded value of an object. The zero Value is no value and is never sent.
type Value struct {
	kind  Kind
	num   float64 // of a bool 1 or 0
	text  string
	names []string
}

// Number returns a number value. f must be finite: decoding has turned NaN and infinity into ErrNoSample before.
func Number(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		panic("objects: a number value must be finite")
	}
	return Value{kind: KindNumber, num: f}
}

// Text returns a state name or an identity string.
func Text(s string) Value { return Value{kind: KindText, text: s} }

// Bits returns a value with the names of the set bits. No name means that all bits are clear; this is a value too.
func Bits(names []string) Value { return Value{kind: KindBits, names: names} }

// Bool returns the value of a bit without names.
func Bool(b bool) Value {
	if b {
		return Value{kind: KindBool, num: 1}
	}
	return Value{kind: KindBool}
}

// Kind returns the value's kind; 0 for the zero Value.
func (v Value) Kind() Kind { return v.kind }

// Float returns the number, 1 for true; 0 for the other kinds.
func (v Value) Float() float64 { return v.num }

// String returns the value for people: the number, the state, or the names joined by commas.
func (v Value) String() string {
	switch v.kind {
	case KindNumber:
		var text numberText
		return string(appendNumber(text[:0], v.num))
	case KindText:
		return v.text
	case KindBool:
		return strconv.FormatBool(v.num != 0)
	default:
		return strings.Join(v.names, ", ")
	}
}

// Names returns the set bits' names, nil for the other kinds. The caller must not change it.
func (v Value) Names() []string { return v.names }

// Equal reports whether both values are of the same kind and are printed in the same way.
func (v Value) Equal(w Value) bool {
	var a, b numberText
	return v.kind == w.kind && string(v.AppendJSON(a[:0])) == string(w.AppendJSON(b[:0]))
}

// AppendJSON appends the value as in a message (docs/messages.md): a number with at most six decimals and without
// exponent, a state as a string, bits as an array of names, a bit without names as true or false.
func (v Value) AppendJSON(dst []byte) []byte {
	switch v.kind {
	case KindNumber:
		return appendNumber(dst, v.num)
	case KindText:
		return AppendJSONString(dst, v.text)
	case KindBits:
		dst = append(dst, '[')
		for i, n := range v.names {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendJSONString(dst, n)
		}
		return append(dst, ']')
	case KindBool:
		return strconv.AppendBool(dst, v.num != 0)
	default:
		return append(dst, "null"...)
	}
}

// MarshalJSON is AppendJSON for encoding/json.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

// numberText has room for most numbers: it saves an allocation.
type numberText [32]byte

// appendNumber prints %.6f without trailing zeros, without a bare point and never "-0".
func appendNumber(dst []byte, f float64) []byte {
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', 6, 64)
	end := len(dst)
	for dst[end-1] == '0' {
		end--
	}
	if dst[end-1] == '.' {
		end--
	}
	dst = dst[:end]
	if string(dst[start:]) == "-0" {
		return append(dst[:start], '0')
	}
	return dst
}

// AppendJSONString appends s as a JSON string without HTML escapes. Bytes that are not UTF-8 become U+FFFD, as in
// encoding/json.
func AppendJSONString(dst []byte, s string) []byte {
	if plain(s) {
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"')
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // encoding a string into memory does not fail
	return append(dst, strings.TrimSuffix(b.String(), "\n")...)
}

// plain reports whether s needs no escape. This is so for nearly every name.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7F || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
