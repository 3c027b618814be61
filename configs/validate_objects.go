package configs

import (
	"fmt"
	"slices"
	"strings"

	"noi-agent/internal/strictyaml"
	"noi-agent/objects"
)

// This file compares names and patterns of objects with the families that a slave can have.

// anyObject returns the first object of the families for which ok is true; nil if there is none.
func anyObject(families []*objects.Family, ok func(*objects.Object) bool) *objects.Object {
	for _, f := range families {
		for i := range f.Objects {
			if ok(&f.Objects[i]) {
				return &f.Objects[i]
			}
		}
	}
	return nil
}

// UnknownObject returns an error text with a hint, if a name or a pattern matches no object of the families. It returns
// "" if it matches one.
func UnknownObject(word string, families []*objects.Family) string {
	if anyObject(families, func(o *objects.Object) bool { return match(word, o.Name) }) != nil {
		return ""
	}
	return unknownObject(word, families)
}

// unknownObject returns the error text of UnknownObject without checking that the word matches no object.
func unknownObject(word string, families []*objects.Family) string {
	var slugs, names []string
	for _, f := range families {
		slugs = append(slugs, f.Slug)
		for i := range f.Objects {
			names = append(names, f.Objects[i].Name)
		}
	}
	where, have := strings.Join(slugs, " and "), "has no object"
	if len(slugs) > 3 {
		where, have = fmt.Sprintf("the %d families", len(slugs)), "have no object"
	}
	hint := "`noi-agent objects` lists them"
	if near := strictyaml.Nearest(word, append(names, "all")); near != "" {
		hint = "did you mean " + near + "?"
	}
	if isPattern(word) {
		return fmt.Sprintf("the pattern %q matches no object of %s; %s", clip(word), where, hint)
	}
	return fmt.Sprintf("%s %s %q; %s", where, have, clip(word), hint)
}

// slaveObjects checks the `objects` of a slave.
func (v *validator) slaveObjects(path string, s *Slave, families []*objects.Family) {
	for i, word := range s.Objects.List {
		at := v.item(path, s.Objects, i)
		found := anyObject(families, func(o *objects.Object) bool { return selects(word, o) })
		usable := anyObject(families, func(o *objects.Object) bool { return selects(word, o) && s.decided(o) })
		switch {
		case found == nil:
			v.coded(CodeUnknownObject, at, "%s", unknownObject(word, families))
		case usable == nil && !v.broken(strings.TrimSuffix(path, "objects")+"encodings"):
			v.fault(at, "%s", disputed(found))
		}
	}
}

// decided reports whether the object has one encoding: its only one, or a chosen one. Another check finds a choice that
// does not exist.
func (s *Slave) decided(o *objects.Object) bool {
	_, chosen := s.Encodings[o.Name]
	return chosen || len(o.Choices) == 0
}

// disputed returns an error text for an object whose encoding is not chosen: why it is not sampled, and what to write.
func disputed(o *objects.Object) string {
	names := make([]string, len(o.Choices))
	for i, c := range o.Choices {
		names[i] = c.Name
	}
	if len(names) == 1 {
		return fmt.Sprintf("what %s holds depends on the controller, so it is not sampled until you say that it is "+
			"%s: add encodings: {%s: %s} to the slave",
			o.Name, names[0], o.Name, names[0])
	}
	return fmt.Sprintf("the sources dispute the encoding of %s, so it is not sampled until one is chosen: add "+
		"encodings: {%s: %s} to the slave (there are %s)",
		o.Name, o.Name, names[0], strings.Join(names, " and "))
}

func (v *validator) encodings(path string, s *Slave, families []*objects.Family) {
	for _, name := range keysOf(s.Encodings) {
		at := strictyaml.Key(path, name)
		if isPattern(name) {
			v.fault(at, "patterns are not taken here; name each object")
			continue
		}
		var err error
		found, fits := false, false
		for _, f := range families {
			o, ok := f.Object(name)
			if !ok {
				continue
			}
			found = true
			if _, err = o.With(s.Encodings[name]); err == nil {
				fits = true
				break
			}
		}
		switch {
		case !found:
			v.coded(CodeUnknownObject, at, "%s", unknownObject(name, families))
		case !fits:
			v.fault(at, "%s", clip(err.Error()))
		}
	}
}

func (v *validator) intervals(path string, s *Slave, families []*objects.Family) {
	words := keysOf(s.Intervals)
	for _, word := range words {
		at := strictyaml.Key(path, word)
		v.span(at, s.Intervals[word], leastInterval, mostInterval)
		if anyObject(families, func(o *objects.Object) bool { return match(word, o.Name) }) == nil {
			v.coded(CodeUnknownObject, at, "%s", unknownObject(word, families))
		}
	}
	v.ties(path, words, families)
}

// ties adds a fault for two patterns of equal length that match the same object. Only their order could decide between
// them, and a map has no order.
func (v *validator) ties(path string, words []string, families []*objects.Family) {
	reported := map[string]bool{}
	anyObject(families, func(o *objects.Object) bool {
		winner, tie := best(words, o.Name)
		if tie == "" || reported[winner+" "+tie] {
			return false
		}
		reported[winner+" "+tie] = true
		first, second := winner, tie
		if v.doc.Line(strictyaml.Key(path, first)) > v.doc.Line(strictyaml.Key(path, second)) {
			first, second = second, first
		}
		v.fault(strictyaml.Key(path, second),
			"%q and %q are equally long and both match %s; make one longer, or name %s itself", first, second, o.Name,
			o.Name)
		return false
	})
}

// reach returns the slaves of an integration, and the families that they can have. If known is false, the slaves are
// not known, and families are all families: then only the names can be checked.
func (v *validator) reach(in *Integration) (slaves []*Slave, families []*objects.Family, known bool) {
	slaves = v.index.selected(in.Slaves)
	for _, s := range slaves {
		for _, f := range v.families(s) {
			if !slices.Contains(families, f) {
				families = append(families, f)
			}
		}
	}
	if len(families) == 0 || v.broken("lines") {
		return slaves, v.cat.Families(), false
	}
	return slaves, families, true
}

// integrationObjects checks the `objects` of an integration: each name must be an object that a slave polls.
func (v *validator) integrationObjects(path string, in *Integration) {
	slaves, families, known := v.reach(in)
	for i, word := range in.Objects.List {
		at := v.item(path, in.Objects, i)
		found := anyObject(families, func(o *objects.Object) bool { return match(word, o.Name) })
		polled := func(s *Slave) bool { return v.polls(s, word) }
		switch {
		case found == nil:
			v.coded(CodeUnknownObject, at, "%s", unknownObject(word, families))
		case !known || slices.ContainsFunc(slaves, polled):
		case isPattern(word):
			v.notice(at, "no slave of this integration polls anything that %q matches", clip(word))
		default:
			v.coded(CodeNotPolled, at, "no slave of this integration polls %s: %s", found.Name, whyNot(found))
		}
	}
}

// polls reports whether a slave may sample an object that a word matches.
func (v *validator) polls(s *Slave, word string) bool {
	return anyObject(v.families(s), func(o *objects.Object) bool {
		return match(word, o.Name) && s.picks(o) && s.decided(o)
	}) != nil
}

// whyNot returns what to do about an object that is not polled.
func whyNot(o *objects.Object) string {
	switch {
	case len(o.Choices) > 0:
		return disputed(o)
	case o.Setting():
		return "it is a setting, polled only by name; add it to the objects of the slave, as in objects: all, " + o.Name
	default:
		return "add it to the objects of a slave, or take it out here"
	}
}
