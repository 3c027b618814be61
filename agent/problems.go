package agent

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"noi-agent/configs"
	"noi-agent/status/api"
)

// present makes the shown list of the problems that lines, integrations, clock, store and configuration report. It
// leaves out problems that have not lasted long enough. It folds a problem under the problem that explains it. It fills
// in the name of the subject, and sorts the worst first. Page, command line, metrics, log and systemd all show this
// list.
func present(raw []api.Problem, s *api.Status, now time.Time) []api.Problem {
	table := kindsByCode()
	list := slices.DeleteFunc(raw, func(p api.Problem) bool { return p.Lasts < table[p.Code].VisibleAfter })
	subjects := subjectsOf(s)
	for i := range list {
		list[i] = named(list[i], subjects)
		if list[i].Lasts == 0 {
			list[i].Lasts = now.Sub(list[i].Since)
		}
		list[i].AgeS = int64(max(0, list[i].Lasts).Seconds())
	}
	list = fold(list, table)
	slices.SortStableFunc(list, func(a, b api.Problem) int {
		return cmp.Or(rank(a.Severity, api.Fault, api.Warning)-rank(b.Severity, api.Fault, api.Warning),
			rank(a.Effect, api.Lost, api.Delayed)-rank(b.Effect, api.Lost, api.Delayed))
	})
	return list
}

// rank returns the place of a word in an order; an unknown word comes last.
func rank[T comparable](word T, order ...T) int {
	if i := slices.Index(order, word); i >= 0 {
		return i
	}
	return len(order)
}

// kindsByCode returns the table of kinds by their codes. Kinds with the same code have different texts only.
var kindsByCode = sync.OnceValue(func() map[string]api.Kind {
	table := map[string]api.Kind{}
	for _, k := range api.Kinds() {
		table[k.Code] = k
	}
	return table
})

// fold removes each problem that another one explains, and notes it there. If the explanation is itself explained by a
// third problem, both are noted at the third.
func fold(list []api.Problem, table map[string]api.Kind) []api.Problem {
	explainer := func(i int) int {
		return slices.IndexFunc(list, func(by api.Problem) bool {
			return slices.Contains(table[list[i].Code].DependsOn, by.Code) && partOf(list[i].Subject, by.Subject)
		})
	}
	var shown []api.Problem
	folded := map[int][]api.Folded{}
	for i := range list {
		top := i
		for next := explainer(i); next >= 0 && next != top; next = explainer(next) {
			top = next
		}
		if top != i {
			folded[top] = append(folded[top], api.Folded{Code: list[i].Code, Subject: list[i].Subject,
				Title: list[i].Title, Since: list[i].Since, AgeS: list[i].AgeS,
				Effect: list[i].Effect})
		}
	}
	for i := range list {
		if explainer(i) >= 0 {
			continue
		}
		list[i].Folded = append(list[i].Folded, folded[i]...)
		shown = append(shown, list[i])
	}
	return slices.Concat([]api.Problem{}, shown) // never null
}

// partOf reports whether a subject is another one or is part of it: rs485/1 is part of rs485, and all are part of the
// agent.
func partOf(subject, whole string) bool {
	return subject == whole || whole == subjectAgent || strings.HasPrefix(subject, whole+"/")
}

// subjectAgent is the subject of problems that concern the agent as a whole.
const subjectAgent = "agent"

// subject has the texts for the places of a problem: name, type and cloud of its subject.
type subject struct{ name, kind, cloud string }

// subjectsOf names the lines, slaves and integrations of a status by the subjects of their problems.
func subjectsOf(s *api.Status) map[string]subject {
	all := map[string]subject{}
	for i := range s.Lines {
		line := &s.Lines[i]
		all[line.Name] = subject{name: line.Name}
		for j := range line.Slaves {
			id := fmt.Sprintf("%s/%d", line.Name, line.Slaves[j].UnitID)
			all[id] = subject{name: slaveName(id, &line.Slaves[j])}
		}
	}
	for i := range s.Integrations {
		in := &s.Integrations[i]
		all[in.ID] = subject{cmp.Or(in.Name, in.ID), in.Type, cloudName(in.Type)}
	}
	return all
}

// slaveName returns the name of a slave for people: its configured name, otherwise its unit.
func slaveName(id string, s *api.Slave) string {
	switch s.Slave {
	case "":
		return id
	case s.ProductCode, s.Family:
		return s.Slave + " at " + id
	}
	return s.Slave
}

// cloudName returns the name of the cloud of a type of integration.
func cloudName(kind string) string {
	if kind == configs.AWS {
		return "AWS"
	}
	return "Google"
}

// named fills the placeholders in the texts of a problem.
func named(p api.Problem, subjects map[string]subject) api.Problem {
	s := subjects[p.Subject]
	p.Name = cmp.Or(s.name, p.Subject)
	return p.With("name", p.Name, "id", p.Subject, "type", s.kind, "cloud", s.cloud)
}
