package cli

import (
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Widths of a terminal that is none, or that does not say how wide it is, and the least that is laid out for.
const (
	usualWidth = 80
	leastWidth = 40
)

// isTerminal reports whether w is one.
func isTerminal(w io.Writer) bool {
	f, ok := behind(w).(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// width is how many columns the terminal of stdout has.
func (p *Program) width() int { return widthOf(p.Stdout) }

// widthOf is how many columns the terminal has that w is.
func widthOf(w io.Writer) int {
	f, ok := behind(w).(*os.File)
	if !ok {
		return usualWidth
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return usualWidth
	}
	return max(int(size.Col), leastWidth)
}

// runes is how many columns a text takes. Nothing here prints characters that take two.
func runes(text string) int { return utf8.RuneCountInString(text) }

// product is stdout. It keeps the first error of a write, so that a full disk is a failure of the command.
type product struct {
	io.Writer
	err error
}

// Write implements io.Writer.
func (o *product) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("write to stdout: %w", err)
	}
	return n, err
}

func behind(w io.Writer) io.Writer {
	if o, ok := w.(*product); ok {
		return o.Writer
	}
	return w
}
