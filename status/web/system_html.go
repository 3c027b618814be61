package web

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"noi-agent/status/api"
	"noi-agent/status/wording"
)

func (v *systemView) content() g.Node {
	return g.Group{h.H1(g.Text("System")), v.outbox(), v.gapSection(), v.lines(), v.log(), v.diagnostics(), v.about()}
}

// section returns a part of a page with a heading.
func section(id, heading string, content ...g.Node) g.Node {
	return h.Section(h.Aria("labelledby", id), h.H2(h.ID(id), g.Text(heading)), g.Group(content))
}

func (v *systemView) outbox() g.Node {
	waiting, dead := v.Waiting(), v.Dead()
	about := "Samples that wait on this gateway until their cloud has accepted them."
	if dead > 0 {
		about += " Set aside: the cloud rejected the message because of its content. Sending it again helps only " +
			"when the cause is fixed."
	}
	none := ""
	if waiting == 0 {
		none = "Nothing is waiting. "
	}
	if dead == 0 {
		none += "No message was set aside."
	}
	return section("outbox", "Outbox",
		h.P(h.Class("muted small"), g.Text(about)),
		h.Div(h.Class("card"),
			v.waitingTable(),
			g.If(none != "", h.P(h.Class("muted"), g.Text(none))),
			g.If(dead > 0 && v.SetAside, h.P(button(v.setAsidePath(),
				g.Text("Show "+plural(dead, "set-aside message"))))),
			storeFacts(&v.Status.Store), storeSettings(&v.Status.Store.Settings)))
}

func (v *systemView) waitingTable() g.Node {
	if len(v.Status.Integrations) == 0 {
		return nil
	}
	var rows []g.Node
	for i := range v.Status.Integrations {
		in := &v.Status.Integrations[i]
		dead := g.Text(count(in.Dead))
		if in.Dead > 0 && v.SetAside {
			dead = h.A(link("/system/set-aside?integration="+url.QueryEscape(in.ID)), dead)
		}
		rows = append(rows, tableRow(
			rowHead(g.Text(cmp.Or(in.Name, in.ID)+" "), muted(cloud(in.Type))),
			numbers("Waiting", g.Text(count(in.Backlog))), cell("Oldest", g.Text(oldest(in))),
			cell("Pace", g.Text(v.Pace(in))), cell("Outlook", g.Text(v.Ahead(in))),
			numbers("Sent", g.Text(count(in.Sent))), numbers("Set aside", dead),
			numbers("Dropped", g.Text(count(in.Dropped)))))
	}
	return h.Div(h.Class("wide"), table("stack", "What waits, by integration",
		columns("Integration", "#Waiting", "Oldest", "Pace", "Outlook", "#Sent", "#Set aside", "#Dropped"), rows...))
}

func storeFacts(st *api.Store) g.Node {
	var begun g.Node
	if st.Start != "" {
		begun = pair("State", state(storeState(*st)), muted(", "+wording.Start(st.Start)))
	}
	written := wording.Decimal(float64(st.Written)) + " since the start"
	if st.PerDay != nil {
		written = fmt.Sprintf("%.1f MB a day", *st.PerDay)
	}
	return h.Dl(h.Class("facts-list"),
		begun,
		pair("Size", g.Text(size(st.Bytes)+" of "+size(st.Settings.MaxSize))),
		pair("Samples kept", g.Text(count(st.Samples))),
		g.If(st.Removed > 0, pair("Of removed integrations", g.Text(count(st.Removed)+" messages, kept for 24 h"))),
		pair("Written to flash", g.Text(written)),
		g.If(st.Salvaged > 0, pair("Salvaged", g.Text(count(st.Salvaged)+" samples"))),
		g.If(st.Corrupt > 0, pair("Damaged records", g.Text(count(st.Corrupt)))),
		g.If(len(st.KeptAside) > 0, pair("Kept aside", g.Map(st.KeptAside, func(file string) g.Node {
			return g.Group{h.Code(g.Text(file)), g.Text(" ")}
		}))))
}

func storeSettings(b *api.Buffer) g.Node {
	setting := func(name, value string) g.Node { return pair(name, g.Text(value)) }
	return h.Details(h.Summary(g.Text("Active settings")), h.Dl(h.Class("facts-list"),
		setting("buffer.max_size", size(b.MaxSize)),
		setting("buffer.max_age", wording.Duration(b.MaxAge)),
		setting("buffer.when_full", b.WhenFull),
		setting("buffer.commit_every", wording.Duration(b.CommitEvery)),
		setting("buffer.retain_after_ack", wording.Duration(b.RetainAfterAck)),
		setting("triggers.keep", count(b.KeepTriggers)),
		setting("triggers.flush_every", wording.Duration(b.FlushEvery))))
}

