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

// IntegrationsFile is the name of the file, in the state directory, with the integrations that are made on the page,
// over the API or by command. The agent writes the file. A person may edit it.
const IntegrationsFile = "integrations.yaml"

// Added has the integrations of an IntegrationsFile.
type Added struct {
	Integrations []Integration `yaml:"integrations"`

	doc *strictyaml.Document
}

// Line returns the line at which the i-th integration begins, from 1; 0: not known.
func (a *Added) Line(i int) int { return a.doc.Line(strictyaml.Index("integrations", i)) }

// ParseAdded decodes and checks integrations beside a valid configuration, with the same schema and rules. Names and
// ids must be unique in both. It returns all errors in the order of lines. If there is an error, do not run the Added;
// Sound returns the part that can run.
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

// Sound returns the integrations that can run in spite of the errors: those whose only errors are names that match no
// object and no slave, for example after a change of the lines. Such a name selects nothing.
func (a *Added) Sound(faults strictyaml.Faults) (sound []Integration) {
	bad := map[string]bool{}
	for _, f := range faults {
		harmless := []string{CodeUnknownObject, CodeUnknownSlave, CodeNotPolled}
		if steps := strictyaml.Steps(f.Path); len(steps) < 2 {
			return nil // the error is about the whole file
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

// With returns the configuration with more integrations after its own.
func (c *Config) With(more []Integration) *Config {
	all := *c
	all.Integrations, all.added = slices.Concat(c.Integrations, more), c.added+len(more)
	return &all
}

// LoadAdded reads and checks the file of integrations in the state directory of a valid configuration. If the file does
// not exist, there are none. Errors in its content come as *Error; other errors are those of reading the file.
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
