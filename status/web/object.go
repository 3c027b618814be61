package web

import (
	"fmt"
	"net/http"
	"strconv"

	"noi-agent/objects"
)

// objectView is what the page of an object shows.
type objectView struct {
	frame
	Controller   controller
	Value        valueView
	Definition   *objects.Object // nil: the family does not know it
	Integrations []string        // names of those that send it; nil: not known
}

// object answers with the page of one object.
func (s *Site) object(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r) {
		return
	}
	line, name := r.PathValue("line"), r.PathValue("object")
	unit, err := strconv.Atoi(r.PathValue("unit"))
	v := &objectView{frame: s.frame(name, "/values")}
	latest := s.o.Source.Objects().Objects
	for _, c := range s.controllers(&v.Status, latest) {
		if err != nil || c.Line != line || c.UnitID != unit {
			continue
		}
		for _, value := range s.valuesOf(&c, latest) {
			if value.Object == name {
				v.Controller, v.Value, v.Definition = c, value, s.objectOf(c.Family, name)
				v.Title = name + " of " + c.Name()
				s.render(w, http.StatusOK, "object", v)
				return
			}
		}
	}
	s.say(w, http.StatusNotFound, "There is no such object",
		fmt.Sprintf("No controller %s/%s with an object %s is read.", line, r.PathValue("unit"), name))
}

// Register is where the object stands in the controller.
func (v *objectView) Register() string {
	if v.Definition == nil {
		return ""
	}
	return fmt.Sprintf("register 0x%04X", v.Definition.Address)
}

// Encoding is how the controller codes it, in words.
func (v *objectView) Encoding() string {
	if v.Definition == nil {
		return ""
	}
	e := string(v.Definition.Encoding)
	words, ok := map[string]string{
		"f16": "half float", "f32": "float", "u16": "16 bits", "s16": "16 bits, signed", "u32": "32 bits",
		"s32": "32 bits, signed", "state16": "state", "bits16": "16 single bits", "bits32": "32 single bits",
	}[e]
	if !ok {
		return e
	}
	return words
}
