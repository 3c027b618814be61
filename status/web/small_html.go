package web

import (
	"cmp"
	"maps"
	"slices"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"noi-agent/status/api"
)

// This file has the short pages: questions, login, log, diagnostics, licences.

func (v *confirmView) content() g.Node {
	class, keep := "primary", "Cancel"
	if v.Danger {
		class, keep = "danger", "Keep"
	}
	return g.Group{
		h.H1(g.Text(v.Heading)),
		g.If(v.Text != "", h.P(g.Text(v.Text))),
		h.Form(h.Method("post"), h.Class("form"),
			g.Map(slices.Sorted(maps.Keys(v.Hidden)), func(name string) g.Node { return hidden(name, v.Hidden[name]) }),
			secret(v.Locked),
			h.P(h.Class("buttons"), h.Button(h.Class(class), g.Text(v.Button)), g.Text(" "),
				h.A(h.Class("button plain"), link(v.Back), g.Text(keep)))),
	}
}

// secret returns the field for the admin token in a form that needs a login; nothing if locked is nil.
func secret(locked *api.Error) g.Node {
	if locked == nil {
		return nil
	}
	return h.Div(h.Class("field wrong note-box warn"),
		h.Label(h.For("secret"), g.Text("Admin token or one-time code")),
		h.P(h.Class("hint"), h.ID("h-secret"), g.Text(locked.Detail+" What you typed is kept. "), codeHint()),
		secretInput())
}

func codeHint() g.Node { return prose("On the gateway, `sudo noi-agent login` prints a code.") }

func secretInput(more ...g.Node) g.Node {
	return h.Input(h.ID("secret"), h.Name(SecretField), h.Type("password"), h.AutoComplete("current-password"),
		g.Group(more), h.Aria("describedby", "h-secret"))
}

func (v *loginView) content() g.Node {
	if v.LoggedIn {
		return g.Group{h.H1(g.Text("Log in")), h.P(marked(good, g.Text("You are logged in."))),
			h.Form(h.Method("post"), h.Action("/logout"), h.P(h.Class("buttons"), h.Button(g.Text("Log out"))))}
	}
	class, wrong := "field", g.Node(nil)
	if v.Wrong != "" {
		class = "field wrong"
		wrong = h.P(h.Class("error"), h.ID("e-secret"), h.Role("alert"), markOf(bad), g.Text(" "+v.Wrong))
	}
	return g.Group{
		h.H1(g.Text("Log in")),
		g.If(v.Ended, h.P(h.Class("note-box warn"), h.Role("status"),
			g.Text("Your login has ended. Log in again to go on. A login ends after 12 hours without use, with a new "+
				"admin token, and with a restart of the agent."))),
		h.P(g.Text("Log in to change things. If other machines can reach this page, reading needs a login too.")),
		h.Form(h.Method("post"), h.Action("/login"), h.Class("form"),
			hidden("next", v.Next),
			h.Div(h.Class(class),
				h.Label(h.For("secret"), g.Text("Admin token or one-time code")),
				h.P(h.Class("hint"), h.ID("h-secret"), codeHint()),
				wrong,
				secretInput(h.Required())),
			h.P(h.Class("buttons"), h.Button(h.Class("primary"), g.Text("Log in")))),
	}
}

func (v *logsView) content() g.Node {
	about := g.Group{g.Text("Newest first. The last " + count(v.Kept) + " lines are kept in memory; "),
		command("journalctl -u noi-agent"), g.Text(" has more."),
		g.If(v.Full, g.Text(" Older lines match too: the JSON has all of them."))}
	lines := v.Zone.logLines(v.Lines)
	if len(v.Lines) == 0 {
		lines = h.P(h.Class("card muted"), g.Text("No line matches."), g.If(v.Text != "" || v.Level != "info",
			g.Group{g.Text(" "), h.A(link("/system/logs"), g.Text("Show all from info"))}))
	}
	levels := g.Map(v.Levels(), func(l string) g.Node {
		return h.Option(g.If(l == v.Level, h.Selected()), g.Text(l))
	})
	return g.Group{
		crumbs("/system", "System", g.Text(" › Log")),
		h.H1(g.Text("Log")),
		h.Form(h.Class("search"), h.Method("get"), h.Action("/system/logs"),
			h.P(h.Label(h.For("level"), g.Text("From level")), h.Select(h.ID("level"), h.Name("level"), levels)),
			h.P(h.Class("grow"), h.Label(h.For("text"), g.Text("With the text")),
				h.Input(h.ID("text"), h.Name("text"), h.Type("search"), h.Value(v.Text), h.AutoComplete("off"),
					g.Attr("autocapitalize", "off"), g.Attr("spellcheck", "false"))),
			h.Button(g.Text("Show"))),
		h.P(h.Class("muted small"), about),
		lines,
		h.P(h.Class("turn"), button(v.JSON(), g.Text("JSON"))),
	}
}

func (v *doctorView) content() g.Node {
	return g.Group{
		crumbs("/system", "System", g.Text(" › Diagnostics")),
		h.H1(g.Text("Diagnostics")),
		h.Section(h.Class("problems"), h.Aria("labelledby", "verdict"),
			h.H2(h.ID("verdict"), g.Text(v.Verdict)), g.Map(v.Findings, findingNode)),
		h.P(h.Class("muted"), prose("The daemon checks with its own permissions, and sends nothing. "+
			"`sudo noi-agent doctor` on the gateway sees more: other programs on the ports, and how fast the disk is. "+
			"JSON: "), h.A(link("/api/v1/doctor"), g.Text("doctor"))),
	}
}

func findingNode(f api.Finding) g.Node {
	tone, evidence := levelTone(f.Level), f.Evidence
	if f.Subject != "" {
		evidence = f.Subject + ": " + evidence
	}
	var try g.Node
	if f.Command != "" {
		try = g.Group{h.P(h.Strong(g.Text("Try on the gateway:"))), h.Pre(command(f.Command))}
	}
	return h.Details(h.Class("problem "+tone), h.Data("key", f.ID+" "+f.Subject),
		g.If(f.Level != api.LevelOK, g.Attr("open")),
		h.Summary(markOf(tone), g.Text(" "), h.Span(g.Text(evidence))),
		h.Div(h.Class("body"), h.P(h.Class("muted id"), g.Text(f.ID)),
			g.If(f.Why != "", h.P(prose(f.Why))), try))
}

func (v *licencesView) content() g.Node {
	rows := g.Map(v.Modules, func(m licensed) g.Node {
		return tableRow(h.Th(h.Role("rowheader"), h.Scope("row"), h.Class("id whole"), g.Text(m.Module)),
			h.Td(h.Role("cell"), h.Class("id"), g.Text(cmp.Or(m.Version, "–"))),
			h.Td(h.Role("cell"), g.Text(m.Licence)))
	})
	return g.Group{
		crumbs("/system", "System", g.Text(" › Licences")),
		h.H1(g.Text("Licences")),
		h.P(prose("noi-agent is under the Apache License 2.0. It is built from Go's own library (std) and the " +
			"modules below. The full texts are in `/usr/share/doc/noi-agent/third-party-licences.txt` on the " +
			"gateway.")),
		h.Div(h.Class("card wide"),
			table("stack", "Modules and their licences", columns("Module", "Version", "Licence"), rows...)),
	}
}
