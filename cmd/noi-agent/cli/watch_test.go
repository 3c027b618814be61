package cli

import (
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/creack/pty"
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

// TestAPageThatIsTooLongShowsItsTop: the terminal does not scroll, so the problems stay on the screen. The last row is
// for the cursor.
func TestAPageThatIsTooLongShowsItsTop(t *testing.T) {
	page := strings.Repeat("line\n", 10)
	for rows, want := range map[int]string{
		0: page, 11: page, 12: page,
		10: strings.Repeat("line\n", 8) + "2 more lines; without --watch you see all\n",
		3:  "line\n9 more lines; without --watch you see all\n",
	} {
		if got := top(page, rows); got != want {
			t.Errorf("%d rows: %q", rows, got)
		}
	}
}

// TestCtrlCEndsTheRowOfTheWatch: the prompt of the shell begins on a row of its own.
func TestCtrlCEndsTheRowOfTheWatch(t *testing.T) {
	screen, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	p := testProgram(t)
	pressed := make(chan os.Signal, 1)
	p.Now, p.Stdout = time.Now, tty
	p.Signals = func() (<-chan os.Signal, func()) { return pressed, func() {} }
	pressed <- os.Interrupt
	if code := p.Run([]string{"status", "--watch", "--socket", servedSite(t)}); code != ExitInterrupted {
		t.Errorf("exit %d", code)
	}
	_ = tty.Close()
	if text, _ := io.ReadAll(screen); !strings.HasSuffix(string(text), "\n") {
		t.Errorf("the screen ends with %q", text)
	}
}