func (v *systemView) gapSection() g.Node {
	list := h.P(h.Class("card muted"), g.Text("No gap is known."))
	if gaps := v.Gaps(); len(gaps) > 0 {
		var acknowledge g.Node
		if v.MayAck {
			acknowledge = h.Form(h.Method("post"), h.Action("/system/gaps/acknowledge"), hidden("until", v.Until()),
				h.P(h.Class("buttons"), h.Button(g.Text("Acknowledge these gaps"))))
		}
		list = h.Div(h.Class("card wide"), table("stack", "What an integration does not get, the newest first",
			columns("Object", "Integration", "From – to", "#Samples", "Reason"),
			g.Map(gaps, func(gap gapView) g.Node { return gap.tableRow(v.Zone) })...), acknowledge)
	}
	return section("gaps", "Gaps", h.P(h.Class("muted small"),
		g.Text("Times whose samples a cloud does not get. Each gap is reported to the cloud.")), list)
}

func (gap *gapView) tableRow(z zone) g.Node {
	return tableRow(
		rowHead(gapObject(&gap.Gap), g.If(gap.Unit != "", g.Group{g.Text(" "), muted(gap.Unit)})),
		cell("Integration", h.A(link("/triggers?gaps=true&integration="+url.QueryEscape(gap.ID)),
			g.Text(gap.Integration))),
		cell("From – to", z.stretch(gap.From, gap.To)),
		numbers("Samples", g.Text(gapCount(&gap.Gap))),
		cell("Reason", g.Text(wording.Gap(gap.Reason))))
}

func (v *systemView) lines() g.Node {
	if len(v.Status.Lines) == 0 {
		return nil
	}
	var cards g.Group
	for i := range v.Status.Lines {
		cards = append(cards, v.lineCard(&v.Status.Lines[i]))
	}
	return section("lines", "Line statistics", cards)
}

func (v *systemView) lineCard(l *api.Line) g.Node {
	return h.Div(h.Class("card"), h.ID("line-"+l.Name),
		h.Header(h.Class("unit-head"), h.H3(g.Text(l.Name)), state(lineState(&v.Status, l)),
			h.P(h.Class("muted id"), g.Text(l.Port))),
		g.If(l.Error != "", h.P(h.Class("detail"), g.Text(l.Error))),
		h.Dl(h.Class("facts-list"),
			pair("Busy", g.Text(share(l.Load))),
			pair("Requests", g.Text(count(l.Counters.Requests))),
			pair("Good replies", g.Text(count(l.Counters.Replies))),
			g.Map(figures(&l.Counters), figure.node)),
		v.slaveTable(l),
		v.faultTable(l.Name))
}

func (f figure) node() g.Node { return pair(f.Name, g.Text(count(f.Value))) }

func (v *systemView) slaveTable(l *api.Line) g.Node {
	if len(l.Slaves) == 0 {
		return nil
	}
	var rows []g.Node
	for i := range l.Slaves {
		s := &l.Slaves[i]
		rows = append(rows, slaveRow(s, slaveState(&v.Status, unitOf(l.Name, s.UnitID), s.State)))
	}
	return h.Div(h.Class("wide"), table("stack", "Controllers of the line",
		columns("Controller", "State", "#Requests", "#Good", "Failed", "#Reply p50 / p99", "#Share"), rows...))
}

func slaveRow(s *api.Slave, now saying) g.Node {
	c := &s.Counters
	failed := g.Map(figures(c), func(f figure) g.Node {
		return g.Group{h.Span(h.Class("figure"), g.Text(f.Name+" "+count(f.Value))), g.Text(" ")}
	})
	if len(failed) == 0 {
		failed = g.Group{g.Text("none")}
	}
	reply := "–"
	if c.TurnaroundP50 != 0 {
		reply = fmt.Sprintf("%.0f / %.0f ms", c.TurnaroundP50, c.TurnaroundP99)
	}
	var learnt g.Node
	if s.Learnt != "" {
		learnt = h.Tr(h.Role("row"), h.Td(h.Role("cell"), h.ColSpan("7"),
			g.Text("Learnt. Write it to this slave in the configuration: "), h.Code(g.Text(s.Learnt))))
	}
	return g.Group{tableRow(
		rowHead(g.Text(cmp.Or(s.Slave, "unit")+" "), muted(strconv.Itoa(s.UnitID))),
		cell("State", state(now)),
		numbers("Requests", g.Text(count(c.Requests))), numbers("Good", g.Text(count(c.Replies))),
		cell("Failed", failed), numbers("Reply p50 / p99", g.Text(reply)), numbers("Share", g.Text(share(s.Load)))),
		learnt}
}

