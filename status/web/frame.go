package web

import (
	"bytes"
	"net/http"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"noi-agent/status/api"
)

// view is one page. outline returns the data that every page has, content the HTML of this page.
type view interface {
	outline() *frame
	content() g.Node
}

// frame has the data of every page. A page's view embeds it.
type frame struct {
	Title   string // of the page, without the gateway's name
	Tab     string // address of the tab that the page belongs to; "": none
	Refresh bool   // the page is kept up to date: by the script, or by a reload every 30 s in a browser without scripts
	Site    string // name of the gateway
	Now     time.Time
	Zone    zone // of the gateway
	Status  api.Status
	Login   bool // it is possible to log in
	// Editable is set if integrations can be changed on the pages.
	Editable bool
	Unread   []string // sentences about data that could not be read
	Style    string   // address of the stylesheet
	Script   string   // address of the script
	Icon     string   // address of the icon
}

// frame returns the data that every page has. It also notes the counters for the pace of the integrations.
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

// outline implements view for the types that embed the frame.
func (f *frame) outline() *frame { return f }

// layout returns the whole page around a content.
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

// tabs returns the links to the five parts of the site.
func (f *frame) tabs() g.Node {
	tab := func(name, path string) g.Node { return h.A(link(path), pressed(path == f.Tab), g.Text(name)) }
	return h.Nav(h.Aria("label", "Pages"),
		tab("Overview", "/"), tab("Values", "/values"), tab("Integrations", "/integrations/aws"),
		tab("Triggers", "/triggers"), tab("System", "/system"))
}

// incomplete returns a box with a sentence about data that could not be read.
func incomplete(what string) g.Node {
	return h.Div(h.Class("note-box bad"),
		h.P(h.Class("bad"), markOf(bad), g.Text(" "), h.Strong(g.Text("This page is not complete.")),
			g.Text(" "+what)),
		h.P(g.Text("The rest of the page is correct. "), h.A(link("/system#log"), g.Text("The log")),
			g.Text(" may say more.")))
}

func (f *frame) footer() g.Node {
	var about g.Node
	if f.Title != "Log in" { // everybody can open the login page, so it does not show the device id
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

// message is a page with one heading and one text.
type message struct {
	frame
	Heading string
	Text    string
}

func (v *message) content() g.Node {
	return g.Group{h.H1(g.Text(v.Heading)), h.P(prose(v.Text)), h.P(button("/", g.Text("Overview")))}
}

// Missing answers a browser that asks for an address without a page.
func (s *Site) Missing(w http.ResponseWriter, r *http.Request) {
	s.say(w, http.StatusNotFound, "There is no such page", "Nothing is at "+r.URL.Path+".")
}

// say answers with a page that has one heading and one text.
func (s *Site) say(w http.ResponseWriter, status int, heading, text string) {
	m := message{s.frame(heading, ""), heading, text}
	m.Refresh = false
	s.render(w, status, &m)
}
