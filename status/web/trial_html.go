package web

import (
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"noi-agent/status/api"
)

func (v *testView) content() g.Node {
	return g.Group{
		v.crumbs(),
		h.H1(g.Text("Test of " + v.Name)),
		steps(),
		h.P(h.Class("turn"), v.back(), g.Text(" "),
			button(at("integrations", v.ID, "setup"), g.Text("What "+cloud(v.Type)+" needs"))),
	}
}

func (v *setupView) content() g.Node {
	name := cloud(v.Type)
	return g.Group{
		v.crumbs(),
		h.H1(g.Text("What " + name + " needs for " + v.Name)),
		h.P(g.Text("Run these commands where the command line of " + name + " is logged in, for example in its cloud " +
			"shell. They create the topic, and allow this gateway to publish to it, and nothing else.")),
		copied(h.H2(g.Text("Commands")), command(v.Needs)),
		h.P(h.Class("muted"), g.Text("The gateway has no credentials yet? On the gateway, "),
			command("noi-agent setup "+v.Type+" "+v.Name), g.Text(" prints every way to get them.")),
		h.Div(h.Class("buttons"), posts(at("integrations", v.ID, "test"), "Test"), g.Text(" "), v.back()),
	}
}

func (v *aboutView) crumbs() g.Node {
	return crumbs(at("integrations", v.Type), "Integrations › "+v.Name)
}

func (v *aboutView) back() g.Node {
	return button(at("integrations", v.Type), g.Text("Back to the integrations"))
}

// stepsHere marks the place in a page where the steps of a test are written.
const stepsHere = "<!-- steps -->"

func steps() g.Node { return g.Raw(stepsHere) }

// stepNode returns a finished step of a test.
func stepNode(step api.TestStep) g.Node {
	tone, words := calm, step.Name+": "+step.Verdict
	switch step.Verdict {
	case "ok":
		tone, words = good, step.Name
	case "FAILED":
		tone, words = bad, step.Name+": failed"
	}
	return h.Li(marked(tone, g.Text(words)), g.Text(" "), h.Span(g.Text(step.Text)),
		g.If(step.Remedy != "", h.Pre(command(step.Remedy))))
}

// verdict returns the result of a test.
func verdict(t *api.IntegrationTest) g.Node {
	said := marked(bad, g.Text("It cannot publish yet."))
	if t.OK {
		said = marked(good, g.Text("The test message was accepted."))
	}
	return g.Group{
		h.P(said, g.If(t.MessageID != "", g.Group{g.Text(" "), muted("message id " + t.MessageID)})),
		g.If(t.Notice != "", h.P(h.Class("muted"), g.Text(t.Notice))),
	}
}

// broken returns the text for a test that ended with an error and has no result.
func broken(err error) g.Node {
	return h.P(h.Class("error"), markOf(bad), g.Text(" The test was stopped: "+err.Error()))
}
