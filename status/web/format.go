package web

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"noi-agent/objects"
)

// zone prints times in the gateway's zone. In a browser with scripts, the script shows them in the reader's zone
// instead.
type zone struct{ location *time.Location }

// timeLayout is the format of times, with the offset of the zone.
const timeLayout = "2006-01-02 15:04:05 -07:00"

// plain prints a time; "" for the zero time.
func (z zone) plain(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(z.location).Format(timeLayout)
}

// age prints a number of seconds in one unit: "45 s", "3 min", "7 h" or "12 d". A negative number is "0 s". The script
// live.js does the same.
func age(seconds int64) string {
	switch n := max(seconds, 0); {
	case n < 90:
		return fmt.Sprintf("%d s", n)
	case n < 90*60:
		return fmt.Sprintf("%d min", (n+30)/60)
	case n < 48*3600:
		return fmt.Sprintf("%d h", (n+1800)/3600)
	default:
		return fmt.Sprintf("%d d", n/86400)
	}
}

// keeps prints a duration such as "720h0m0s" in one unit: "30 d". A text that is no duration is returned unchanged.
func keeps(duration string) string {
	d, err := time.ParseDuration(duration)
	if err != nil {
		return duration
	}
	return age(int64(d.Seconds()))
}

// every prints a duration such as "1m0s" for people: "1 min". A text that is no duration is returned unchanged.
func every(duration string) string {
	d, err := time.ParseDuration(duration)
	if err != nil {
		return duration
	}
	return objects.Period(d)
}

// spaced puts a space between a number and its unit: "24 h" for "24h".
func spaced(span string) string {
	digits := strings.TrimRight(span, "abcdefghijklmnopqrstuvwxyz")
	return digits + " " + span[len(digits):]
}

// capital makes the first letter of a text a capital, except if the first word looks like a name or a unit, such as
// adc_vb or kWh.
func capital(text string) string {
	first, _, _ := strings.Cut(text, " ")
	if text == "" || strings.ContainsAny(first, "_0123456789") || strings.ToLower(first) != first {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// text prints a value for people. A string has no quotes, a list of strings has commas, and an empty list is "none".
// Everything else is printed as JSON.
func text(value any) (string, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, nil
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil || string(raw) == "null" {
		return strings.TrimSpace(string(raw)), nil
	}
	if len(list) == 0 {
		return "none", nil
	}
	return strings.Join(list, ", "), nil
}

// rounded prints a value, given as JSON, as text does, but a number with the decimals of its unit.
func rounded(raw json.RawMessage, unit string) string {
	var f float64
	if json.Unmarshal(raw, &f) != nil || string(raw) == "null" {
		s, err := text(raw)
		if err != nil {
			return string(raw)
		}
		return s
	}
	return digits(f, unit)
}

// digits prints a number with the decimals of its unit, or with six digits if the unit is not known.
func digits(f float64, unit string) string {
	if n, ok := placesOf(unit); ok {
		return strconv.FormatFloat(f, 'f', n, 64)
	}
	return strconv.FormatFloat(f, 'g', 6, 64)
}

// placesOf returns how many decimals are shown for a unit. The script live.js has the same table.
func placesOf(unit string) (places int, known bool) {
	places, known = map[string]int{
		"V": 2, "A": 2, "°C": 1, "Ah": 1, "kWh": 1, "W": 1, "%": 1, "Hz": 2, "s": 0, "h": 0,
	}[unit]
	return places, known
}

// whole is a type for a number of things.
type whole interface {
	~int | ~int64 | ~uint64 | ~float64
}

// count prints a whole number with narrow spaces between the thousands.
func count[N whole](n N) string {
	digits := strconv.FormatFloat(float64(n), 'f', 0, 64)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:] // a narrow space that does not break
	}
	return digits
}

// plural prints a number with its noun: "1 message", "3 messages", "3 tries".
func plural[N whole](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, y := strings.CutSuffix(noun, "ry"); y {
		return count(n) + " " + stem + "ries"
	}
	return count(n) + " " + noun + "s"
}

// size prints a number of bytes as "812 B", "64.0 KiB" or "3.5 MiB".
func size(bytes int64) string {
	switch n := float64(bytes); {
	case n < 1<<10:
		return fmt.Sprintf("%.0f B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", n/(1<<10))
	default:
		return fmt.Sprintf("%.1f MiB", n/(1<<20))
	}
}

// share prints a part from 0 to 1 as percent, with one decimal: "4.2 %".
func share(part float64) string { return fmt.Sprintf("%.1f %%", part*100) }

// percent prints part divided by whole as percent: "4 %". A whole of 0 gives "0 %".
func percent(part, whole float64) string {
	if whole == 0 {
		return "0 %"
	}
	p := part / whole * 100
	if p > 0 && p < 1 {
		return "under 1 %"
	}
	return fmt.Sprintf("%.0f %%", p)
}

// cloud returns the name of a type of integration for people.
func cloud(kind string) string {
	switch kind {
	case "aws":
		return "AWS"
	case "gcp":
		return "GCP"
	default:
		return kind
	}
}

// shortText is about the number of characters in two lines of a table's cell.
const shortText = 110

// short cuts a text after shortText characters. The page of the trigger shows the whole text.
func short(text string) string {
	if r := []rune(text); len(r) > shortText {
		return string(r[:shortText]) + "…"
	}
	return text
}
