package strictyaml

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A number is written as in JSON. YAML's octal numbers, underscores and sexagesimal numbers are refused: a reader
// understands another number than the library.
var (
	wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	number      = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
	leadingZero = regexp.MustCompile(`^([-+]?)0+([0-9]+(\.[0-9]+)?)$`)
	otherBase   = regexp.MustCompile(`^[-+]?0[xXoObB]`)
	zeroFirst   = regexp.MustCompile(`^[-+]?0[0-9]`)
	otherUnit   = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) *([A-Za-z]+)$`)
	underscored = regexp.MustCompile(`^[-+]?[0-9][0-9_]*_[0-9_.]*$`)
)

// refuseNumber returns an error if the node's text does not match form. want is the name of the form.
func refuseNumber(n *node, form *regexp.Regexp, want string) error {
	text := n.text
	switch {
	case n.quoted && form.MatchString(text):
		return fmt.Errorf("want %s without quotes: %s", want, clip(text))
	case n.quoted:
		return fmt.Errorf("want %s, not the text %q", want, clip(text))
	case form.MatchString(text):
		return nil
	case leadingZero.MatchString(text):
		m := leadingZero.FindStringSubmatch(text)
		return fmt.Errorf("%s has a leading zero, which YAML may read as octal; write %s", clip(text),
			clip(strings.TrimPrefix(m[1], "+")+m[2]))
	case otherBase.MatchString(text):
		if i, err := strconv.ParseInt(text, 0, 64); err == nil {
			return fmt.Errorf("want %s in decimal, not %s; write %d", want, clip(text), i)
		}
		return fmt.Errorf("want %s in decimal, not %s", want, clip(text))
	case underscored.MatchString(text):
		return fmt.Errorf("want %s without underscores, not %s", want, clip(text))
	}
	return fmt.Errorf("want %s, not %s", want, clip(text))
}

func setWhole(n *node, v reflect.Value) error {
	if err := refuseNumber(n, wholeNumber, "a whole number"); err != nil {
		return err
	}
	bits := v.Type().Bits()
	if v.CanUint() {
		u, err := strconv.ParseUint(n.text, 10, bits)
		if err != nil {
			return fmt.Errorf("want 0 to %d, not %s", uint64(math.MaxUint64)>>(64-bits), clip(n.text))
		}
		v.SetUint(u)
		return nil
	}
	i, err := strconv.ParseInt(n.text, 10, bits)
	if err != nil && bits == 64 {
		return fmt.Errorf("%s is a number beyond all limits", clip(n.text))
	}
	if err != nil {
		most := int64(math.MaxInt64) >> (64 - bits)
		return fmt.Errorf("want %d to %d, not %s", -most-1, most, clip(n.text))
	}
	v.SetInt(i)
	return nil
}

func setFloat(n *node, v reflect.Value) error {
	if err := refuseNumber(n, number, "a number"); err != nil {
		return err
	}
	f, err := strconv.ParseFloat(n.text, v.Type().Bits())
	if err != nil {
		return fmt.Errorf("want a number that fits %d bits, not %s", v.Type().Bits(), clip(n.text))
	}
	v.SetFloat(f)
	return nil
}

// setBool accepts only true and false. YAML 1.1 has more spellings, and libraries do not agree about them.
func setBool(n *node, v reflect.Value) error {
	if n.quoted {
		return fmt.Errorf("want true or false without quotes, not the text %q", clip(n.text))
	}
	switch n.text {
	case "true", "false":
		v.SetBool(n.text == "true")
		return nil
	}
	switch strings.ToLower(n.text) {
	case "true", "yes", "y", "on", "1":
		return fmt.Errorf("want true or false, not %s; write true", n.text)
	case "false", "no", "n", "off", "0":
		return fmt.Errorf("want true or false, not %s; write false", n.text)
	}
	return fmt.Errorf("want true or false, not %s", clip(n.text))
}

// setDuration sets a duration with ParseDuration.
func setDuration(n *node, v reflect.Value) error {
	t, err := ParseDuration(n.text)
	if err != nil {
		return err
	}
	v.SetInt(int64(t))
	return nil
}

// usualUnit returns the unit that a word means, such as s for sec; "" if the word is no unit.
func usualUnit(word string) string {
	switch strings.ToLower(word) {
	case "ms", "msec":
		return "ms"
	case "s", "sec", "secs", "second", "seconds":
		return "s"
	case "m", "min", "mins", "minute", "minutes":
		return "m"
	case "h", "hr", "hrs", "hour", "hours":
		return "h"
	default:
		return ""
	}
}

// ParseDuration returns the duration of a text with Go's units from "ns" to "h", or of a plain 0. The error says how to
// write a duration.
func ParseDuration(text string) (time.Duration, error) {
	t, err := time.ParseDuration(text)
	if err == nil && !zeroFirst.MatchString(text) {
		return t, nil
	}
	if err == nil {
		return 0, fmt.Errorf("%s has a leading zero; write %s", clip(text), t)
	}
	if wholeNumber.MatchString(text) {
		return 0, fmt.Errorf("%s has no unit; write %sms, %ss, %sm or %sh", clip(text), clip(text), clip(text),
			clip(text), clip(text))
	}
	if days, ok := strings.CutSuffix(text, "d"); ok && wholeNumber.MatchString(days) {
		return 0, fmt.Errorf("want a duration in hours, not in days (%s); write hours, as in 720h", clip(text))
	}
	if m := otherUnit.FindStringSubmatch(text); m != nil && usualUnit(m[2]) != "" {
		return 0, fmt.Errorf("want a duration like 500ms, 10s, 5m or 1h, not %s; write %s%s", clip(text), clip(m[1]),
			usualUnit(m[2]))
	}
	return 0, errors.New("want a duration like 500ms, 10s, 5m or 1h, not " + clip(text))
}

// clip shortens a text from the file for a fault, to one line of at most 60 bytes and "…".
func clip(text string) string {
	const most = 60
	if len(text) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return ' '
		}
		return r
	}, text)
}
