package configs

import (
	"strings"

	"noi-agent/internal/strictyaml"
	"noi-agent/objects"
)

// slaveIndex answers which slaves the `slaves` of an integration mean. Its cost grows with the number of slaves plus
// the number of words, and not with their product: a fleet's gateway may have thousands of both.
type slaveIndex struct {
	catalog *objects.Catalog
	slaves  []indexedSlave           // in the order of the file
	words   map[string]bool          // each word of each slave
	asked   map[*objects.Family]bool // each family of each slave
	names   []string                 // for hints: "line/unit id", names and product codes
}

// indexedSlave is a slave with what the words of an integration are compared with.
type indexedSlave struct {
	slave *Slave
	words []string // "line/unit id", name, product code, model; as far as the configuration has them
	// families are those that the slave may turn out to be when it is asked for its product code; nil: it is not asked.
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

// means reports whether a word means any slave, or may mean one once the slave has reported its product code.
func (x *slaveIndex) means(word string) bool {
	if x.words[word] {
		return true
	}
	f, ok := x.catalog.ByProductCode(word)
	return ok && x.asked[f]
}

// selected returns the slaves that an integration takes samples from, as far as the configuration shows it.
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

// mostHinted is the most slaves among which a similar name is looked for. Each unknown word costs a look at each of
// them.
const mostHinted = 200

// hint says what may be meant by a word that means no slave.
func (x *slaveIndex) hint(word string) string {
	if len(x.names) <= mostHinted {
		if near := strictyaml.Nearest(word, x.names); near != "" {
			return "did you mean " + near + "?"
		}
	}
	return "want all, or some of " + clip(strings.Join(x.names[:min(len(x.names), mostHinted)], ", "))
}
