package configs

import (
	"noi-agent/internal/strictyaml"
	"noi-agent/objects"
)

// sharedNames adds a notice for slaves that would have the same `slave` in their messages: a consumer could not
// distinguish their samples.
func (v *validator) sharedNames() {
	f := firstNames{named: map[string]int{}, coded: map[*objects.Family]int{}, bare: map[*objects.Family]int{}}
	var units []string
	for i := range v.config.Lines {
		l := &v.config.Lines[i]
		for j := range l.Slaves {
			s := &l.Slaves[j]
			unit := unitOf(l.Name, s.ID)
			if first := f.add(len(units), s, v.families(s)); first >= 0 {
				path := strictyaml.Index(strictyaml.Index("lines", i)+".slaves", j)
				v.notice(path, "%s and %s may publish under the same `slave`; give each a name of its own",
					units[first], unit)
			}
			units = append(units, unit)
		}
	}
}

// firstNames has the number of the first slave with each name, code or family. So a slave is not compared with every
// other slave.
type firstNames struct {
	named map[string]int          // by name, or by product code when there is no name
	coded map[*objects.Family]int // without a name, with a product code
	bare  map[*objects.Family]int // with neither: `slave` is the product code that the slave reports
}

// add adds slave number n. It returns the number of the first slave that may have the same name; -1: none.
func (f *firstNames) add(n int, s *Slave, families []*objects.Family) (first int) {
	first = -1
	sooner := func(other int, ok bool) {
		if ok && (first < 0 || other < first) {
			first = other
		}
	}
	if name := firstOf(s.Name, s.ProductCode); name != "" {
		other, ok := f.named[name]
		sooner(other, ok)
		setFirst(f.named, name, n)
	}
	if s.Name != "" {
		return first // a person would not choose the product code of another slave as a name
	}
	for _, family := range families {
		other, ok := f.bare[family]
		sooner(other, ok)
		if s.ProductCode != "" {
			setFirst(f.coded, family, n)
			continue
		}
		other, ok = f.coded[family]
		sooner(other, ok)
		setFirst(f.bare, family, n)
	}
	return first
}

func setFirst[K comparable](m map[K]int, k K, n int) {
	if _, ok := m[k]; !ok {
		m[k] = n
	}
}
