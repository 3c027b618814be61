package cli

import (
	"bytes"
	"fmt"
	"io"
	"time"
)

// lineCounter writes an export, and shows its progress. It shows the progress only if stderr is a terminal and the
// export goes elsewhere.
type lineCounter struct {
	io.Writer
	screen io.Writer // nil: nothing is shown
	now    func() time.Time
	begun  time.Time
	shown  time.Time
	lines  int
}

// showEvery is the time between two updates of the progress.
const showEvery = 200 * time.Millisecond

func (p *Program) newLineCounter() *lineCounter {
	c := &lineCounter{Writer: p.Stdout, now: p.Now, begun: p.Now(), shown: p.Now()}
	if isTerminal(p.Stderr) && !isTerminal(p.Stdout) {
		c.screen = p.Stderr
	}
	return c
}

// Write implements io.Writer.
func (c *lineCounter) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.lines += bytes.Count(b[:n], []byte("\n"))
	if now := c.now(); c.screen != nil && now.Sub(c.shown) >= showEvery {
		c.shown = now
		seconds := now.Sub(c.begun).Seconds()
		fmt.Fprintf(c.screen, "\rexporting: %d lines, %.0f a second\x1b[K", c.lines, float64(c.lines)/seconds)
	}
	return n, err
}

// clear removes the progress from the terminal.
func (c *lineCounter) clear() {
	if c.screen != nil {
		fmt.Fprint(c.screen, "\r\x1b[K")
	}
}
