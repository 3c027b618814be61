package objects

import (
	"strconv"
	"time"
)

// Period writes a duration as people write it, in the largest unit that divides it: "500 ms", "90 s", "10 min",
// "24 h", "30 d". All texts for people use it. The duration is rounded to a millisecond. Files and answers for programs
// have the form of Go instead: "10m".
func Period(d time.Duration) string {
	const day = 24 * time.Hour
	d = d.Round(time.Millisecond)
	for _, unit := range []struct {
		name        string
		least, each time.Duration
	}{{" d", 2 * day, day}, {" h", time.Hour, time.Hour}, {" min", time.Minute, time.Minute}} {
		if d >= unit.least && d%unit.each == 0 {
			return strconv.FormatInt(int64(d/unit.each), 10) + unit.name
		}
	}
	if d > 0 && d < time.Second {
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	}
	return strconv.FormatFloat(float64(d.Milliseconds())/1000, 'f', -1, 64) + " s"
}
