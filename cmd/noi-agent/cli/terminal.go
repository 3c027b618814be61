package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

const (
	usualWidth = 80 // columns, if the width of the terminal is not known
	leastWidth = 40 // a narrower terminal is treated as if it had this width
)

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := behind(w).(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// width returns the number of columns of the terminal on stdout.
func (p *Program) width() int { return widthOf(p.Stdout) }

// widthOf returns the number of columns of the terminal w.
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

// rowsOf returns the number of rows of the terminal w; 0 if it is not known.
func rowsOf(w io.Writer) int {
	f, ok := behind(w).(*os.File)
	if !ok {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Row)
}

// fitted breaks a text between words if w is a terminal, so that no word is cut at the right edge. Behind a pipe the
// text stays as it is.
func fitted(w io.Writer, text string) string {
	if !isTerminal(w) {
		return text
	}
	return wrapped(text, widthOf(w))
}

// sentence prints a text as lines that fit w.
func sentence(w io.Writer, format string, args ...any) {
	fmt.Fprintln(w, fitted(w, fmt.Sprintf(format, args...)))
}

// hanging prints a text after its head, as lines that fit w. Each further line begins below the first letter of the
// text.
func hanging(w io.Writer, head, text string) {
	if isTerminal(w) {
		text = wrapped(text, widthOf(w)-runes(head))
	}
	fmt.Fprintln(w, head+strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", runes(head))))
}

// runes returns the number of columns of a text. The program prints no characters that are two columns wide.
func runes(text string) int { return utf8.RuneCountInString(text) }

// product is stdout. It keeps the first error of a write, so that a command fails if the disk is full.
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
