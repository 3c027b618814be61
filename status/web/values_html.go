package web

import (
	"cmp"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

func (v *valuesView) content() g.Node {
	var units g.Group
	for i := range v.Units {
		units = append(units, v.Units[i].node())
	}
	if len(units) == 0 {
		why := g.Text("No object has these letters in its name or meaning.")
		if v.Query == "" {
			why = noController()
		}
		units = g.Group{h.Div(h.Class("card empty"), h.P(why))}
	}
	return g.Group{h.H1(g.Text("Values")), v.search(), v.controllerTabs(), v.found(), units}
}

func (v *valuesView) search() g.Node {
	return h.Form(h.Class("search"), h.Method("get"), h.Action("/values"), h.Role("search"),
		h.Label(h.For("q"), h.Class("sr"), g.Text("Find an object")),
		h.Input(h.ID("q"), h.Name("q"), h.Type("search"), h.Value(v.Query), h.Placeholder("Name or meaning"),
			h.AutoComplete("off"), g.Attr("spellcheck", "false")),
		h.Button(g.Text("Find")))
}

// controllerTabs returns the links from one controller to another.
func (v *valuesView) controllerTabs() g.Node {
	if v.Query == "" && len(v.Others) < 2 {
		return nil
	}
	var tabs g.Group
	for i := range v.Others {
		c := &v.Others[i]
		var sign g.Node
		if c.State.Tone != good {
			sign = g.Group{h.Span(h.Class("state "+c.State.Tone), markOf(c.State.Tone)), g.Text(" ")}
		}
		tabs = append(tabs, h.A(link(c.valuesPath()), pressed(c.Unit == v.Unit), sign, g.Text(c.Name())))
	}
	return h.Nav(h.Class("tabs"), h.Aria("label", "Controllers"), tabs)
}

// found shows how many values a search has found.
func (v *valuesView) found() g.Node {
	if v.Query == "" {
		return nil
	}
	words := plural(v.Found, "value") + " found for “" + v.Query + "”"
	if v.Hidden > 0 {
		words += ", " + plural(v.Hidden, "more value") + " not shown: search for more letters"
	}
	return h.P(h.Class("muted"), g.Text(words+". "), h.A(link("/values"), g.Text("Show all")))
}

func (u *unitValues) node() g.Node {
	c := &u.Controller
	about := c.About()
	if c.CCFirmware != "" {
		about += " · firmware " + c.CCFirmware
	}
	facts := g.Group{state(c.State)}
	if c.AgeS != nil {
		facts = append(facts, h.Span(h.Class("muted"), g.Text("last reply "), ago(*c.AgeS), g.Text(" ago")))
	}
	var groups g.Group
	for i := range u.Groups {
		groups = append(groups, u.Groups[i].node(c))
	}
	if len(groups) == 0 {
		groups = g.Group{h.P(h.Class("empty"), g.Text("Nothing was read yet."))}
	}
	return h.Section(h.Class("card unit"), h.ID(c.Unit), h.Data("unit", c.Unit), h.Aria("labelledby", "h-"+c.Unit),
		h.Header(h.Class("unit-head"), h.H2(h.ID("h-"+c.Unit), g.Text(c.Name())),
			h.P(h.Class("muted"), g.Text(about)), h.P(h.Class("facts"), facts)),
		g.If(c.Error != "", h.P(h.Class("detail"), g.Text(c.Error))),
		groups)
}

func (group *valueGroup) node(c *controller) g.Node {
	var rows []g.Node
	for i := range group.Values {
		rows = append(rows, group.Values[i].tableRow())
	}
	return g.Group{h.H3(g.Text(group.Name)), table("values", group.Name+", "+c.Name(),
		columns("Meaning", "Object", "#Value", "Unit", "Age", "Log interval", "Last 24 h"), rows...)}
}

func (v *valueView) tableRow() g.Node {
	td := func(content ...g.Node) g.Node { return h.Td(h.Role("cell"), g.Group(content)) }
	shown := h.B(h.Data("value", v.Object), g.Text(v.Shown))
	value := g.Group{td(shown), td(g.Text(v.Unit))}
	if !v.Number {
		value = g.Group{h.Td(h.Role("cell"), h.Class("say"), h.ColSpan("2"),
			g.If(v.Alarm, g.Group{markOf(bad), g.Text(" ")}), shown)}
	}
	var read g.Node
	switch {
	case v.Why != "":
		read = muted(v.Why)
	case v.Late:
		read = h.Span(h.Class("late"), ago(v.Age), g.Text(" late"))
	default:
		read = ago(v.Age)
	}
	return h.Tr(h.Role("row"), g.If(v.Alarm, h.Class("bad")),
		h.Th(h.Role("rowheader"), h.A(link(v.Path), g.Text(capital(cmp.Or(v.About, v.Object))))),
		td(g.Text(v.Object)), value, td(read), td(g.Text(v.Interval)), td(v.Spark.node()))
}
