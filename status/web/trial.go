package web

import (
	"bytes"
	"cmp"
	"context"
	"html/template"
	"net/http"
	"time"

	"noi-agent/status/api"
)

// longestTest is how long a test may take: five steps, each with the clouds' own limits.
const longestTest = 2 * time.Minute

// aboutView is a page about one integration.
type aboutView struct {
	frame
	ID, Name, Type string
	Here           template.HTML // where the steps of a test stand
	Needs          string        // commands
}

// about returns the page of an integration. If it cannot, it has answered.
func (s *Site) about(w http.ResponseWriter, r *http.Request, title string) (*aboutView, bool) {
	entry, err := s.o.Integrations.Get(r.PathValue("id"))
	if err != nil {
		s.fail(w, err)
		return nil, false
	}
	v := &aboutView{ID: entry.Config.ID, Name: cmp.Or(entry.Config.Name, entry.Config.ID), Type: entry.Config.Type}
	v.frame = s.frame(title+v.Name, "/integrations/aws")
	v.Refresh = false
	return v, true
}

// setup answers with the commands that the cloud needs first.
func (s *Site) setup(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r) {
		return
	}
	v, ok := s.about(w, r, "Set-up of ")
	if !ok {
		return
	}
	var err error
	if v.Needs, err = s.o.Integrations.Needs(v.ID); err != nil {
		s.fail(w, err)
		return
	}
	s.render(w, http.StatusOK, "setup", v)
}

// test tests the integration in force. Its steps are shown as they end.
func (s *Site) test(w http.ResponseWriter, r *http.Request) {
	if v, ok := s.about(w, r, "Test of "); ok {
		v.Here = stepsHere
		s.try(w, r, v.ID, nil, "test", v)
	}
}

// stepsHere marks the place of the steps of a test in a page.
const stepsHere template.HTML = "<!-- steps -->"

// try answers with a page that has stepsHere in it, and runs a test there: the browser gets each step as it ends. No
// script is needed for it. config is as Integrations.Test takes it.
func (s *Site) try(w http.ResponseWriter, r *http.Request, id string, config []byte, page string, view any) {
	takesLong(w)
	var b bytes.Buffer
	if err := s.templates[page]().Execute(&b, view); err != nil {
		s.fail(w, err)
		return
	}
	before, after, _ := bytes.Cut(b.Bytes(), []byte(stepsHere))
	w.Header().Set("Content-Type", typeHTML)
	write := func(part string) {
		_, _ = w.Write([]byte(part)) // a reader who has gone needs none
		_ = http.NewResponseController(w).Flush()
	}
	piece := func(name string, data any) {
		var p bytes.Buffer
		_ = s.templates[page]().ExecuteTemplate(&p, name, data) // into memory
		write(p.String())
	}
	write(string(before) + `<section class="card steps" aria-label="Test"><ol>`)
	ctx, cancel := context.WithTimeout(r.Context(), longestTest)
	defer cancel()
	result, err := s.o.Integrations.Test(ctx, id, config, func(step api.TestStep) { piece("step", step) })
	write(`</ol>`)
	if err != nil {
		piece("broken", err.Error())
	} else {
		piece("verdict", result)
	}
	write(`</section>` + string(after))
}
