package web

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"noi-agent/status/api"
)

// The pages are built of nodes. The library escapes texts and the values of attributes. It does not escape the text of
// g.Raw, so g.Raw gets only constants and texts that are already escaped. The addresses of links go through link. The
// addresses of forms are constants, or made by at.

// link returns the attribute with the address of a link. An address that is not on this site becomes "#", so that a
// text of a cloud or a controller cannot become a link to another site or to a script.
func link(address string) g.Node {
	switch {
	case strings.HasPrefix(address, "#"), strings.HasPrefix(address, "?"):
	case !strings.HasPrefix(address, "/"), strings.HasPrefix(address, "//"), strings.Contains(address, `\`):
		address = "#"
	}
	return h.Href(address)
}

// at returns a path of this site. Each part is one step of the path; a slash in a part is escaped.
func at(parts ...string) string {
	var path strings.Builder
	for _, p := range parts {
		path.WriteString("/" + url.PathEscape(p))
	}
	return path.String()
}

// button returns a link that looks like a button.
func button(address string, content ...g.Node) g.Node {
	return h.A(h.Class("button"), link(address), g.Group(content))
}

// muted returns a text in the colour of less important texts.
func muted(text string) g.Node { return h.Span(h.Class("muted"), g.Text(text)) }

// marked returns a content with the mark of its tone in front.
func marked(tone string, content ...g.Node) g.Node {
	return h.Span(h.Class("state "+tone), markOf(tone), g.Text(" "), g.Group(content))
}

// state returns a state in words, with its mark in front.
func state(s saying) g.Node { return marked(s.Tone, g.Text(s.Words)) }

// markOf returns the mark of a tone.
func markOf(tone string) g.Node { return h.Span(h.Class("mark"), g.Text(mark(tone))) }

// pair returns a row of a list of facts: a name and its value.
func pair(name string, value ...g.Node) g.Node {
	return h.Div(h.Dt(g.Text(name)), h.Dd(value...))
}

// crumbs returns the link back to the page above, and after it the name of this page.
func crumbs(address, name string, here ...g.Node) g.Node {
	return h.P(h.Class("crumbs"), h.A(link(address), g.Text(name)), g.Group(here))
}

// done returns a box that reports a finished action; nothing for "".
func done(words string, more ...g.Node) g.Node {
	if words == "" {
		return nil
	}
	return h.Div(h.Class("note-box good"), h.Role("status"), h.P(marked(good, g.Text(words))), g.Group(more))
}

// table returns a table. On a phone, the rows of a table with the class "stack" become blocks.
func table(class, caption string, head []g.Node, rows ...g.Node) g.Node {
	return h.Table(h.Class(class), h.Role("table"),
		h.Caption(h.Class("sr"), g.Text(caption)),
		h.THead(h.Role("rowgroup"), h.Tr(h.Role("row"), g.Group(head))),
		h.TBody(h.Role("rowgroup"), g.Group(rows)))
}

// columns returns the heads of the columns. A # at the beginning of a name marks a column of numbers, and is not shown.
func columns(names ...string) []g.Node {
	return g.Map(names, func(name string) g.Node {
		name, number := strings.CutPrefix(name, "#")
		return h.Th(h.Role("columnheader"), h.Scope("col"), g.If(number, h.Class("n")), g.Text(name))
	})
}

// tableRow returns a row with its head and its cells.
func tableRow(head g.Node, cells ...g.Node) g.Node { return h.Tr(h.Role("row"), head, g.Group(cells)) }

// rowHead returns the cell that names a row.
func rowHead(content ...g.Node) g.Node {
	return h.Th(h.Role("rowheader"), h.Scope("row"), g.Group(content))
}

// cell returns a cell with the name of its column, which a phone shows beside the content.
func cell(column string, content ...g.Node) g.Node {
	return h.Td(h.Role("cell"), h.Data("label", column), g.Group(content))
}

// numbers returns a cell of a column of numbers.
func numbers(column string, content ...g.Node) g.Node {
	return h.Td(h.Role("cell"), h.Data("label", column), h.Class("n"), g.Group(content))
}

// posts returns a form that has only a button.
func posts(address, words string) g.Node {
	return h.Form(h.Method("post"), h.Action(address), h.Button(g.Text(words)))
}

// hidden returns a hidden field of a form.
func hidden(name, value string) g.Node {
	return h.Input(h.Type("hidden"), h.Name(name), h.Value(value))
}

// option returns an entry of a list to choose from.
func option(value, words string, chosen bool) g.Node {
	return h.Option(h.Value(value), g.If(chosen, h.Selected()), g.Text(words))
}

// pressed marks the link to the page that is shown now.
func pressed(here bool) g.Node { return g.If(here, h.Aria("current", "page")) }

// command returns a command to type. Each word is an element of its own, so that a browser does not break a line at the
// hyphen in "noi-agent" or "--now". A tap selects the whole command.
func command(text string) g.Node {
	var parts g.Group
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			parts = append(parts, g.Text("\n"))
		}
		for j, word := range strings.Split(line, " ") {
			if j > 0 {
				parts = append(parts, g.Text(" "))
			}
			if word != "" {
				parts = append(parts, h.Span(g.Text(word)))
			}
		}
	}
	return h.Code(h.Class("cmd"), parts)
}

// copied returns a text with a heading and a button that copies the text.
func copied(head g.Node, text g.Node) g.Node {
	return h.Section(h.Class("card copy"),
		h.Header(head, h.Button(g.Attr("data-copy"), g.Attr("hidden"), g.Text("Copy"))),
		h.Pre(text))
}

// prose returns a text in which backquotes mark commands.
func prose(text string) g.Node {
	var all g.Group
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 {
			all = append(all, command(part))
		} else {
			all = append(all, g.Text(part))
		}
	}
	return all
}

// markup is ready HTML or SVG whose texts are escaped. Unlike a node, it can be stored and used again.
type markup string

func (m markup) node() g.Node { return g.Raw(string(m)) }

// lean escapes a text for the inside of an element. It does not escape quotes, because they are harmless there and JSON
// has many of them.
func lean(text string) g.Node {
	return g.Raw(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text))
}

// moment returns an element with a time. The script replaces the words by the time in the reader's zone and format.
func moment(t time.Time, words string, attributes ...g.Node) g.Node {
	return h.Time(g.Group(attributes), h.DateTime(t.UTC().Format("2006-01-02T15:04:05Z")), g.Text(words))
}

// when returns a time as moment does; "not known" for the zero time.
func (z zone) when(t time.Time) g.Node {
	if t.IsZero() {
		return g.Text("not known")
	}
	return moment(t, z.plain(t))
}

// known is when for a time that may be nil.
func (z zone) known(t *time.Time) g.Node {
	if t == nil {
		return g.Text("not known")
	}
	return z.when(*t)
}

// clock returns the time of day in hours and minutes.
func (z zone) clock(t time.Time) g.Node {
	return moment(t, t.In(z.location).Format("15:04"), g.Attr("data-clock"))
}

// parsed is when for an RFC 3339 time. Another text is shown as it is.
func (z zone) parsed(rfc3339 string) g.Node {
	t, err := time.Parse(time.RFC3339, rfc3339)
	if err != nil {
		return g.Text(rfc3339)
	}
	return z.when(t)
}

// stretch returns the time from one moment to another. A moment that is not known is nil.
func (z zone) stretch(from, to *time.Time) g.Node {
	switch {
	case from == nil && to == nil:
		return g.Text("not known")
	case from == nil:
		return g.Group{g.Text("until "), z.known(to)}
	case to == nil:
		return g.Group{g.Text("from "), z.known(from)}
	}
	return g.Group{z.known(from), g.Text(" – "), z.known(to)}
}

// ago returns an age, such as "4 min". The script lets it grow.
func ago(seconds int64) g.Node {
	return h.Span(h.Data("age", strconv.FormatInt(seconds, 10)), g.Text(age(seconds)))
}

// logLines returns lines of the log as a list.
func (z zone) logLines(lines []api.LogLine) g.Node {
	return h.Ol(h.Class("log card"), g.Map(lines, func(l api.LogLine) g.Node {
		return h.Li(h.Class(logTone(l.Level)), h.Span(h.Class("muted"), z.when(l.Time)), g.Text(" "),
			h.Strong(g.Text(l.Level)), g.Text(" "+l.Text))
	}))
}
