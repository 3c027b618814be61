package web

import (
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"path"
	"reflect"
	"strconv"
	"strings"
	"time"

	"noi-agent/status/wording"
)

// funcs are the functions for the templates.
func (s *Site) funcs() template.FuncMap {
	z := zone{s.o.Zone}
	return template.FuncMap{
		"when": z.when, "clock": z.clock, "stretch": z.stretch, "parsed": z.parsed, "plain": z.plain,
		"age": age, "ago": ago, "seconds": secondsOf,
		"mark": mark, "lineState": lineState, "slaveState": slaveState, "integrationState": integrationState,
		"clockState": clockState, "storeState": storeState, "severityTone": severityTone, "levelTone": levelTone,
		"costsData": costsData,
		"count":     count, "bytes": size, "decimal": func(n any) string { return wording.Decimal(number(n)) },
		"percent": percent, "real": func(f *float64) float64 { return *f },
		"share": share, "text": text, "duration": wording.Duration, "start": wording.Start,
		"gap": wording.Gap, "fault": wording.LineFault, "plural": plural, "prose": prose, "cmd": command, "lean": lean, "short": short,
		"cloud": cloud, "ended": ended, "logTone": logTone, "base": path.Base,
		"keeps": keeps, "every": every, "capital": capital, "spaced": spaced,
		"add": func(a, b uint64) uint64 { return a + b },
	}
}

// zone prints times where no script puts them into the reader's zone and manner.
type zone struct{ location *time.Location }

// layout of times without a script: the gateway's zone, with its offset.
const timeLayout = "2006-01-02 15:04:05 -07:00"

// plain prints a time; nothing for the zero time.
func (z zone) plain(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(z.location).Format(timeLayout)
}

// when prints a time as an element that the script can read. It takes a time, or nil for none.
func (z zone) when(at any) template.HTML {
	var t time.Time
	switch at := at.(type) {
	case time.Time:
		t = at
	case *time.Time:
		if at != nil {
			t = *at
		}
	}
	if t.IsZero() {
		return "not known"
	}
	utc := t.UTC().Format("2006-01-02T15:04:05Z")
	return template.HTML(`<time datetime="` + utc + `">` + z.plain(t) + `</time>`) //nolint:gosec // digits only
}

// clock prints the time of day, as an element that the script can read.
func (z zone) clock(t time.Time) template.HTML {
	utc := t.UTC().Format("2006-01-02T15:04:05Z")
	return template.HTML(`<time data-clock datetime="` + utc + `">` + t.In(z.location).Format("15:04") + `</time>`)
}

// parsed prints an RFC 3339 time as when does. What is no time comes back as text.
func (z zone) parsed(rfc3339 string) any {
	t, err := time.Parse(time.RFC3339, rfc3339)
	if err != nil {
		return rfc3339
	}
	return z.when(t)
}

// stretch prints the time from one moment to another. nil: not known.
func (z zone) stretch(from, to *time.Time) template.HTML {
	switch {
	case from == nil && to == nil:
		return "not known"
	case from == nil:
		return "until " + z.when(to)
	case to == nil:
		return "from " + z.when(from)
	}
	return z.when(from) + " – " + z.when(to)
}

// secondsOf is a number of seconds, of a number or a pointer to one; -1 for nil.
func secondsOf(n any) int64 {
	v := reflect.ValueOf(n)
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return -1
		}
		v = v.Elem()
	}
	if v.CanUint() {
		return int64(min(v.Uint(), math.MaxInt64))
	}
	return v.Int()
}

// command is a command to type, each word an element of its own: a browser breaks "noi-agent" and "--now" at a hyphen,
// and nobody can see then what to type. A tap selects the whole.
func command(text string) template.HTML {
	var b strings.Builder
	b.WriteString(`<code class="cmd">`)
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		for j, word := range strings.Split(line, " ") {
			if j > 0 {
				b.WriteByte(' ')
			}
			if word != "" {
				b.WriteString("<span>" + template.HTMLEscapeString(word) + "</span>")
			}
		}
	}
	return template.HTML(b.String() + "</code>") //nolint:gosec // each word is escaped
}

