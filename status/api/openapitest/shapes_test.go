package openapitest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// shape is a struct of Go as JSON: its properties, and whether each is always there.
type shape map[string]bool

// shapes returns the structs with JSON names in a package. In the result each name begins with a capital letter,
// because the types of package status are not exported.
func shapes(t *testing.T, dir string) map[string]shape {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found, within := map[string]shape{}, map[string][]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				if properties := properties(s); len(properties) > 0 {
					name := strings.ToUpper(spec.Name.Name[:1]) + spec.Name.Name[1:]
					found[name], within[name] = properties, embedded(s)
				}
			}
			return true
		})
	}
	for name, parts := range within {
		for _, part := range parts {
			maps.Copy(found[name], found[part])
		}
	}
	return found
}

// embedded returns the types that are embedded in a struct.
func embedded(s *ast.StructType) (names []string) {
	for _, f := range s.Fields.List {
		if part, ok := f.Type.(*ast.Ident); ok && len(f.Names) == 0 {
			names = append(names, part.Name)
		}
	}
	return names
}

func properties(s *ast.StructType) shape {
	found := shape{}
	for _, f := range s.Fields.List {
		if f.Tag == nil {
			continue
		}
		name, options, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json"), ",")
		if name != "" && name != "-" {
			found[name] = !strings.Contains(options, "omit")
		}
	}
	return found
}

func TestShapesAndSchemasAreTheSame(t *testing.T) {
	schemas := load(t).Components.Schemas
	answers, questions := shapes(t, ".."), shapes(t, "../..")
	for name, properties := range answers {
		schema := schemas[name]
		if schema == nil {
			t.Errorf("%s of package api is not in status/api/openapi.yaml: add it under components/schemas with %v",
				name, slices.Sorted(maps.Keys(properties)))
			continue
		}
		compare(t, name, properties, slices.Sorted(maps.Keys(schema.Value.Properties)))
		for p, always := range properties {
			if always != slices.Contains(schema.Value.Required, p) {
				t.Errorf("%s.%s is always there: %v; make `required` of its schema say the same", name, p, always)
			}
		}
	}
	for name, schema := range schemas {
		switch {
		case answers[name] != nil:
		case questions[name] != nil:
			compare(t, name, questions[name], slices.Sorted(maps.Keys(schema.Value.Properties)))
		default:
			t.Errorf("no struct has the name of the schema %s in status/api/openapi.yaml: delete it", name)
		}
	}
}

func compare(t *testing.T, name string, fields shape, documented []string) {
	t.Helper()
	for p := range fields {
		if !slices.Contains(documented, p) {
			t.Errorf("the schema of %s in status/api/openapi.yaml lacks the field %s: add it", name, p)
		}
	}
	for _, p := range documented {
		if _, ok := fields[p]; !ok {
			t.Errorf("the struct of the schema %s lacks the property %s: delete it", name, p)
		}
	}
}
