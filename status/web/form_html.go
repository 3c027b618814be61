package web

import (
	"cmp"
	"strconv"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"noi-agent/status/api"
	"noi-agent/status/wording"
)

func (v *formView) content() g.Node {
	tab := at("integrations", v.Cloud)
	var cost g.Node
	if v.Cost != nil {
		cost = h.P(h.Class("cost"), g.Text(costOf(v.Cost)))
	}
	return g.Group{
		crumbs(tab, "Integrations › "+cloud(v.Cloud)),
		h.H1(g.Text(v.Heading)),
		v.faults(),
		g.Iff(v.Newer != nil, v.bothVersions),
		g.If(v.Tests, steps()),
		h.Form(h.Method("post"), h.Action(v.Action()), h.Class("form"),
			hidden("etag", v.ETag),
			secret(v.Locked),
			g.Map(v.Fields, func(f field) g.Node {
				return g.Group{f.node(), g.If(f.Name == "objects", v.offered())}
			}),
			h.Details(h.Class("more"), g.If(v.MoreOpen, g.Attr("open")),
				h.Summary(g.Text("More: slaves, how often, attributes, endpoint")), g.Map(v.More, field.node)),
			cost,
			h.P(h.Class("buttons"),
				h.Button(h.Class("primary"), h.Name("do"), h.Value("submit"), g.Text("Submit")), g.Text(" "),
				h.Button(h.Name("do"), h.Value("test"), g.Text("Test without saving")), g.Text(" "),
				h.A(h.Class("button plain"), link(tab), g.Text("Cancel")))),
	}
}

// node returns a field with its label, its hint and its error.
func (f field) node() g.Node {
	class, described := "field", "h-"+f.Name
	var fault, invalid g.Node
	if f.Error != "" {
		class, described = "field wrong", described+" e-"+f.Name
		fault = h.P(h.Class("error"), h.ID("e-"+f.Name), markOf(bad), g.Text(" Error: "+f.Error))
		invalid = h.Aria("invalid", "true")
	}
	return h.Div(h.Class(class),
		h.Label(h.For("f-"+f.Name), g.Text(f.Label)),
		h.P(h.Class("hint"), h.ID("h-"+f.Name), g.Text(f.Hint)),
		fault,
		h.Input(h.ID("f-"+f.Name), h.Name(f.Name), h.Value(f.Value), h.AutoComplete("off"),
			g.Attr("autocapitalize", "off"), g.Attr("spellcheck", "false"), h.Aria("describedby", described), invalid))
}

// faults lists the errors, with links to their fields.
func (v *formView) faults() g.Node {
	if v.Faults == 0 {
		return nil
	}
	head := "1 field needs correcting"
	if v.Faults != 1 {
		head = strconv.Itoa(v.Faults) + " fields need correcting"
	}
	wrong := func(f field) g.Node {
		return g.If(f.Error != "", h.Li(h.A(link("#f-"+f.Name), g.Text(f.Label+": "+f.Error))))
	}
	return h.Div(h.Class("note-box bad"), h.Role("alert"), h.TabIndex("-1"), h.ID("errors"), h.H2(g.Text(head)),
		h.Ul(g.Map(v.Fields, wrong), g.Map(v.More, wrong),
			g.Map(v.Rest, func(text string) g.Node { return h.Li(g.Text(text)) })))
}

// bothVersions shows side by side what was typed and what another person has saved meanwhile. It shows only the fields
// that differ.
func (v *formView) bothVersions() g.Node {
	rows := g.Map(append(v.differing(v.Fields), v.differing(v.More)...), func(f field) g.Node {
		return tableRow(rowHead(g.Text(f.Label)), cell("Active now", g.Text(v.newerValue(f))),
			cell("Yours", g.Text(cmp.Or(f.Value, "–"))))
	})
	both := g.Group{
		h.P(g.Text("Both versions are shown side by side, in the fields that differ. Nothing was saved yet. " +
			"Submit again to replace the active version.")),
		table("stack", "Both versions", columns("Field", "Active now", "Yours"), rows...),
	}
	if len(rows) == 0 {
		now := "active"
		if !v.Newer.Config.Enabled {
			now = "paused"
		}
		both = g.Group{h.P(g.Text("Your fields are the same as the saved ones, and it is " + now +
			" now. Submit again to save your version: it stays " + now + "."))}
	}
	return h.Div(h.Class("note-box warn"), h.Role("alert"), h.TabIndex("-1"), h.ID("errors"),
		h.H2(g.Text("It was changed while you edited")), both)
}

// offered lists the objects to choose from. The script shows a check box for each of them.
func (v *formView) offered() g.Node {
	name := "Available objects and log intervals"
	list := h.P(h.Class("muted"),
		prose("Nothing was read yet. `noi-agent objects` lists what each model has."))
	if len(v.Offers) > 0 {
		name += " (" + strconv.Itoa(len(v.Offers)) + ")"
		list = h.Ul(h.ID("offers"), g.Map(v.Offers, offer.node))
	}
	return h.Details(h.Class("more offers"), h.Summary(g.Text(name)), list)
}

func (o offer) node() g.Node {
	return h.Li(h.Label(h.Input(h.Type("checkbox"), h.Value(o.Name), g.Attr("hidden")), g.Text(" "),
		h.Span(h.Class("name"), g.Text(o.Name)), g.Text(" "),
		h.Span(h.Class("muted small"), g.Text(capital(o.About))), g.Text(" "),
		h.Span(h.Class("muted every"), g.Text(o.Interval))))
}

// costOf returns a text with the messages and bytes that an integration sends in a day.
func costOf(c *api.IntegrationCost) string {
	words := plural(c.Objects, "object") + " of " + plural(c.Slaves, "controller") + ": about " +
		count(c.MessagesPerDay) + " messages and " + wording.Decimal(c.BytesPerDay) + " of uplink a day."
	if len(c.Uncounted) > 0 {
		words += " Not counted: " + strings.Join(c.Uncounted, " ") + " (model: auto)."
	}
	return words
}
