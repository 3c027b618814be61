package web

import (
	"cmp"
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"noi-agent/status/api"
	"noi-agent/status/wording"
)

func (v *triggersView) content() g.Node {
	list := v.none()
	if len(v.Rows) > 0 {
		list = g.Group{
			h.P(h.Class("muted small"), g.Text("Each row is a message to a cloud, the newest first. The newest "+
				count(v.Status.Store.Settings.KeepTriggers)+" of each integration are kept.")),
			v.Zone.triggerRows(v.Rows),
		}
	}
	return g.Group{
		h.H1(g.Text("Triggers")),
		g.If(v.Wrong != "", h.Div(h.Class("note-box bad"), h.Role("alert"), h.TabIndex("-1"), h.ID("errors"),
			h.H2(g.Text("This filter cannot be used")), h.P(prose(v.Wrong)))),
		h.Div(h.Class("tools"),
			h.Details(h.Class("filter"), g.If(v.Wrong != "", g.Attr("open")), h.Summary(g.Text("Filter")),
				v.filterForm()),
			g.Map(v.Chips(), func(c chip) g.Node { return c.node(v.Zone) }),
			v.downloads(),
			g.If(v.First, h.Button(h.ID("news"), g.Attr("hidden"), g.Text("new")))),
		list,
		v.turns(),
	}
}

// node returns a link that removes a parameter of the filter.
func (c *chip) node(z zone) g.Node {
	var at g.Node
	if !c.At.IsZero() {
		at = g.Group{g.Text(" "), z.when(c.At)}
	}
	return h.A(h.Class("chip"), link(c.Path), g.Text(c.Words), at, g.Text(" "),
		h.Span(h.Aria("hidden", "true"), g.Text("×")), h.Span(h.Class("sr"), g.Text(" remove this filter")))
}

func (v *triggersView) filterForm() g.Node {
	f := &v.Filter
	states := g.Map(v.States(), func(s string) g.Node {
		return h.Option(g.If(s == f.State, h.Selected()), g.Text(s))
	})
	return h.Form(h.Method("get"), h.Action("/triggers"), g.Attr("data-times"),
		choice("Integration", "integration", v.integrationOptions(nameOnly)),
		v.objectField(),
		choice("Success", "success", g.Group{option("true", "true", f.Success == "true"),
			option("false", "false", f.Success == "false")}),
		choice("State", "state", states),
		v.timeField("From", "from", f.From), v.timeField("To", "to", f.To),
		choice("Rows", "gaps", option("true", "gaps only", f.Gaps == "true")),
		h.P(h.Button(h.Class("primary"), g.Text("Show")), g.Text(" "),
			h.A(h.Class("button plain"), link("/triggers"), g.Text("Clear"))),
		v.zoneHint())
}

// choice returns a list of the filter to choose from. Its first entry matches all rows.
func choice(label, name string, options g.Node) g.Node {
	id := "f-" + name
	return h.P(h.Label(h.For(id), g.Text(label)),
		h.Select(h.ID(id), h.Name(name), option("", "all", false), options))
}

// integrationOptions returns the integrations to choose from. words returns the text of an entry.
func (v *triggersView) integrationOptions(words func(*api.Integration) string) g.Node {
	var list g.Group
	for i := range v.Status.Integrations {
		in := &v.Status.Integrations[i]
		list = append(list, option(in.ID, words(in), in.ID == v.Filter.Integration))
	}
	return list
}

func nameOnly(in *api.Integration) string { return cmp.Or(in.Name, in.ID) }

func (v *triggersView) objectField() g.Node {
	return h.P(h.Label(h.For("f-object"), g.Text("Object")),
		h.Input(h.ID("f-object"), h.Name("object"), h.Value(v.Filter.Object), h.Placeholder("adc_vbterm or T_*"),
			h.AutoComplete("off"), g.Attr("autocapitalize", "off"), g.Attr("spellcheck", "false")))
}

// timeField returns the input field for a time of the filter.
func (v *triggersView) timeField(label, name, at string) g.Node {
	utc := v.UTC(at)
	return h.P(h.Label(h.For("f-"+name), g.Text(label)),
		h.Input(h.ID("f-"+name), h.Name(name), h.Type("datetime-local"), h.Step("1"), h.Value(v.Typed(at)),
			g.If(utc != "", h.Data("at", utc)), h.Aria("describedby", "f-zone")))
}

