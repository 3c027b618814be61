package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"sync"
	"time"

	"noi-agent/status/api"
)

//go:embed *.html
var templateFiles embed.FS

// templates are the pages by the names of their files. Each is parsed when it is asked for first.
type templates map[string]func() *template.Template

// parseTemplates returns the pages that are built in. Each is the layout with a content of its own. It is parsed when
// it is shown first: all pages together have 1.3 MB, and most gateways show none.
func parseTemplates(funcs template.FuncMap) templates {
	base := sync.OnceValue(func() *template.Template {
		layout := template.New("layout.html").Funcs(funcs)
		return template.Must(layout.ParseFS(templateFiles, "layout.html", "parts.html"))
	})
	all := templates{}
	for _, name := range []string{"overview", "values", "object", "integrations", "triggers", "trigger", "system",
		"doctor", "licences", "message", "logs", "setaside",
		"form", "confirm", "test", "setup", "login"} {
		all[name] = sync.OnceValue(func() *template.Template {
			page := template.Must(base().Clone())
			return template.Must(page.ParseFS(templateFiles, name+".html"))
		})
	}
	return all
}

// frame has the data of every page. A page's view embeds it.
type frame struct {
	Title   string // of the page, without the gateway's name
	Tab     string // the tab that it belongs to; "": none
	Refresh bool   // without a script the page comes again by itself
	Site    string
	Now     time.Time
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
		Title: title, Tab: tab, Refresh: true, Site: s.o.Name, Now: s.o.Now(), Status: s.o.Source.Status(),
		Login: s.o.Keeper != nil, Editable: s.o.Integrations != nil,
		Style: s.assets.path("style.css"), Script: s.assets.path("live.js"), Icon: s.assets.path("icon.svg"),
	}
	s.paces.note(f.Now, &f.Status)
	return f
}

// tab is one of the five tabs.
type tab struct{ Name, Path string }

// Tabs lists the tabs in their order.
func (f *frame) Tabs() []tab {
	return []tab{{"Overview", "/"}, {"Values", "/values"}, {"Integrations", "/integrations/aws"},
		{"Triggers", "/triggers"}, {"System", "/system"}}
}

// render answers with a page.
func (s *Site) render(w http.ResponseWriter, status int, name string, view any) {
	var b bytes.Buffer
	if err := s.templates[name]().Execute(&b, view); err != nil {
		http.Error(w, "make the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, status, typeHTML, b.Bytes())
}

// message is a page that says one thing.
type message struct {
	frame
	Heading string
	Text    string
}

// say answers with a page that says one thing.
func (s *Site) say(w http.ResponseWriter, status int, heading, text string) {
	m := message{s.frame(heading, ""), heading, text}
	m.Refresh = false
	s.render(w, status, "message", &m)
}
