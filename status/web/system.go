package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"noi-agent/status/api"
	"noi-agent/status/wording"
)

// systemView is what the page shows.
type systemView struct {
	frame
	Doctor bool // there is a page of diagnostics
}

// system answers with outbox, line statistics and the gateway itself.
func (s *Site) system(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r) {
		return
	}
	s.render(w, http.StatusOK, "system", &systemView{s.frame("System", "/system"), s.o.Doctor != nil})
}

// Waiting are all messages that wait.
func (v *systemView) Waiting() (n uint64) {
	for i := range v.Status.Integrations {
		n += v.Status.Integrations[i].Backlog
	}
	return n
}

// Dead are all messages that were set aside.
func (v *systemView) Dead() (n int) {
	for i := range v.Status.Integrations {
		n += v.Status.Integrations[i].Dead
	}
	return n
}

// gapView is a gap with its integration.
type gapView struct {
	api.Gap
	Integration string
	ID          string // of the integration
}

// Gaps are the newest gaps of all integrations.
func (v *systemView) Gaps() []gapView {
	var list []gapView
	for i := range v.Status.Integrations {
		in := &v.Status.Integrations[i]
		for _, g := range in.Gaps[:min(wording.NewestGaps, len(in.Gaps))] {
			list = append(list, gapView{g, nameOf(&v.Status, in.ID), in.ID})
		}
	}
	return list
}

// figure is a counter with its name for people.
type figure struct {
	Name  string
	Value float64
}

// Figures are the counters of a line or slave that are not zero, in words.
func (v *systemView) Figures(c api.Counters) ([]figure, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	var list []figure
	for name, value := range all {
		n, ok := value.(float64)
		if ok && n != 0 && !strings.HasPrefix(name, "turnaround") && name != "requests" && name != "replies" {
			list = append(list, figure{strings.ReplaceAll(name, "_", " "), n})
		}
	}
	for code, n := range c.ExceptionCodes {
		list = append(list, figure{"exception " + code, float64(n)})
	}
	slices.SortFunc(list, func(a, b figure) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}
