package agent

import (
	"context"
	"time"
)

// clock is the two times the agent knows. Wall time stamps samples and messages and may step; elapsed is
// monotonic since the start and runs every schedule, wait and age.
type clock struct {
	now     func() time.Time
	elapsed func() time.Duration
}

// sinceStart counts monotonic time from this call, on a source that a frozen wall clock does not touch.
func sinceStart(now func() time.Time) func() time.Duration {
	start := now()
	return func() time.Duration { return now().Sub(start) }
}

// waitUntil waits until the monotonic time at, or returns ctx's error.
func (c clock) waitUntil(ctx context.Context, at time.Duration) error {
	return wait(ctx, at-c.elapsed())
}

// wait waits for d; at once when d is zero or less.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