func (v *triggersView) zoneHint() g.Node {
	return h.P(h.Class("hint"), h.ID("f-zone"),
		g.Text("From and To are Completed At, in the gateway's time (UTC"+v.Offset()+")."))
}

// none returns a text for a page without rows.
func (v *triggersView) none() g.Node {
	kept := count(v.Status.Store.Settings.KeepTriggers)
	var why g.Node
	switch {
	case len(v.Unread) > 0, v.Wrong != "":
		return nil
	case v.Next != "":
		why = h.P(g.Text("None of the searched rows matches. There are older rows."))
	case len(v.Chips()) > 0:
		why = h.P(g.Text("No trigger matches. The newest "+kept+" of each integration are kept. "),
			button("/triggers", g.Text("Clear filter")))
	case !v.First:
		why = h.P(g.Text("There are no older rows."))
	case len(v.Status.Integrations) > 0:
		why = h.P(g.Text("Nothing was published yet."))
	default:
		why = g.Group{h.P(g.Text("Nothing is published yet: there is no integration.")), addButtons()}
	}
	return h.Div(h.Class("card empty"), why)
}

// turns returns the links to other rows.
func (v *triggersView) turns() g.Node {
	var all g.Group
	if !v.First {
		all = append(all, button(v.Filter.Newest(), g.Text("Newest")), g.Text(" "))
	}
	if v.Next != "" {
		words := "Older"
		if len(v.Rows) == 0 {
			words = "Look further back"
		}
		all = append(all, button(v.Next, g.Text(words)))
	}
	return h.P(h.Class("turn"), all)
}

// downloads returns the links to files with all rows that match, not only those of this page.
func (v *triggersView) downloads() g.Node {
	if len(v.Rows) == 0 {
		return nil
	}
	return g.Group{button(v.Download("csv"), g.Text("CSV")), button(v.Download("jsonl"), g.Text("JSON Lines"))}
}

// triggerRows returns rows of the trigger log as a table.
func (z zone) triggerRows(list []row) g.Node {
	var rows []g.Node
	for i := range list {
		rows = append(rows, list[i].tableRow(z))
	}
	return h.Div(h.Class("wide"), table("rows", "Triggers, the newest first",
		columns("Success", "Completed At", "Published Data", "Integration Data", "Topic/Arn"), rows...))
}

func (r *row) tableRow(z zone) g.Node {
	td := func(content ...g.Node) g.Node { return h.Td(h.Role("cell"), g.Group(content)) }
	var more g.Node
	if !r.Success || r.Replayed {
		more = h.Span(h.Class("muted small"), g.Text(" "+r.State.Words))
	}
	id := strconv.FormatUint(r.ID, 10)
	return h.Tr(h.Role("row"), h.Data("key", id),
		td(h.A(link("/triggers/"+id), h.Class("state "+r.State.Tone), markOf(r.State.Tone),
			g.Text(" "+strconv.FormatBool(r.Success))), more),
		td(z.parsed(r.CompletedAt), h.Span(h.Class("muted small"), g.Text(" "+r.Integration))),
		td(r.what()),
		td(r.said()),
		td(h.Span(h.Class("id clip"), g.Text(r.Topic))))
}

// what returns the message, or the missing samples of a row about a gap.
func (r *row) what() g.Node {
	if r.Gap == nil {
		return g.Group{h.Strong(g.Text(r.Object + " " + r.Value)), h.Code(h.Class("clip"), lean(short(r.Raw)))}
	}
	reason := wording.Gap(r.Gap.Reason)
	if r.Gap.Acknowledged {
		reason += " · acknowledged"
	}
	return g.Group{h.Strong(g.Text(cmp.Or(r.Gap.Object, "samples") + " missing")), g.Text(" "), muted(reason)}
}

// said returns the answer of the cloud.
func (r *row) said() g.Node {
	if r.IntegrationData.Error != "" {
		return h.Span(h.Class("clip error"), g.Text(r.IntegrationData.Error))
	}
	var id g.Node
	if r.IntegrationData.MessageID != "" {
		id = h.Span(h.Class("narrow"), g.Text("id "+r.IntegrationData.MessageID))
	}
	return h.Span(h.Class("clip"), id, h.Code(h.Class("broad"), lean(short(r.Said))))
}
