package objects

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"noi-agent/internal/strictyaml"
)

//go:embed families/*.yaml
var familyFiles embed.FS

// Catalog has the families that the agent knows. It does not change after it is loaded.
type Catalog struct {
	families []*Family // in the order of their slugs
}

// LoadCatalog reads the built-in families and those of the directories: every file whose name ends in .yaml or .yml. A
// directory that does not exist, or has an empty name, has no families. The error has all faults of all files, one per
// line, as "FILE:LINE: path: text".
func LoadCatalog(dirs ...string) (*Catalog, error) {
	families, err := builtIn()
	if err != nil {
		return nil, err
	}
	c := &Catalog{families: slices.Clone(families)}
	var faults []error
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		faults = append(faults, c.addDir(os.DirFS(dir), dir, ParseOwnFamily))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	slices.SortFunc(c.families, func(a, b *Family) int { return strings.Compare(a.Slug, b.Slug) })
	return c, nil
}

// builtIn returns the families of the program. It parses them only once.
var builtIn = sync.OnceValues(func() ([]*Family, error) {
	dir, err := fs.Sub(familyFiles, "families")
	if err != nil {
		return nil, fmt.Errorf("open the built-in families: %w", err)
	}
	c := &Catalog{}
	err = c.addDir(dir, "", ParseFamily)
	return c.families, err
})

// addDir reads the family files of one directory; dir is its name for people.
func (c *Catalog) addDir(fsys fs.FS, dir string, parse func([]byte) (*Family, error)) error {
	entries, err := fs.ReadDir(fsys, ".")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list the family files of %s: %w", dir, err)
	}
	var faults []error
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext != ".yaml" && ext != ".yml" {
			continue
		}
		path := filepath.Join(dir, e.Name())
		data, err := readFamily(fsys, e.Name())
		if err != nil {
			faults = append(faults, fmt.Errorf("read the family file %s: %w", path, err))
			continue
		}
		f, err := parse(data)
		if err == nil {
			err = c.add(f)
		}
		if err != nil {
			faults = append(faults, locate(path, err))
		}
	}
	return errors.Join(faults...)
}

// readFamily reads at most one byte more than the decoder takes: a device or a log in the directory by mistake must not
// fill the memory.
func readFamily(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, strictyaml.MaxSize+1))
}

// add adds a family. It fails if another family has the slug or one of the product codes.
func (c *Catalog) add(f *Family) error {
	for _, other := range c.families {
		if other.Slug == f.Slug {
			return fmt.Errorf("family: there is a family %s already; take another slug", f.Slug)
		}
		for _, code := range f.ProductCodes {
			if slices.Contains(other.ProductCodes, code) {
				return fmt.Errorf("product_codes: %s belongs to the family %s already; leave it out, and name this "+
					"family as the slave's model", code, other.Slug)
			}
		}
	}
	c.families = append(c.families, f)
	return nil
}

// locate adds the name of the file to faults.
func locate(path string, err error) error {
	var faults strictyaml.Faults
	if !errors.As(err, &faults) {
		return fmt.Errorf("%s: %w", path, err)
	}
	located := make([]error, len(faults))
	for i, f := range faults {
		at := path
		if f.Line > 0 {
			at = fmt.Sprintf("%s:%d", path, f.Line)
		}
		f.Line = 0
		located[i] = fmt.Errorf("%s: %w", at, f)
	}
	return errors.Join(located...)
}

// Families returns all families in the order of their slugs.
func (c *Catalog) Families() []*Family { return c.families }

// Family returns the family with that slug, case-sensitive.
func (c *Catalog) Family(slug string) (*Family, bool) {
	for _, f := range c.families {
		if f.Slug == slug {
			return f, true
		}
	}
	return nil, false
}

// ByProductCode returns the family with the longest matching prefix of product codes: TS-MPPT-60-600V-48 is not a
// TS-MPPT-60.
func (c *Catalog) ByProductCode(code string) (*Family, bool) {
	var best *Family
	longest := 0
	for _, f := range c.families {
		for _, prefix := range f.ProductCodes {
			if len(prefix) > longest && strings.HasPrefix(code, prefix) {
				best, longest = f, len(prefix)
			}
		}
	}
	return best, best != nil
}

// Fits reports whether a controller that is configured as family f may report a product code. other is the family of
// the code, nil if no family has it. For a code that f itself reports, or shares, the result is true and f.
func (c *Catalog) Fits(f *Family, code string) (fits bool, other *Family) {
	if best, ok := c.ByProductCode(code); ok && best != f &&
		!slices.ContainsFunc(f.SharedCodes, func(prefix string) bool {
			return strings.HasPrefix(code, prefix)
		}) {
		return false, best
	}
	if f.Reports(code) {
		return true, f
	}
	return false, nil
}

// InText returns the first product code in a free text, such as the answer to function 0x11, and its family.
func (c *Catalog) InText(text string) (code string, f *Family, ok bool) {
	for _, word := range strings.FieldsFunc(text,
		func(r rune) bool { return r <= ' ' || r == ',' || r == ';' || r > '~' }) {
		if f, ok := c.ByProductCode(word); ok {
			return word, f, true
		}
	}
	return "", nil, false
}
