package cli

import (
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// TestNewsComesByEventsElseByPolling: an event wakes at once. Without a stream the daemon is asked every two seconds.
func TestNewsComesByEventsElseByPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := news{cli: &commandLine{Socket: "/nowhere/a.sock"}}
		stream, daemon := io.Pipe()
		events := make(chan struct{}, 1)
		go passOn(stream, events)
		n.events = events
		after := func(want time.Duration, what string) {
			t.Helper()
			begun := time.Now()
			n.wait(t.Context())
			if took := time.Since(begun); took != want {
				t.Errorf("%s wakes after %v, want %v", what, took, want)
			}
		}
		say := func(delay time.Duration, text string) {
			go func() { time.Sleep(delay); _, _ = io.WriteString(daemon, text) }()
		}
		say(0, "retry: 3000\nevent: hello\ndata: {}\n\n")
		say(5*time.Second, "id: 1-1\nevent: status\ndata: {}\n\n")
		after(5*time.Second, "an event")
		_ = daemon.Close()
		after(0, "the end of the stream")
		n.connect(t.Context()) // no daemon answers
		after(watchEvery, "polling")
	})
}
