package web

import (
	"cmp"
	"fmt"
	"path"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"noi-agent/status/api"
	"noi-agent/status/wording"
)

func (v *overviewView) content() g.Node {
	return g.Group{v.headline(), v.firstSteps(), problemList(v.Problems), v.controllerCards(), v.integrationTable(),
		v.lineTable(), v.gateway()}
}

// headline shows the state of the gateway in one sentence.
func (v *overviewView) headline() g.Node {
	s := &v.Sentence
	age := g.If(s.Last != "", h.P(g.Text(s.Last)))
	if s.Age != nil {
		age = h.P(g.Text("Last message "), ago(*s.Age), g.Text(" ago."))
	}
	return h.Section(h.Class("sentence "+s.Tone),
		h.H1(markOf(s.Tone), g.Text(" "+s.Head)), g.If(s.Rest != "", h.P(g.Text(s.Rest))), age)
}

// firstSteps shows the first steps on a gateway without a configuration.
func (v *overviewView) firstSteps() g.Node {
	if len(v.Status.Lines) > 0 || len(v.Status.Integrations) > 0 {
		return nil
	}
	return h.Section(h.Class("card first"), h.H2(g.Text("What to do now")), h.Ol(
		h.Li(g.Text("Connect the controller's RS-485 or RS-232 port to this gateway.")),
		h.Li(prose("Run `sudo noi-agent init` on the gateway: it finds the controllers and writes the configuration.")),
		h.Li(g.Text("Come back to this page: it shows the controllers, and where to send their values."))))
}

func problemList(list []problemView) g.Node {
	if len(list) == 0 {
		return nil
	}
	return h.Section(h.Class("problems"), h.Aria("labelledby", "problems"),
		h.H2(h.ID("problems"), h.Class("sr"), g.Text("Problems")),
		g.Map(list, func(p problemView) g.Node { return p.node() }))
}

func (p *problemView) node() g.Node {
	tone := severityTone(p.Severity)
	var since, folded g.Node
	if !p.Since.IsZero() {
		since = h.P(h.Class("muted"), g.Text("Since "), p.Zone.when(p.Since), g.Text(" ("), ago(p.AgeS), g.Text(")."))
	}
	if len(p.Folded) > 0 {
		folded = g.Group{
			h.P(g.Text(plural(len(p.Folded), "other problem") + " will end with this one:")),
			h.Ul(h.Class("folded"), g.Map(p.Folded, func(f api.Folded) g.Node { return h.Li(g.Text(f.Title)) })),
		}
	}
	return h.Details(h.Class("problem "+tone), h.Data("key", p.Code+" "+p.Subject), g.If(p.Open, g.Attr("open")),
		h.Summary(markOf(tone), g.Text(" "), h.Span(g.Text(p.Title+" "),
			h.Span(h.Class("cost muted small"), g.Text(costsData(p.Effect, p.Waiting))))),
		h.Div(h.Class("body"), since,
			g.If(p.Detail != "", h.P(h.Class("detail"), g.Text(p.Detail))),
			g.If(p.Remedy != "", h.P(h.Strong(g.Text("What to do:")), g.Text(" "), prose(p.Remedy))),
			folded,
			g.If(p.Href != "", h.P(h.A(link(p.Href), g.Text(leadsTo(p.Href)))))))
}

func (v *overviewView) controllerCards() g.Node {
	if len(v.Status.Lines) == 0 {
		return nil
	}
	var cards g.Group
	for i := range v.Controllers {
		cards = append(cards, v.Controllers[i].card())
	}
	if len(cards) == 0 {
		cards = g.Group{h.P(h.Class("empty"), noController())}
	}
	return h.Section(h.Aria("labelledby", "controllers"),
		h.H2(h.ID("controllers"), g.Text("Controllers")), h.Div(h.Class("cards"), cards))
}

// noController tells how to find the controllers.
func noController() g.Node {
	return prose("No controller is configured. `noi-agent scan` finds the controllers on a line.")
}

func (c *controller) card() g.Node {
	reading := h.Span(h.Class("unit"), g.Text("no reading"))
	if b := c.Battery; c.Answers() && b != nil {
		reading = h.A(link(b.Path), h.Span(h.Data("value", b.Key), g.Text(b.Shown)), g.Text(" "),
			h.Span(h.Class("unit"), g.Text(b.Unit+" battery")))
	}
	return h.Article(h.Class("card controller "+c.State.Tone),
		h.Header(h.H3(h.A(link(c.valuesPath()), g.Text(c.Name()))), h.P(h.Class("muted small"), g.Text(c.About()))),
		h.P(h.Class("big"), reading),
		h.P(h.Class("facts"), c.facts()),
		c.dayLine())
}

// facts shows the charge state, the array current and the age of the last reply. If the controller does not answer, it
// shows the state of the controller instead.
func (c *controller) facts() g.Node {
	if !c.Answers() {
		facts := g.Group{state(c.State)}
		if c.AgeS != nil {
			facts = append(facts, h.Span(h.Class("muted"), g.Text("last "), ago(*c.AgeS), g.Text(" ago")))
		}
		return facts
	}
	facts := g.Group{state(c.State)}
	if c.Charge != nil {
		facts = g.Group{marked(good, h.Span(h.Data("value", c.Charge.Key), g.Text(c.Charge.Shown)))}
	}
	if a := c.Array; a != nil {
		facts = append(facts, h.Span(g.Text("array "), h.Span(h.Data("value", a.Key), g.Text(a.Shown)),
			g.Text(" "+a.Unit)))
	}
	if c.AgeS != nil {
		facts = append(facts, h.Span(h.Class("muted"), ago(*c.AgeS), g.Text(" ago")))
	}
	if c.Charge != nil && c.State.Tone != good {
		facts = append(facts, state(c.State))
	}
	return facts
}

