package web

import (
	"bytes"
	"net/http"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"noi-agent/status/api"
)

// view is a page: the frame, which all pages have in common, and what is on it.
type view interface {
	outline() *frame
	content() g.Node
}

// frame has the data of every page. A page's view embeds it.
type frame struct {
	Title   string // of the page, without the gateway's name
	Tab     string // the tab that it belongs to; "": none
	Refresh bool   // without a script the page comes again by itself
	Site    string
	Now     time.Time
	Zone    zone // of times that no script shows in the reader's
	Status  api.Status
	Login   bool // there is a login
	// Editable is set where integrations can be changed here.
	Editable bool
	Unread   []string // what could not be read, in words
	Style    string   // address of the stylesheet
	Script   string
	Icon     string
}

// frame returns the frame of a page.
func (s *Site) frame(title, tab string) frame {
	f := frame{
		Title: title, Tab: tab, Refresh: true, Site: s.o.Name, Now: s.o.Now(), Zone: zone{s.o.Zone},
		Status: s.o.Source.Status(),
		Login:  s.o.Keeper != nil, Editable: s.o.Integrations != nil,
		Style: s.assets.path("style.css"), Script: s.assets.path("live.js"), Icon: s.assets.path("icon.svg"),
	}
	s.paces.note(f.Now, &f.Status)
	return f
}

// outline is the frame itself.
func (f *frame) outline() *frame { return f }

// layout is the whole page with a content in it.
func (f *frame) layout(content g.Node) g.Node {
	return h.Doctype(h.HTML(h.Lang("en"), h.Data("version", f.Status.Version),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.TitleEl(g.Text(f.Title+" · "+f.Site)),
			h.Link(h.Rel("icon"), link(f.Icon), h.Type("image/svg+xml")),
			h.Link(h.Rel("stylesheet"), link(f.Style)),
			h.Script(h.Src(f.Script), h.Defer()),
			g.If(f.Refresh, h.NoScript(h.Meta(g.Attr("http-equiv", "refresh"), h.Content("30")))),
		),
		h.Body(
			h.A(h.Class("skip"), link("#main"), g.Text("Skip to the content")),
			h.Header(h.Class("top"), h.Div(h.Class("bar"),
				h.A(h.Class("site"), link("/"), g.Text(f.Site)),
				h.P(h.Class("fresh"), h.ID("fresh"), h.Role("status"), h.Span(h.Class("dot")), g.Text(" "),
					h.Span(h.Class("words"), g.Text("as of "), f.Zone.clock(f.Now))),
				f.tabs())),
			h.Main(h.ID("main"), h.TabIndex("-1"), g.If(f.Refresh, g.Attr("data-live")),
				g.Map(f.Unread, incomplete), content),
			f.footer(),
		)))
}

// tabs are the links to the five parts of the site.
func (f *frame) tabs() g.Node {
	tab := func(name, path string) g.Node { return h.A(link(path), pressed(path == f.Tab), g.Text(name)) }
	return h.Nav(h.Aria("label", "Pages"),
		tab("Overview", "/"), tab("Values", "/values"), tab("Integrations", "/integrations/aws"),
		tab("Triggers", "/triggers"), tab("System", "/system"))
}

// incomplete says what could not be read.
func incomplete(what string) g.Node {
	return h.Div(h.Class("note-box bad"),
		h.P(h.Class("bad"), markOf(bad), g.Text(" "), h.Strong(g.Text("This page is not complete.")),
			g.Text(" "+what)),
		h.P(g.Text("What stands here is right. "), h.A(link("/system#log"), g.Text("The log")),
			g.Text(" may say more.")))
}

func (f *frame) footer() g.Node {
	var about g.Node
	if f.Title != "Log in" { // that page is open to all
		about = h.P(g.Text("noi-agent "+f.Status.Version+" · up "+age(f.Status.UptimeS)+" · device "),
			h.Span(h.Class("id"), g.Text(f.Status.DeviceID)))
	}
	api := func(name string) g.Node { return h.A(link("/api/v1/"+name), g.Text(name)) }
	return h.Footer(about, h.P(
		g.If(f.Login, g.Group{h.A(link("/login"), g.Text("Log in or out")), g.Text(" · ")}),
		g.Text("JSON: "), api("status"), g.Text(" "), api("objects"), g.Text(" "), api("triggers")))
}

// render answers with a page.
func (s *Site) render(w http.ResponseWriter, status int, v view) {
	var b bytes.Buffer
	_ = v.outline().layout(v.content()).Render(&b) // into memory
	send(w, status, typeHTML, b.Bytes())
}

// message is a page that says one thing.
type message struct {
	frame
	Heading string
	Text    string
}

func (v *message) content() g.Node {
	return g.Group{h.H1(g.Text(v.Heading)), h.P(prose(v.Text)), h.P(button("/", g.Text("Overview")))}
}

// say answers with a page that says one thing.
func (s *Site) say(w http.ResponseWriter, status int, heading, text string) {
	m := message{s.frame(heading, ""), heading, text}
	m.Refresh = false
	s.render(w, status, &m)
}
