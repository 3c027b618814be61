package web

import (
	"cmp"
	"fmt"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"noi-agent/status/api"
)

func (v *integrationsView) content() g.Node {
	tab := func(cloudType string) g.Node {
		return h.A(link(at("integrations", cloudType)), pressed(v.Cloud == cloudType), g.Text(cloud(cloudType)))
	}
	var cards g.Group
	for i := range v.Of {
		cards = append(cards, v.card(&v.Of[i]))
	}
	if len(cards) == 0 {
		cards = g.Group{h.Div(h.Class("card empty"),
			h.P(g.Text("There is no "+cloud(v.Cloud)+" integration yet.")))}
	}
	var first g.Node
	if v.First != nil {
		first = h.P(state(*v.First))
	}
	return g.Group{
		h.H1(g.Text("Integrations")),
		h.Nav(h.Class("tabs"), h.Aria("label", "Clouds"), tab("aws"), tab("gcp")),
		done(v.Done, first),
		cards,
		g.If(v.Editable, v.adding()),
		v.latest(),
	}
}

func (v *integrationsView) card(e *api.IntegrationEntry) g.Node {
	c := &e.Config
	var now, trouble, waiting g.Node
	if s := e.State; s != nil {
		now = state(integrationState(s))
		trouble = v.trouble(s)
		waiting = v.traffic(s)
	}
	return h.Section(h.Class("card integration"), h.ID(c.ID), h.Aria("labelledby", "h-"+c.ID),
		h.Header(h.H2(h.ID("h-"+c.ID), g.Text(cmp.Or(c.Name, c.ID))), now),
		trouble,
		h.Dl(h.Class("facts-list"), waiting,
			h.Div(h.Class("whole"), h.Dt(g.Text("Topic/Arn")),
				h.Dd(h.Class("id"), g.Text(cmp.Or(c.TopicARN, c.Topic)))),
			g.If(len(c.Objects) > 0, h.Div(h.Class("whole"), h.Dt(g.Text("Objects")),
				h.Dd(g.Text(strings.Join(c.Objects, ", ")))))),
		g.If(e.Locked, h.P(h.Class("muted"), g.Text("Set in "), h.Span(h.Class("id"), g.Text(place(e))),
			prose(". Change it there; it is read again on `systemctl reload noi-agent`."))),
		g.If(v.Editable, editButtons(e)))
}

// trouble shows the problems of an integration as the overview does, the first one open. Without a problem it shows the
// last error.
func (v *integrationsView) trouble(s *api.Integration) g.Node {
	own := api.Status{Integrations: v.Status.Integrations}
	for _, p := range v.Status.Problems {
		if p.Subject == s.ID {
			own.Problems = append(own.Problems, p)
		}
	}
	if len(own.Problems) == 0 {
		return g.If(s.LastError != "", h.P(h.Class("detail"), g.Text(s.LastError)))
	}
	return g.Map(problemsOf(&own, v.Zone), func(p problemView) g.Node { return p.node() })
}

// place returns the file of an integration, and the line in it if that is known.
func place(e *api.IntegrationEntry) string {
	if e.Line == 0 {
		return e.File
	}
	return fmt.Sprintf("%s:%d", e.File, e.Line)
}

// traffic shows how many messages wait, and the time of the last success.
func (v *integrationsView) traffic(s *api.Integration) g.Node {
	waiting, last := count(s.Backlog), g.Text("never")
	if s.OldestAgeS != nil {
		waiting += ", oldest " + oldest(s)
	}
	if s.LastSuccess != nil {
		last = v.Zone.known(s.LastSuccess)
	}
	return g.Group{pair("Waiting", g.Text(waiting)), pair("Last success", last)}
}

// editButtons returns the buttons of an integration.
func editButtons(e *api.IntegrationEntry) g.Node {
	path := at("integrations", e.Config.ID)
	var all g.Group
	if s := e.State; s != nil && (s.State == "waiting" || s.State == "retrying") {
		all = append(all, posts(path+"/wake", "Try now"))
	}
	if !e.Locked {
		turn := posts(path+"/resume", "Resume")
		if e.Config.Enabled {
			turn = posts(path+"/pause", "Pause")
		}
		all = append(all, button(path+"/edit", g.Text("Edit")), turn, button(path+"/remove", g.Text("Remove…")))
	}
	return h.Div(h.Class("buttons"), all, posts(path+"/test", "Test"),
		button(path+"/setup", g.Text("What "+cloud(e.Config.Type)+" needs")))
}

// adding returns the button for a new integration, and what the cloud needs for it.
func (v *integrationsView) adding() g.Node {
	name := cloud(v.Cloud)
	return g.Group{
		h.P(h.Class("turn"), h.A(h.Class("button primary"), link(at("integrations", v.Cloud, "new")),
			g.Text("Add "+name+" integration"))),
		h.Details(h.Class("more"), h.Summary(g.Text("What "+name+" needs first")), prerequisites(v.Cloud)),
	}
}

func prerequisites(cloudType string) g.Node {
	about, example := "A topic, and the role Pub/Sub Publisher on it for the identity of this gateway. After Submit, ",
		`gcloud pubsub topics create MainSolarData --project test-project
gcloud pubsub topics add-iam-policy-binding MainSolarData --project test-project \
  --member serviceAccount:NAME@test-project.iam.gserviceaccount.com --role roles/pubsub.publisher`
	needs, end := "What GCP needs", " has the commands with your names. They are like these:"
	if cloudType == "aws" {
		about = "A topic, and the right to publish to it for the identity of this gateway. After Submit, "
		needs, end = "What AWS needs", " has the commands with your names. The policy is this, with your topic:"
		example = `{
  "Version": "2012-10-17",
  "Statement": [{"Effect": "Allow", "Action": "sns:Publish",
    "Resource": "arn:aws:sns:us-east-2:393221637266:MainSolarData"}]
}`
	}
	return g.Group{h.P(g.Text(about), h.Em(g.Text(needs)), g.Text(end)), h.Pre(command(example))}
}

// latest shows the newest triggers of the integrations of this cloud.
func (v *integrationsView) latest() g.Node {
	unread := len(v.Unread) > 0
	var list g.Node
	switch {
	case len(v.Rows) > 0:
		list = g.Group{v.Zone.triggerRows(v.Rows), h.P(h.Class("turn"), button("/triggers", g.Text("All triggers")))}
	case unread:
	case len(v.Of) > 0:
		list = h.Div(h.Class("card empty"), h.P(g.Text("Nothing published yet.")))
	default:
		list = h.Div(h.Class("card empty"), h.P(g.Text("When an integration publishes, its triggers are listed here.")))
	}
	return section("latest", "Latest triggers",
		g.If(unread, h.P(h.Class("muted"), g.Text("They cannot be read: see above."))), list)
}
