package cli

import (
	"fmt"
	"strings"
	"time"

	"noi-agent/status/wording"
)

// counted is a number of things in words: "1 line", "2 lines".
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// age is a time as people say it: "3 s", "18 min", "5 h", "41 d".
func age(d time.Duration) string { return wording.Age(d) }

// ageOf is the age of a count of seconds; – for nil.
func ageOf(seconds *int64) string {
	if seconds == nil {
		return none
	}
	return age(time.Duration(*seconds) * time.Second)
}

// localTime shows a stamp in the time zone of the reader, with its offset.
func localTime(stamp string) string {
	t, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return stamp
	}
	return local(t)
}

// clockTime is localTime, on a terminal without the date: for what was read just now.
func clockTime(stamp string, l look) string {
	t, err := time.Parse(time.RFC3339, stamp)
	if err != nil || !l.terminal {
		return localTime(stamp)
	}
	return t.Local().Format("15:04:05")
}

func local(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 -07:00") }

// shortLocal leaves out the date of today.
func shortLocal(now, t time.Time) string { return wording.ShortTime(t, now.Local()) }

// binarySize is a number of bytes as the configuration writes it: "256 MiB".
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

// daysOf writes a time of the configuration in days, where it is whole days: "30 d" for 720h.
func daysOf(text string) string {
	d, err := time.ParseDuration(text)
	if err != nil || d < 48*time.Hour || d%(24*time.Hour) != 0 {
		return strings.TrimSuffix(strings.TrimSuffix(text, "0s"), "0m")
	}
	return fmt.Sprintf("%d d", d/(24*time.Hour))
}

// paragraph prints a text in lines that fit, each indented.
func paragraph(text, indent string, width int) string {
	lines := strings.Split(wrapped(text, max(width-len(indent), 20)), "\n")
	return indent + strings.Join(lines, "\n"+indent) + "\n"
}
