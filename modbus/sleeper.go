package modbus

import (
	"context"
	"time"
)

// A line in a hurry sleeps for sleepShare of the wire time of the missing bytes, in percent, less sleepSlack. The
// remaining time is for differences between the clocks of both ends. The slack is how late a port delivers bytes that
// have arrived, and how late a timer of Go's runtime may be if nothing else runs.
const (
	sleepShare = 95
	sleepSlack = time.Millisecond
)

// longestSleep is how late the line may notice that its context has ended.
const longestSleep = 500 * time.Millisecond

// sleepingPort is a port with a more exact timer than Go's runtime. While the line is in a hurry, the timer is not
// used.
type sleepingPort interface {
	Sleep(d time.Duration) error
	Hurry(on bool)
}

// A line is in a hurry if it had no pause of pauseLeast for hurryAfter, or none yet.
const (
	pauseLeast = 100 * time.Millisecond
	hurryAfter = 2 * time.Second
)

// sleeper waits without a new timer each time.
type sleeper struct {
	timer  *time.Timer
	paused time.Time // when the line had its last pause
	hurry  bool      // it had none for some time
}

// pace notes that a request is sent at start, after the last byte on the line, and whether the line is in a hurry.
func (s *sleeper) pace(port Port, start, last time.Time) {
	if start.Sub(last) > pauseLeast {
		s.paused = start
	}
	s.hurry = start.Sub(s.paused) > hurryAfter
	if port, ok := port.(sleepingPort); ok {
		port.Hurry(s.hurry)
	}
}

// nap returns how long to sleep for bytes that take so long on the wire. A line with pauses has time: it sleeps until
// all bytes must have come, and so wakes up once.
func (s *sleeper) nap(wire time.Duration) time.Duration {
	if s.hurry {
		return wire*sleepShare/100 - sleepSlack
	}
	return wire + sleepSlack
}

// exact returns the timer of the port; nil: it has none, or the line is in a hurry.
func (s *sleeper) exact(port Port) sleepingPort {
	if s.hurry {
		return nil
	}
	timer, _ := port.(sleepingPort)
	return timer
}

// sleep waits for d, or returns the context's error.
func (s *sleeper) sleep(ctx context.Context, d time.Duration) error {
	if s.timer == nil {
		s.timer = time.NewTimer(d)
	} else {
		s.timer.Reset(d)
	}
	select {
	case <-s.timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
