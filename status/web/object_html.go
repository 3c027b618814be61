package web

import (
	"cmp"
	"strconv"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

func (v *objectView) content() g.Node {
	val := &v.Value
	return g.Group{
		crumbs(v.Controller.valuesPath(), "Values › "+v.Controller.Name()),
		h.H1(h.Class("object-title"), g.Text(capital(cmp.Or(val.About, val.Object))+" "),
			h.Span(h.Class("name muted"), g.Text(val.Object))),
		v.hero(),
		g.Iff(v.History != nil, v.chartCard),
	}
}

// hero shows the present value of the object, its age, and how it is read.
func (v *objectView) hero() g.Node {
	val := &v.Value
	facts := marked(warn, g.Text(val.Why))
	if val.Why == "" {
		facts = g.Group{
			h.Span(g.Text("read "), ago(val.Age), g.Text(" ago"),
				g.If(val.Late, g.Group{g.Text(", "), h.Strong(g.Text("late"))})),
			h.Span(h.Class("muted"), v.Zone.when(val.At)),
		}
	}
	var about strings.Builder
	for _, part := range [][2]string{{"every ", val.Interval}, {" · ", v.Register()}, {" · ", v.Encoding()},
		{" · exactly ", val.Exact}} {
		if part[1] != "" {
			about.WriteString(part[0] + part[1])
		}
	}
	return h.Section(h.Class("card hero"),
		h.P(h.Class("big"), h.Span(h.Data("value", val.Key), g.Text(val.Shown)), g.Text(" "),
			h.Span(h.Class("unit"), g.Text(val.Unit))),
		h.P(h.Class("facts"), facts),
		h.P(h.Class("muted"), g.Text(about.String())))
}

// drawn reports whether there is anything in the chart.
func (v *objectView) drawn() bool { return v.Chart.SVG != "" || len(v.Chart.Bands) > 0 }

func (v *objectView) chartCard() g.Node {
	var figure g.Node
	switch {
	case v.drawn():
		figure = v.figure()
	case !v.Building:
		figure = h.P(h.Class("empty"), g.Text("No sample in the last "+v.RangeWords()+"."))
	}
	return h.Section(h.Class("card"), h.Aria("labelledby", "chart"),
		h.Header(h.Class("unit-head"), h.H2(h.ID("chart"), g.Text("Last "+v.RangeWords())),
			h.Nav(h.Class("ranges"), h.Aria("label", "Range"), g.Map(v.Ranges(), func(r string) g.Node {
				return h.A(link("?range="+r), g.If(r == v.Range, h.Aria("current", "true")), g.Text(spaced(r)))
			}))),
		h.P(v.summary()),
		g.If(v.Building, h.P(h.Class("muted"), g.Text("History is building up: it begins at "),
			v.Zone.clock(v.History.KeptSince), g.Text(", when the agent started."),
			g.If(!v.drawn(), g.Text(" The chart begins in a few minutes.")))),
		figure,
		v.hoursTable(),
		h.P(h.Class("turn"), button(v.Value.Path+"/csv?range="+v.Range, g.Text("CSV"))))
}

// summary returns the text above the chart: lowest and highest value, and the newest gaps.
func (v *objectView) summary() g.Node {
	var said g.Group
	for i, f := range v.Summary {
		said = append(said, g.If(i > 0, g.Text(", ")), g.Text(f.Words+" "), h.Strong(g.Text(f.Value)),
			g.Text(" "+v.Value.Unit+" at "), v.Zone.clock(f.At))
	}
	if len(said) > 0 {
		said = append(said, g.Text(". "))
	}
	for _, gap := range v.NewestGaps() {
		said = append(said, g.Text(" Gap "), v.Zone.clock(gap.From), g.Text("–"), v.Zone.clock(gap.To),
			g.Text(": "+gap.Gap+"."))
	}
	if left := v.GapsLeft(); left > 0 {
		said = append(said, g.Text(" "+plural(left, "older gap")+": see the table."))
	}
	return said
}

func (v *objectView) figure() g.Node {
	c := &v.Chart
	var plot, keys g.Node
	if c.SVG != "" {
		plot = g.Group{
			h.Ol(h.Class("levels"), h.Aria("hidden", "true"),
				g.Map(c.Levels, func(level string) g.Node { return h.Li(g.Text(level)) })),
			h.Div(h.Class("field-of"), h.TabIndex("0"), h.Role("img"),
				h.Aria("label", "Chart. Arrow keys read it; the table below has its numbers."), c.SVG.node()),
		}
		keys = g.Group{key("mean", "mean"), g.Text(" "), key("range", "lowest to highest"), g.Text(" ")}
	}
	return h.Figure(h.Class("plot"), h.Data("history", v.HistoryPath()), plot,
		h.Table(h.Class("strip"), h.Caption(h.Class("sr"), g.Text("States and hours below the chart")), h.TBody(
			g.Map(c.Bands, band.tableRow),
			h.Tr(h.Class("hours"), g.Map(c.Hours, func(s stretch) g.Node {
				return h.Td(h.ColSpan(strconv.Itoa(s.Columns)), g.If(!s.At.IsZero(), v.Zone.clock(s.At)))
			})))),
		h.FigCaption(h.Class("muted"), keys, g.If(len(v.History.Gaps) > 0, key("gap", "no reading")),
			h.P(h.Class("read-out"), g.Attr("data-own"))))
}

// key returns an entry of the legend.
func key(class, words string) g.Node { return h.Span(h.Class("key "+class), g.Text(words)) }

func (b band) tableRow() g.Node {
	return h.Tr(h.Class("band"), g.Map(b.Parts, func(p part) g.Node {
		class := p.Class
		if p.Thin {
			class += " thin"
		}
		return h.Td(h.ColSpan(strconv.Itoa(p.Columns)), h.Class(class),
			g.If(p.Words != "", h.Title(p.Words)), g.Text(p.Words))
	}))
}

// hoursTable shows the chart in numbers.
func (v *objectView) hoursTable() g.Node {
	if len(v.Table) == 0 {
		return nil
	}
	n := func(text string) g.Node { return h.Td(h.Class("n"), g.Text(text)) }
	head := func(text string) g.Node { return h.Th(h.Scope("col"), h.Class("n"), g.Text(text)) }
	rows := g.Map(v.Table, func(r hour) g.Node {
		if r.Gap != "" {
			return h.Tr(h.Th(h.Scope("row"), v.Zone.when(r.From)), h.Td(h.ColSpan("3"), h.Class("muted"),
				g.Text("no reading until "), v.Zone.clock(r.To), g.Text(": "+r.Gap)))
		}
		return h.Tr(h.Th(h.Scope("row"), v.Zone.when(r.From)), n(r.Min), n(r.Mean), n(r.Max))
	})
	return h.Details(h.Class("more"), h.Summary(g.Text("Show as a table")),
		h.Div(h.Class("wide"), h.TabIndex("0"), h.Role("region"), h.Aria("label", "The chart as a table"),
			h.Table(h.Class("hours-table"), h.Caption(h.Class("sr"), g.Text("Lowest, mean and highest value")),
				h.THead(h.Tr(h.Th(h.Scope("col"), g.Text("From")), head("Lowest"), head("Mean"), head("Highest"))),
				h.TBody(rows))))
}
