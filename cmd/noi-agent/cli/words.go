package cli

import (
	"fmt"
	"strings"
	"time"

	"noi-agent/status/wording"
)

// counted prints a number with its noun: "1 line", "2 lines".
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// age prints a duration in one unit: "3 s", "18 min", "5 h" or "41 d".
func age(d time.Duration) string { return wording.Age(d) }

// ageOf prints a number of seconds as age does; "–" for nil.
func ageOf(seconds *int64) string {
	if seconds == nil {
		return none
	}
	return age(time.Duration(*seconds) * time.Second)
}

// localTime prints an RFC 3339 time in the local zone, with its offset. Another text is returned unchanged.
func localTime(stamp string) string {
	t, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return stamp
	}
	return local(t)
}

// clockTime is localTime for a value that was just read. On a terminal it leaves out date and offset.
func clockTime(stamp string, l look) string {
	t, err := time.Parse(time.RFC3339, stamp)
	if err != nil || !l.terminal {
		return localTime(stamp)
	}
	return t.Local().Format("15:04:05")
}

func local(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 -07:00") }

// shortLocal prints a time in the local zone. A time of today has no date.
func shortLocal(now, t time.Time) string { return wording.ShortTime(t, now.Local()) }

// binarySize prints a number of bytes with the units of the configuration: "256 MiB".
func binarySize(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return trimZero(fmt.Sprintf("%.1f", float64(n)/(1<<10))) + " KiB"
	case n < 1<<30:
		return trimZero(fmt.Sprintf("%.1f", float64(n)/(1<<20))) + " MiB"
	default:
		return trimZero(fmt.Sprintf("%.1f", float64(n)/(1<<30))) + " GiB"
	}
}

func trimZero(number string) string { return strings.TrimSuffix(number, ".0") }

// daysOf prints a duration in days if it is a whole number of days from two up: "30 d" for "720h0m0s". Others are
// printed without zero units.
func daysOf(text string) string {
	d, err := time.ParseDuration(text)
	if err != nil || d < 48*time.Hour || d%(24*time.Hour) != 0 {
		return strings.TrimSuffix(strings.TrimSuffix(text, "0s"), "0m")
	}
	return fmt.Sprintf("%d d", d/(24*time.Hour))
}

// paragraph wraps a text into lines of at most width columns, and indents each of them.
func paragraph(text, indent string, width int) string {
	lines := strings.Split(wrapped(text, max(width-len(indent), 20)), "\n")
	return indent + strings.Join(lines, "\n"+indent) + "\n"
}
