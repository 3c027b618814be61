package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// look tells how a command prints: for a person at a terminal, or for a program behind a pipe.
type look struct {
	terminal bool
	width    int // columns of the terminal
	colour   bool
	header   bool // tables have a header
}

func (p *Program) look(cli *commandLine) look {
	l := look{terminal: isTerminal(p.Stdout), width: p.width(), header: !cli.NoHeader}
	forced := os.Getenv("CLICOLOR_FORCE")
	l.colour = l.terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" || forced != "" && forced != "0"
	return l
}

// column is one column of a table.
type column struct {
	name  string
	right bool // numbers
	least int  // a text may be shortened to this number of characters; 0: it is never shortened
	both  bool // a shortened text keeps its beginning and its end, for example of a topic
	spare bool // left out where the terminal is too narrow; another command shows it
}

// table has rows under a header. On a terminal its columns are aligned, and long texts are shortened to the width of
// the terminal. If that is not enough, spare columns are left out. If even this is not enough, each row is printed as a
// list of all its cells. Without a terminal the cells are separated by tabs, and nothing is shortened.
type table struct {
	columns []column
	rows    [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(w io.Writer, l look) {
	if len(t.rows) == 0 {
		return
	}
	t.dropEmpty(l)
	if !l.terminal {
		t.printTabs(w, l)
		return
	}
	if few, widths := t.fitting(l.width); widths != nil {
		few.printAligned(w, l, widths)
	} else {
		t.printLists(w, l)
	}
}

// fitting returns the table, or the table without some or all of its spare columns, and the widths with which it fits;
// nil if it does not fit even without them.
func (t *table) fitting(most int) (*table, []int) {
	few := &table{t.columns, slices.Clone(t.rows)}
	widths := few.widths(most)
	for i := len(few.columns) - 1; widths == nil && i >= 0; i-- {
		if few.columns[i].spare {
			few.drop(i)
			widths = few.widths(most)
		}
	}
	return few, widths
}

// dropEmpty removes empty columns on a terminal. Without a terminal all columns stay, because programs count them.
func (t *table) dropEmpty(l look) {
	if !l.terminal {
		return
	}
	for i := len(t.columns) - 1; i >= 0; i-- {
		empty := true
		for _, row := range t.rows {
			empty = empty && (row[i] == "" || row[i] == none)
		}
		if empty {
			t.drop(i)
		}
	}
}

// drop removes a column.
func (t *table) drop(i int) {
	t.columns = append(append([]column{}, t.columns[:i]...), t.columns[i+1:]...)
	for j, row := range t.rows {
		t.rows[j] = append(append([]string{}, row[:i]...), row[i+1:]...)
	}
}

// between separates two columns.
const between = "  "

// widths returns the width of each column, so that all fit into `most` columns of the terminal; nil if they cannot.
func (t *table) widths(most int) []int {
	widths, sum := make([]int, len(t.columns)), len(between)*(len(t.columns)-1)
	for i, c := range t.columns {
		widths[i] = runes(c.name)
		for _, row := range t.rows {
			widths[i] = max(widths[i], runes(row[i]))
		}
		sum += widths[i]
	}
	for ; sum > most; sum-- {
		widest := -1
		for i, c := range t.columns {
			if c.least > 0 && widths[i] > max(c.least, runes(c.name)) && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return nil
		}
		widths[widest]--
	}
	return widths
}

func (t *table) printTabs(w io.Writer, l look) {
	if l.header {
		names := make([]string, len(t.columns))
		for i, c := range t.columns {
			names[i] = c.name
		}
		fmt.Fprintln(w, strings.Join(names, "\t"))
	}
	for _, row := range t.rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
}

func (t *table) printAligned(w io.Writer, l look, widths []int) {
	print := func(cells []string, colour bool) {
		var b strings.Builder
		for i, c := range t.columns {
			text := shortened(cells[i], widths[i], c.both)
			gap := strings.Repeat(" ", widths[i]-runes(text))
			if colour {
				text = coloured(text)
			}
			if c.right {
				text, gap = gap+text, ""
			}
			b.WriteString(text)
			if i < len(t.columns)-1 {
				b.WriteString(gap + between)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
	if l.header {
		names := make([]string, len(t.columns))
		for i, c := range t.columns {
			names[i] = c.name
		}
		print(names, false)
	}
	for _, row := range t.rows {
		print(row, l.colour)
	}
}

// rows is a table of three columns without a header. The last column has texts, which are wrapped on a terminal.
// Without a terminal the cells are separated by tabs.
type rows [][3]string

func (r *rows) add(what, of, text string) { *r = append(*r, [3]string{what, of, text}) }

func (r rows) print(w io.Writer, l look) {
	var first, second int
	for _, row := range r {
		first, second = max(first, runes(row[0])), max(second, runes(row[1]))
	}
	indent := first + second + 2*len(between)
	for _, row := range r {
		if !l.terminal {
			fmt.Fprintln(w, strings.Join(row[:], "\t"))
			continue
		}
		text := wrapped(row[2], max(l.width-indent, 20))
		fmt.Fprintf(w, "%-*s%s%-*s%s%s\n", first, row[0], between, second, row[1], between,
			strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", indent)))
	}
}

// printLists prints each row as a list of its cells, for a terminal that is too narrow for columns.
func (t *table) printLists(w io.Writer, l look) {
	indent := 0
	for _, c := range t.columns {
		indent = max(indent, runes(c.name)+len(between))
	}
	for i, row := range t.rows {
		if i > 0 {
			fmt.Fprintln(w)
		}
		for j, c := range t.columns {
			text := row[j]
			if c.least > 0 {
				text = shortened(text, max(l.width-indent, c.least), c.both)
			}
			if l.colour {
				text = coloured(text)
			}
			fmt.Fprintf(w, "%s%s%s\n", c.name, strings.Repeat(" ", indent-runes(c.name)), text)
		}
	}
}

// shortened cuts a text to width characters. With both it keeps the beginning and the end.
func shortened(text string, width int, both bool) string {
	letters := []rune(text)
	if len(letters) <= width {
		return text
	}
	if both && width > 4 {
		tail := (width - 1) / 2
		return string(letters[:width-1-tail]) + "…" + string(letters[len(letters)-tail:])
	}
	return string(letters[:max(width-1, 0)]) + "…"
}

// The marks. Each is printed before a word.
const (
	markGood    = "✓ "
	markWarning = "! "
	markFault   = "✗ "
	markCalm    = "– "

	none = "–" // a cell without a value
)

// coloured gives a text that begins with a mark the mark's colour.
func coloured(text string) string {
	for mark, code := range map[string]string{markGood: "32", markWarning: "33", markFault: "31"} {
		if strings.HasPrefix(text, mark) {
			return "\x1b[" + code + "m" + text + "\x1b[0m"
		}
	}
	return text
}
