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

// longestTest is how long a test may take: five steps, each with the clouds' own limits.
const longestTest = 2 * time.Minute

// aboutView is a page about one integration.
type aboutView struct {
	frame
	ID, Name, Type string
}

// testView is the page of a test.
type testView struct{ aboutView }

// setupView is the page of what the cloud needs first.
type setupView struct {
	aboutView
	Needs string // commands
}

// about returns the page of an integration. If it cannot, it has answered.
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

// setup answers with the commands that the cloud needs first.
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

// test tests the active integration. Its steps are shown as they end.
func (s *Site) test(w http.ResponseWriter, r *http.Request) {
	if v, ok := s.about(w, r, "Test of "); ok {
		s.try(w, r, v.ID, nil, &testView{v})
	}
}

// try answers with a page that has the place of steps in it, and runs a test there: the browser gets each step as it
// ends. No script is needed for it. config is as Integrations.Test takes it.
func (s *Site) try(w http.ResponseWriter, r *http.Request, id string, config []byte, v view) {
	takesLong(w)
	var b bytes.Buffer
	_ = v.outline().layout(v.content()).Render(&b) // into memory
	before, after, _ := bytes.Cut(b.Bytes(), []byte(stepsHere))
	w.Header().Set("Content-Type", typeHTML)
	write := func(part string) {
		_, _ = w.Write([]byte(part)) // a reader who has gone needs none
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
