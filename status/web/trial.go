package web

import (
	"bytes"
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	g "maragu.dev/gomponents"

	"noi-agent/status/api"
)

// longestTest is the time limit of a test. Each of its steps also has a limit of its own.
const longestTest = 2 * time.Minute

// aboutView is the data of a page about one integration.
type aboutView struct {
	frame
	ID, Name, Type string
}

// testView is the data of the page of a test.
type testView struct{ aboutView }

// setupView is the data of the page with the commands that prepare the cloud.
type setupView struct {
	aboutView
	Needs string // the commands
}

// about returns the data of the integration that the path names. If there is none, ok is false and about has answered.
func (s *Site) about(w http.ResponseWriter, r *http.Request, title string) (v aboutView, ok bool) {
	entry, err := s.o.Integrations.Get(r.PathValue("id"))
	if err != nil {
		s.fail(w, err)
		return v, false
	}
	v = aboutView{ID: entry.Config.ID, Name: cmp.Or(entry.Config.Name, entry.Config.ID), Type: entry.Config.Type}
	v.frame = s.frame(title+v.Name, "/integrations/aws")
	v.Refresh = false
	return v, true
}

// setup shows the commands that prepare the cloud.
func (s *Site) setup(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r) {
		return
	}
	about, ok := s.about(w, r, "Set-up of ")
	if !ok {
		return
	}
	needs, err := s.o.Integrations.Needs(about.ID)
	if err != nil {
		s.fail(w, err)
		return
	}
	s.render(w, http.StatusOK, &setupView{about, needs})
}

// test tests the active integration. The page shows each step when it ends.
func (s *Site) test(w http.ResponseWriter, r *http.Request) {
	if v, ok := s.about(w, r, "Test of "); ok {
		s.try(w, r, v.ID, nil, &testView{v})
	}
}

// try runs a test and writes each step into the page when the step ends. The page v must contain steps(). It needs no
// script. config is as Integrations.Test takes it.
func (s *Site) try(w http.ResponseWriter, r *http.Request, id string, config []byte, v view) {
	takesLong(w)
	var b bytes.Buffer
	_ = v.outline().layout(v.content()).Render(&b) // into memory
	before, after, _ := bytes.Cut(b.Bytes(), []byte(stepsHere))
	w.Header().Set("Content-Type", typeHTML)
	write := func(part string) {
		_, _ = w.Write([]byte(part)) // an error means that the client has gone
		_ = http.NewResponseController(w).Flush()
	}
	piece := func(n g.Node) {
		var p strings.Builder
		_ = n.Render(&p) // into memory
		write(p.String())
	}
	write(string(before) + `<section class="card steps" aria-label="Test"><ol>`)
	ctx, cancel := context.WithTimeout(r.Context(), longestTest)
	defer cancel()
	result, err := s.o.Integrations.Test(ctx, id, config, func(step api.TestStep) { piece(stepNode(step)) })
	write(`</ol>`)
	if err != nil {
		piece(broken(err))
	} else {
		piece(verdict(&result))
	}
	write(`</section>` + string(after))
}
