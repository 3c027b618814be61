package configs

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"noi-agent/internal/strictyaml"
	"noi-agent/objects"
)

// IntegrationsFile is the name of the file, in the state directory, that has the integrations made on the page, over
// the API or by command. The agent writes it; a person may.
const IntegrationsFile = "integrations.yaml"

// Added are the integrations of such a file.
type Added struct {
	Integrations []Integration `yaml:"integrations"`

	doc *strictyaml.Document
}

// Line returns where the i-th integration begins, from 1; 0: not known.
func (a *Added) Line(i int) int { return a.doc.Line(strictyaml.Index("integrations", i)) }

// ParseAdded decodes and checks integrations that stand beside those of a valid configuration, with the schema and the
// rules of that: names and ids have to be new to both. It returns all faults in the order of lines. With a fault the
// Added is good for looking at; Sound says what of it can be run.
func ParseAdded(data []byte, beside *Config, cat *objects.Catalog) (*Added, strictyaml.Faults) {
	a := new(Added)
	doc, faults := strictyaml.Decode(data, a)
	a.doc = doc
	c := *beside
	c.Integrations = a.Integrations
	v := newValidator(&c, doc, cat, faults)
	v.beside = append([]Integration{}, beside.Integrations...)
	v.integrations()
	v.faults.Sort()
	return a, v.faults
}

// Sound returns the integrations that can be run in spite of the faults: those whose only faults are words that mean no
// object and no slave, as it is after a change of the lines. Such a word picks nothing.
func (a *Added) Sound(faults strictyaml.Faults) (sound []Integration) {
	bad := map[string]bool{}
	for _, f := range faults {
		harmless := []string{CodeUnknownObject, CodeUnknownSlave, CodeNotPolled}
		if steps := strictyaml.Steps(f.Path); len(steps) < 2 {
			return nil // of the file as a whole
		} else if !slices.Contains(harmless, f.Code) {
			bad[strictyaml.Key("", steps[0])+"["+steps[1]+"]"] = true
		}
	}
	for i := range a.Integrations {
		if !bad[strictyaml.Index("integrations", i)] {
			sound = append(sound, a.Integrations[i])
		}
	}
	return sound
}

// With returns the configuration with more integrations behind its own.
func (c *Config) With(more []Integration) *Config {
	all := *c
	all.Integrations, all.added = slices.Concat(c.Integrations, more), c.added+len(more)
	return &all
}

// LoadAdded reads and checks the file of integrations in the state directory of a valid configuration. Without that
// file there are none. Faults of its content come as *Error; the other errors are those of reading it.
func LoadAdded(beside *Config, cat *objects.Catalog) (*Added, error) {
	path := filepath.Join(beside.StateDir, IntegrationsFile)
	data, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return new(Added), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the integrations: %w", err)
	}
	a, faults := ParseAdded(data, beside, cat)
	if len(faults) > 0 {
		return nil, &Error{File: path, Faults: faults}
	}
	return a, nil
}
