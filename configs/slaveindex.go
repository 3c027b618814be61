package configs

import (
	"strings"

	"noi-agent/internal/strictyaml"
	"noi-agent/objects"
)

// slaveIndex finds the slaves that the `slaves` of an integration select. Its time grows with the number of slaves plus
// the number of words, and not with their product: a gateway may have thousands of both.
type slaveIndex struct {
	catalog *objects.Catalog
	slaves  []indexedSlave           // in the order of the file
	words   map[string]bool          // each word of each slave
	asked   map[*objects.Family]bool // the families of all slaves
	names   []string                 // for hints: "line/unit id", names and product codes
}

// indexedSlave is a slave with its names: the words of an integration are compared with them.
type indexedSlave struct {
	slave *Slave
	words []string // "line/unit id", name, product code, model, if the configuration has them
	// families that the slave may have; it is asked for its product code. nil: the slave is not asked.
	families []*objects.Family
}

func (v *validator) indexSlaves() *slaveIndex {
	x := &slaveIndex{catalog: v.cat, words: map[string]bool{}, asked: map[*objects.Family]bool{}}
	for i := range v.config.Lines {
		l := &v.config.Lines[i]
		for j := range l.Slaves {
			s := &l.Slaves[j]
			entry := indexedSlave{slave: s, words: []string{unitOf(l.Name, s.ID)}}
			for _, word := range []string{s.Name, s.ProductCode} {
				if word != "" {
					entry.words = append(entry.words, word)
				}
			}
			x.names = append(x.names, entry.words...)
			if !s.Auto() {
				entry.words = append(entry.words, s.Model)
			}
			if s.ProductCode == "" || s.Firmware == "" {
				entry.families = v.families(s)
			}
			x.add(entry)
		}
	}
	return x
}

func (x *slaveIndex) add(s indexedSlave) {
	x.slaves = append(x.slaves, s)
	for _, word := range s.words {
		x.words[word] = true
	}
	for _, f := range s.families {
		x.asked[f] = true
	}
}

// means reports whether a word is a name of a slave, or may be the product code that a slave reports later.
func (x *slaveIndex) means(word string) bool {
	if x.words[word] {
		return true
	}
	f, ok := x.catalog.ByProductCode(word)
	return ok && x.asked[f]
}

// selected returns the slaves whose samples an integration may send, by the configuration alone.
func (x *slaveIndex) selected(n Names) []*Slave {
	words, families := map[string]bool{}, map[*objects.Family]bool{}
	for _, word := range n.List {
		words[word] = true
		if f, ok := x.catalog.ByProductCode(word); ok {
			families[f] = true
		}
	}
	var slaves []*Slave
	for _, s := range x.slaves {
		if n.All || anyIn(words, s.words) || anyIn(families, s.families) {
			slaves = append(slaves, s.slave)
		}
	}
	return slaves
}

func anyIn[K comparable](set map[K]bool, keys []K) bool {
	for _, k := range keys {
		if set[k] {
			return true
		}
	}
	return false
}

// mostHinted is the most slaves for which hint searches a similar name: it compares each unknown word with each slave.
const mostHinted = 200

// hint returns what may be meant by a word that is no name of a slave.
func (x *slaveIndex) hint(word string) string {
	if len(x.names) <= mostHinted {
		if near := strictyaml.Nearest(word, x.names); near != "" {
			return "did you mean " + near + "?"
		}
	}
	return "want all, or some of " + clip(strings.Join(x.names[:min(len(x.names), mostHinted)], ", "))
}