func (v *systemView) faultTable(line string) g.Node {
	faults := v.Faults(line)
	if len(faults) == 0 {
		return nil
	}
	rows := g.Map(faults, func(f api.LineFault) g.Node {
		received := g.Group{g.Text("nothing")}
		if f.Length > 0 {
			bytes := f.Received
			if f.Length > 64 {
				bytes += " …"
			}
			received = g.Group{h.Code(g.Text(bytes)), g.Text(" "), muted(plural(f.Length, "byte"))}
		}
		unit, sent := strconv.Itoa(f.UnitID), g.Node(h.Code(g.Text(f.Request)))
		if f.Request == "" { // a failure of the port
			unit, sent, received = "–", g.Text("–"), g.Group{g.Text("–")}
		}
		return tableRow(rowHead(v.Zone.when(f.At), g.Text(" "), muted(age(f.AgeS))),
			cell("Unit", g.Text(unit)),
			cell("What", g.Text(wording.LineFault(f.Kind)+" "), muted(f.Error)),
			cell("Sent", sent),
			cell("Received", received))
	})
	return g.Group{h.H4(g.Text("Last faults")), h.Div(h.Class("wide"),
		table("stack", "Last faults, the newest first",
			columns("Time", "Unit", "What", "Sent", "Received"), rows...))}
}

func (v *systemView) log() g.Node {
	recent := g.Node(h.P(h.Class("card muted"), g.Text("No warning and no error is in the log.")))
	if len(v.Recent) > 0 {
		recent = g.Group{h.P(h.Class("muted small"), g.Text("The newest warnings and errors.")),
			v.Zone.logLines(v.Recent)}
	}
	return section("log", "Log", recent, h.P(h.Class("turn"), button("/system/logs", g.Text("All lines"))))
}

func (v *systemView) diagnostics() g.Node {
	return section("diagnostics", "Diagnostics", h.Div(h.Class("card"),
		h.P(prose("A support bundle is one zip file for remote support. It has the configuration, the state, line "+
			"statistics, values, metrics and the log. Passwords, keys, tokens and comments are removed: the file "+
			"`removed.txt` in it lists each removed text with its place. Look into the bundle before you send it.")),
		h.P(h.A(h.Class("button"), link("/api/v1/bundle"), g.Attr("download"), g.Text("Make support bundle"))),
		g.If(v.Doctor, h.P(button("/system/doctor", g.Text("Check this gateway")))),
		h.P(h.Class("muted"),
			prose("On the gateway, `sudo noi-agent doctor` checks more: also the controllers and the clouds."))))
}

func (v *systemView) about() g.Node {
	reason := v.Status.Clock.Reason
	return section("about", "About", h.Div(h.Class("card"),
		h.Dl(h.Class("facts-list pairs"),
			pair("Version", g.Text(v.Status.Version)),
			h.Div(h.Dt(g.Text("Device id")), h.Dd(h.Class("id"), g.Text(v.Status.DeviceID))),
			pair("Up since", v.Zone.when(v.Status.StartedAt), g.Text(", "+age(v.Status.UptimeS))),
			pair("Clock", state(clockState(v.Status.Clock)), g.If(reason != "", g.Group{g.Text(" "), muted(reason)})),
			endpointFacts(v.Status.Endpoint),
			pair("API", h.A(link("/api/v1/openapi.yaml"), g.Text("OpenAPI document"))),
			pair("Licences", g.Text("Apache-2.0; "),
				h.A(link("/system/licences"), g.Text("licences of the built-in modules")))),
		v.session()))
}

// endpointFacts shows the addresses of these pages, and the fingerprint of the certificate.
func endpointFacts(e *api.Endpoint) g.Node {
	if e == nil {
		return nil
	}
	id := func(text string) g.Node { return h.Span(h.Class("id"), g.Text(text)) }
	fingerprint := g.Text("none: this page is for this machine only")
	if e.Fingerprint != "" {
		fingerprint = id(e.Fingerprint)
	}
	return g.Group{
		g.If(len(e.Addresses) > 0, pair("Addresses", g.Map(e.Addresses, func(a string) g.Node {
			return g.Group{id(a), g.Text(" ")}
		}))),
		pair("Certificate (SHA-256)", fingerprint),
	}
}

// session shows the button that logs in or out.
func (v *systemView) session() g.Node {
	switch {
	case !v.Login:
		return nil
	case v.LoggedIn:
		return h.Form(h.Method("post"), h.Action("/logout"), h.Class("buttons"), h.Button(g.Text("Log out")),
			g.Text(" "), h.P(h.Class("muted"), g.Text("You are logged in and may change things.")))
	}
	return h.P(h.Class("buttons"), button("/login?next=/system", g.Text("Log in to change things")))
}