// ago prints seconds as an element that the script lets grow: "4 min".
func ago(seconds any) template.HTML {
	n := secondsOf(seconds)
	return template.HTML(fmt.Sprintf(`<span data-age="%d">%s</span>`, n, age(n))) //nolint:gosec // digits
}

// age prints a number of seconds in its largest unit, as "45 s", "3 min", "7 h" or "12 d". live.js does the same.
func age(seconds any) string {
	switch n := max(secondsOf(seconds), 0); {
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

// keeps prints a duration of the configuration in its largest unit: "30 d".
func keeps(duration string) string {
	d, err := time.ParseDuration(duration)
	if err != nil {
		return duration
	}
	return age(int64(d.Seconds()))
}

// every prints a duration of the configuration for people: "30 s", "1 min", "90 s", "1 h".
func every(duration string) string {
	d, err := time.ParseDuration(duration)
	switch {
	case err != nil:
		return duration
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	default:
		return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " s"
	}
}

// spaced parts a number from its unit: "24 h" for "24h".
func spaced(span string) string {
	digits := strings.TrimRight(span, "abcdefghijklmnopqrstuvwxyz")
	return digits + " " + span[len(digits):]
}

// capital begins a meaning with a capital, but for a unit such as kWh and a name such as adc_vb.
func capital(text string) string {
	first, _, _ := strings.Cut(text, " ")
	if text == "" || strings.ContainsAny(first, "_0123456789") || strings.ToLower(first) != first {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// text prints a value's JSON for people: a string bare, a list of strings joined, none as "none", the rest as it is.
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

// rounded prints a value's JSON as a page shows it: a number with the digits that its unit deserves.
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

// digits prints a number with the digits that its unit deserves.
func digits(f float64, unit string) string {
	if n, ok := placesOf(unit); ok {
		return strconv.FormatFloat(f, 'f', n, 64)
	}
	return strconv.FormatFloat(f, 'g', 6, 64)
}

// placesOf is how many digits behind the point a unit deserves. live.js has the same.
func placesOf(unit string) (places int, known bool) {
	places, known = map[string]int{
		"V": 2, "A": 2, "°C": 1, "Ah": 1, "kWh": 1, "W": 1, "%": 1, "Hz": 2, "s": 0, "h": 0,
	}[unit]
	return places, known
}

// count prints a whole number with its thousands apart.
func count(n any) string {
	digits := strconv.FormatFloat(number(n), 'f', 0, 64)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:] // a narrow space that does not break
	}
	return digits
}

// plural prints a number with its noun: "1 message", "3 messages", "3 tries".
func plural(n any, noun string) string {
	if number(n) == 1 {
		return "1 " + noun
	}
	if stem, y := strings.CutSuffix(noun, "ry"); y {
		return count(n) + " " + stem + "ries"
	}
	return count(n) + " " + noun + "s"
}

// number is a number of any type.
func number(n any) float64 {
	switch v := reflect.Indirect(reflect.ValueOf(n)); {
	case v.CanInt():
		return float64(v.Int())
	case v.CanUint():
		return float64(v.Uint())
	default:
		return v.Float()
	}
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

// share prints a part of one as percent.
func share(part float64) string { return fmt.Sprintf("%.1f %%", part*100) }

// percent prints how much of a whole a part is: "4 %".
func percent(part, whole any) string {
	w := number(whole)
	if w == 0 {
		return "0 %"
	}
	p := number(part) / w * 100
	if p > 0 && p < 1 {
		return "under 1 %"
	}
	return fmt.Sprintf("%.0f %%", p)
}

// cloud is what people call the type of an integration.
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

// lean escapes a text for the inside of an element, where quotes may stay: JSON is mostly quotes.
func lean(text string) template.HTML {
	return template.HTML(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text))
}

// shortText is about what two lines of a table's cell hold, in characters.
const shortText = 110

// short cuts a text for a table; the page of its own has all of it.
func short(text string) string {
	if r := []rune(text); len(r) > shortText {
		return string(r[:shortText]) + "…"
	}
	return text
}
