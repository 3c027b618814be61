package web

import (
	"fmt"
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"noi-agent/status/api"
)

func (v *setAsideView) content() g.Node {
	about := "If the cloud rejects a message because of its content, the message is set aside here, so that it does " +
		"not hold up the others."
	if len(v.Rows) > 0 {
		about = "The cloud rejected each of these messages because of its content. They wait here, and do not " +
			"hold up the others. Retry sends them again. This helps when the cause is fixed. Drop deletes them: " +
			"their samples are lost."
	}
	return g.Group{
		crumbs("/system", "System", g.Text(" › Set aside")),
		h.H1(g.Text("Set-aside messages")),
		done(v.Done),
		h.P(g.Text(about)),
		h.Div(h.Class("tools"), h.Details(h.Class("filter"), g.If(v.Filter.Integration == "", g.Attr("open")),
			h.Summary(g.Text("Filter")), v.filterForm())),
		v.list(),
	}
}

func (v *setAsideView) filterForm() g.Node {
	words := func(in *api.Integration) string { return fmt.Sprintf("%s (%d)", nameOnly(in), in.Dead) }
	return h.Form(h.Method("get"), h.Action("/system/set-aside"), g.Attr("data-times"),
		choice("Integration", "integration", v.integrationOptions(words)),
		v.objectField(),
		v.timeField("From", "from", v.Filter.From), v.timeField("To", "to", v.Filter.To),
		h.P(h.Button(g.Text("Show"))),
		v.zoneHint())
}

// list shows the messages, and the buttons for them.
func (v *setAsideView) list() g.Node {
	f := &v.Filter
	if len(v.Rows) == 0 {
		which := ""
		if f.Object != "" || f.From != "" || f.To != "" {
			which = " that matches"
		}
		return g.If(len(v.Unread) == 0, h.P(h.Class("card muted"), g.Text("No message was set aside"+which+".")))
	}
	of, buttons := "", h.P(h.Class("muted"), g.Text("Choose an integration to retry or drop its messages."))
	if f.Integration != "" {
		of = " of " + v.Rows[0].Integration
		n := strconv.Itoa(v.Count)
		buttons = h.Div(h.Class("buttons"),
			h.Form(h.Method("post"), h.Action("/system/set-aside/retry"), v.picked(),
				h.Button(h.Class("primary"), g.Text("Retry "+n))),
			h.Form(h.Method("get"), h.Action("/system/set-aside/drop"), v.picked(),
				h.Button(h.Class("danger"), g.Text("Drop "+n+"…"))))
	}
	if v.Count > len(v.Rows) {
		of += fmt.Sprintf(", the newest %d shown", len(v.Rows))
	}
	return g.Group{
		h.P(h.Class("picked"), h.Strong(g.Text(plural(v.Count, "message"))), g.Text(of+".")),
		buttons,
		v.Zone.triggerRows(v.Rows),
	}
}

// picked returns the hidden fields with the filter and the number of the messages.
func (v *setAsideView) picked() g.Node {
	f := &v.Filter
	return g.Group{hidden("integration", f.Integration), hidden("object", f.Object), hidden("from", v.UTC(f.From)),
		hidden("to", v.UTC(f.To)), hidden("expect", strconv.Itoa(v.Count))}
}