// dayLine shows the battery voltage of the last day as a small chart.
func (c *controller) dayLine() g.Node {
	switch d := &c.Day; {
	case d.Line != "":
		return h.A(h.Class("spark-link"), link(c.Battery.Path), d.Line.node(),
			h.Span(h.Class("sr"), g.Text("Chart of the battery voltage. ")),
			h.Span(h.Class("muted small"),
				g.Textf("%s to %s %s in the last %s", d.Lowest, d.Most, c.Battery.Unit, d.Over)))
	case d.Building:
		return h.P(h.Class("muted small"), g.Text("The chart begins in a few minutes: history is building up."))
	}
	return nil
}

func (v *overviewView) integrationTable() g.Node {
	body := h.Div(h.Class("card empty"),
		h.P(g.Text("Nothing is published yet. Values are read and shown, but nothing is kept.")), addButtons())
	if len(v.Status.Integrations) > 0 {
		var rows []g.Node
		for i := range v.Status.Integrations {
			rows = append(rows, v.integrationRow(&v.Status.Integrations[i]))
		}
		body = h.Div(h.Class("card wide"), table("stack", "Integrations",
			columns("Integration", "State", "#Waiting", "Oldest", "Last success", "#Today"), rows...))
	}
	return h.Section(h.Aria("labelledby", "integrations"), h.H2(h.ID("integrations"), g.Text("Integrations")), body)
}

// addButtons returns the links to the pages where integrations are added.
func addButtons() g.Node {
	return h.P(button("/integrations/aws", g.Text("Add AWS integration")), g.Text(" "),
		button("/integrations/gcp", g.Text("Add GCP integration")))
}

func (v *overviewView) integrationRow(in *api.Integration) g.Node {
	last := g.Text("never")
	if in.LastSuccess != nil {
		last = v.Zone.known(in.LastSuccess)
	}
	return tableRow(
		rowHead(h.A(link(at("integrations", in.Type)+"#"+in.ID), g.Text(cmp.Or(in.Name, in.ID))), g.Text(" "),
			muted(cloud(in.Type))),
		cell("State", state(integrationState(in))),
		numbers("Waiting", g.Text(count(in.Backlog))),
		cell("Oldest", g.Text(oldest(in))),
		cell("Last success", last),
		numbers("Today", g.Text(wording.Decimal(float64(in.Uplink.TodaySent+in.Uplink.TodayReceived)))))
}

// oldest returns the age of the oldest message that waits; "–" if none waits.
func oldest(in *api.Integration) string {
	if in.OldestAgeS == nil {
		return "–"
	}
	return age(*in.OldestAgeS)
}

func (v *overviewView) lineTable() g.Node {
	if len(v.Status.Lines) == 0 {
		return nil
	}
	var rows []g.Node
	for i := range v.Status.Lines {
		l := &v.Status.Lines[i]
		rows = append(rows, tableRow(
			rowHead(h.A(link("/system#line-"+l.Name), g.Text(l.Name))),
			cell("State", state(lineState(&v.Status, l))),
			cell("Port", h.Span(h.Class("id"), g.Text(path.Base(l.Port)))),
			numbers("Busy", g.Text(percent(l.Load, 1))),
			cell("Failed", g.Text(failedOf(&l.Counters)))))
	}
	return h.Section(h.Aria("labelledby", "lines"), h.H2(h.ID("lines"), g.Text("Lines")),
		h.Div(h.Class("card wide"),
			table("stack", "Lines", columns("Line", "State", "Port", "#Busy", "Failed since the start"), rows...)))
}

// failedOf returns how many exchanges failed: "31 of 41,204 exchanges (under 1 %)".
func failedOf(c *api.Counters) string {
	if c.Requests == 0 {
		return "–"
	}
	failed := c.Timeouts + c.CRCErrors + c.FrameErrors
	return fmt.Sprintf("%s of %s (%s)", count(failed), plural(c.Requests, "exchange"),
		percent(float64(failed), float64(c.Requests)))
}

func (v *overviewView) gateway() g.Node {
	st := &v.Status.Store
	outbox := ", " + percent(float64(st.Bytes), float64(st.Settings.MaxSize)) + " full"
	if st.Settings.MaxAge != "" {
		outbox += ", keeps up to " + keeps(st.Settings.MaxAge)
	}
	flash := "measured after 10 min"
	if st.PerDay != nil {
		flash = fmt.Sprintf("%.1f MB a day", *st.PerDay)
	}
	return h.Section(h.Aria("labelledby", "gateway"), h.H2(h.ID("gateway"), g.Text("Gateway")),
		h.Dl(h.Class("card facts-list"),
			pair("Clock", state(clockState(v.Status.Clock))),
			pair("Outbox (unsent)", state(storeState(*st)), g.Text(outbox)),
			pair("Flash (disk) writes", g.Text(flash)),
			pair("Uplink (data) today", g.Text(wording.Decimal(float64(v.UplinkToday())))),
			pair("Uplink this month", g.Text(wording.Decimal(float64(v.UplinkMonth())))),
			pair("Version", g.Text(v.Status.Version)),
			pair("Up since", v.Zone.when(v.Status.StartedAt))))
}
