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

func (v *triggerView) content() g.Node {
	r := &v.Row
	var message g.Node
	if r.Gap == nil {
		message = copied(h.H2(g.Text("Published Data "),
			h.Span(h.Class("muted small"), g.Textf("%d bytes", len(r.Raw)))), h.Code(lean(r.Raw)))
	}
	return g.Group{
		crumbs("/triggers", "Triggers", g.Textf(" › %d", r.ID)),
		done(v.Done),
		v.headline(),
		v.explanation(),
		v.buttons(),
		v.facts(),
		message,
		copied(h.H2(g.Text("Integration Data")), h.Code(lean(r.Said))),
		v.turns(),
	}
}

// headline shows the result of the message.
func (v *triggerView) headline() g.Node {
	r := &v.Row
	words := "Not delivered: " + r.State.Words + "."
	switch {
	case r.Gap != nil:
		words = "Samples are missing."
	case r.Success && r.Replayed:
		words = "Delivered again, after a replay."
	case r.Success:
		words = "Delivered."
	}
	late := r.Late()
	return h.Section(h.Class("sentence "+r.State.Tone), h.H1(markOf(r.State.Tone), g.Text(" "+words)),
		h.P(v.Zone.parsed(r.CompletedAt), g.If(late != "", g.Text(", "+late+" than sampled"))))
}

// explanation shows the error of the cloud, and the remedy.
func (v *triggerView) explanation() g.Node {
	r, d := &v.Row, &v.Detail
	if r.IntegrationData.Error == "" && d.Remedy == "" {
		return nil
	}
	var said, remedy g.Node
	if r.IntegrationData.Error != "" {
		said = g.Group{h.H2(g.Text("Answer of " + cmp.Or(r.Cloud, "the cloud"))),
			h.P(h.Class("detail"), g.Text(r.IntegrationData.Error))}
	}
	if d.Remedy != "" {
		remedy = g.Group{h.H2(g.Text("What to do")), h.P(prose(d.Remedy))}
	}
	return h.Section(h.Class("card said"), said, remedy)
}

func (v *triggerView) buttons() g.Node {
	publish := h.P(h.Class("muted"), g.Text("Publish again is not possible. "+ended(v.Detail.WhyNot)))
	if v.Detail.CanPublish {
		publish = button(fmt.Sprintf("/triggers/%d/publish", v.Row.ID), g.Text("Publish again…"))
	}
	return h.Div(h.Class("buttons"),
		g.If(v.Held() && v.Editable, posts(at("integrations", v.Row.IntegrationID, "wake"), "Try now")), publish)
}

func (v *triggerView) facts() g.Node {
	r := &v.Row
	about := g.Iff(r.Gap == nil, v.aboutSample)
	if r.Gap != nil {
		about = aboutGap(v.Zone, r.Gap)
	}
	return h.Dl(h.Class("card facts-list pairs"),
		about,
		pair("Integration", h.A(link(v.of()), g.Text(r.Integration)),
			g.If(r.Cloud != "", g.Group{g.Text(" "), muted(r.Cloud)})),
		pair("Topic/Arn", h.Span(h.Class("id"), g.Text(r.Topic)), g.Text(" "), muted("as it was then")))
}

// of returns the address of all triggers of the integration.
func (v *triggerView) of() string {
	return "/triggers?integration=" + url.QueryEscape(v.Row.IntegrationID)
}

func aboutGap(z zone, gap *api.Gap) g.Node {
	acknowledged := "no"
	if gap.Acknowledged {
		acknowledged = "yes"
	}
	return g.Group{
		pair("Object", gapObject(gap), g.If(gap.Unit != "", g.Text(" of "+gap.Unit))),
		pair("From – to", z.stretch(gap.From, gap.To)),
		pair("Samples", g.Text(gapCount(gap))),
		pair("Reason", g.Text(wording.Gap(gap.Reason))),
		pair("Acknowledged", g.Text(acknowledged)),
	}
}

func gapObject(gap *api.Gap) g.Node {
	if gap.Object == "" {
		return g.Text("not known")
	}
	return h.Span(h.Class("name"), g.Text(gap.Object))
}

func gapCount(gap *api.Gap) string {
	if gap.Count == 0 {
		return "not known"
	}
	return count(gap.Count)
}

func (v *triggerView) aboutSample() g.Node {
	r, d := &v.Row, &v.Detail
	slave := cmp.Or(d.Slave, r.Slave)
	if d.Line != "" {
		slave += fmt.Sprintf(", %s/%d", d.Line, d.UnitID)
	}
	id := cmp.Or(r.SampleID, d.SampleID)
	return g.Group{
		pair("Object", h.Span(h.Class("name"), g.Text(cmp.Or(r.Object, d.Object))), g.Text(" = "),
			h.Strong(g.Text(r.Value)), g.If(d.Unit != "", g.Text(" "+d.Unit))),
		pair("Slave", g.Text(slave)),
		pair("Sampled at", v.Zone.parsed(r.SampledAt)),
		pair("Published at", v.Zone.parsed(r.PublishedAt)),
		pair("Completed At", v.Zone.parsed(r.CompletedAt)),
		g.If(id != "", h.Div(h.Dt(g.Text("Sample id")), h.Dd(h.Class("id"), g.Text(id)))),
	}
}

// turns returns the links to other triggers.
func (v *triggerView) turns() g.Node {
	var all g.Group
	turn := func(there bool, address, words string) {
		if there {
			all = append(all, button(address, g.Text(words)), g.Text(" "))
		}
	}
	object := cmp.Or(v.Row.Object, v.Detail.Object)
	turn(v.Newer > 0, "/triggers/"+strconv.FormatUint(v.Newer, 10), "Newer")
	turn(v.Older > 0, "/triggers/"+strconv.FormatUint(v.Older, 10), "Older")
	turn(object != "", "/triggers?object="+url.QueryEscape(object), "Same object")
	return h.P(h.Class("turn"), all,
		button(v.of()+"&success=false", g.Text(v.Row.Integration+", failed only")))
}
