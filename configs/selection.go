package configs

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"noi-agent/objects"
)

// modelAuto is the model of a slave whose family is found by the product code that it reports.
const modelAuto = "auto"

// Auto reports whether the slave has model: auto, so that its family is found by identification.
func (s *Slave) Auto() bool { return s.Model == modelAuto }

// Family returns the slave's family from the configuration: by slug, by product code, or with model auto by the
// configured product code. ok is false if the slave must be asked.
func (s *Slave) Family(cat *objects.Catalog) (f *objects.Family, ok bool) {
	if s.Auto() {
		return cat.ByProductCode(s.ProductCode)
	}
	if f, ok := cat.Family(s.Model); ok {
		return f, true
	}
	return cat.ByProductCode(s.Model)
}

// Polled is one object that is sampled, with its encoding and log interval.
type Polled struct {
	Object   objects.Object
	Interval time.Duration // above 0
}

// Polled returns the sampled objects of the slave, after its family is known, in the family's order. A disputed object
// is left out until Encodings selects its encoding.
func (s *Slave) Polled(f *objects.Family) []Polled {
	words := slices.Sorted(maps.Keys(s.Intervals))
	var polled []Polled
	for _, o := range f.Objects {
		if !s.picks(&o) {
			continue
		}
		if len(o.Choices) > 0 {
			chosen, err := o.With(s.Encodings[o.Name])
			if err != nil {
				continue // no encoding is chosen, or the chosen one is for another family (model auto)
			}
			o = chosen
		}
		p := Polled{Object: o, Interval: o.Interval}
		if word, _ := best(words, o.Name); word != "" {
			p.Interval = s.Intervals[word]
		}
		polled = append(polled, p)
	}
	return polled
}

// picks reports whether the slave's `objects` selects the object.
func (s *Slave) picks(o *objects.Object) bool {
	if s.Objects.All && !o.Setting() {
		return true
	}
	return slices.ContainsFunc(s.Objects.List, func(word string) bool { return selects(word, o) })
}

// selects reports whether a word of the slave's `objects` matches the object. `*` alone does not select a setting:
// settings are in EEPROM and hardly ever change.
func selects(word string, o *objects.Object) bool {
	return match(word, o.Name) && (!o.Setting() || !matchesAnything(word))
}

// Wants reports whether an object of a slave is sent. sourceNames are all names of the slave: its configured name,
// product codes and model.
func (i *Integration) Wants(lineName string, unitID int, sourceNames []string, object string) bool {
	return i.wantsObject(object) && i.WantsSlave(lineName, unitID, sourceNames)
}

// MayWant reports whether an object of a slave of the family would be sent if the slave had one of the product codes
// that the integration lists.
func (i *Integration) MayWant(f *objects.Family, object string) bool {
	return i.wantsObject(object) && slices.ContainsFunc(i.Slaves.List, f.Reports)
}

func (i *Integration) wantsObject(object string) bool {
	return i.Objects.All || slices.ContainsFunc(i.Objects.List, func(word string) bool { return match(word, object) })
}

// WantsSlave reports whether any object of a slave is sent. The arguments are those of Wants.
func (i *Integration) WantsSlave(lineName string, unitID int, names []string) bool {
	return i.Slaves.All || slices.ContainsFunc(names, i.Slaves.has) || i.Slaves.has(unitOf(lineName, unitID))
}

// unitOf returns "line/unit id".
func unitOf(lineName string, unitID int) string { return lineName + "/" + strconv.Itoa(unitID) }
