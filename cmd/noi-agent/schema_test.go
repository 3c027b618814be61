package main

import (
	"encoding"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/configs"
	"noi-agent/internal/strictyaml"
	"noi-agent/objects"
	"noi-agent/status/wording"
)

// The JSON Schemas under docs/ are for editors: they complete and check keys while a person writes a file. The test
// makes them from the Go types, their yaml tags, their defaults and the comments on their fields. Some faults only
// the program can find, such as overlaps or a name that matches nothing: `noi-agent check` reports these.

type schema = map[string]any

// schemas makes the schemas.
type schemas struct {
	comments map[string]string // "configs.Line.Baud": the comment beside or above the field
	defs     schema            // by the name of the type
}

// scalar is any single value. The decoder reads each text as it is written, but an editor takes 42, 1.10 and true for
// other types.
func scalar() []string { return []string{"string", "number", "boolean"} }

// durationForm matches the durations of strictyaml.ParseDuration: no leading zero, and a plain 0.
const durationForm = `^[-+]?(0|((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)` +
	`(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*)$`

// wordSchema is a list of words, or words separated by commas. one is the expression of a word.
func wordSchema(one string, least int) schema {
	several := "^\\s*" + one + "(\\s*,\\s*" + one + ")*\\s*$"
	if least == 0 {
		several = "^\\s*(" + one + "(\\s*,\\s*" + one + ")*)?\\s*$"
	}
	item := schema{"type": scalar(), "pattern": "^\\s*" + one + "\\s*$"}
	return schema{"anyOf": []schema{{"type": scalar(), "pattern": several}, {"type": "array", "items": item, "minItems": least}}}
}

// registerSchema has ranges of addresses. An editor reads 0x0010 as the number 16.
func registerSchema() schema {
	s := wordSchema(`0x[0-9A-Fa-f]{4}(\s*-\s*0x[0-9A-Fa-f]{4})?`, 0)
	for _, one := range []schema{s["anyOf"].([]schema)[0], s["anyOf"].([]schema)[1]["items"].(schema)} {
		one["type"], one["minimum"], one["maximum"] = []string{"string", "integer"}, 0, 0xFFFF
	}
	return s
}

// attributeSchema lists the attributes. all and none are allowed only alone.
func attributeSchema() schema {
	s := wordSchema("("+strings.Join(configs.KnownAttributes(), "|")+")", 0)
	alone := schema{"enum": []string{"all", "none"}}
	for _, one := range []schema{s["anyOf"].([]schema)[0], s["anyOf"].([]schema)[1]["items"].(schema)} {
		one["type"] = "string"
	}
	s["anyOf"] = append(s["anyOf"].([]schema), alone, schema{"type": "array", "items": alone, "maxItems": 1})
	return s
}

// ownSchemas are the schemas of types that decode themselves, and of fields with a few possible words.
func ownSchemas() map[string]schema {
	duration := schema{"type": []string{"string", "integer"}, "pattern": durationForm, "minimum": 0, "maximum": 0}
	name := wordSchema(`[^,\s]([^,]*[^,\s])?`, 1)
	hex := func(digits string, most uint64) schema { // an editor's YAML reads 0x0012 as a number
		return schema{"type": []string{"integer", "string"}, "minimum": 0, "maximum": most, "pattern": "^0x(" + digits + ")$"}
	}
	var encodings []string
	for _, e := range objects.Encodings() {
		encodings = append(encodings, string(e))
	}
	return map[string]schema{
		"time.Duration": duration, "objects.Interval": {"type": "string", "pattern": duration["pattern"]},
		"configs.Size":       {"type": []string{"string", "integer"}, "pattern": "^(0|[1-9][0-9]*)(B|kB|KB|MB|GB|KiB|MiB|GiB)?$", "minimum": 0},
		"configs.History":    {"anyOf": []schema{duration, {"enum": []string{"off"}}}},
		"configs.Names":      name,
		"configs.Attributes": attributeSchema(),
		"configs.Registers":  registerSchema(),
		"objects.Address":    hex("[0-9A-Fa-f]{4}", 0xFFFF),
		"objects.Word":       hex("[0-9A-Fa-f]{2}|[0-9A-Fa-f]{4}|[0-9A-Fa-f]{8}|[0-9A-Fa-f]{16}", 0xFFFFFFFFFFFFFFFF),
		"objects.Factor":     {"type": []string{"number", "string"}},
		"objects.Table":      {"enum": objects.Tables()},
		"objects.Encoding":   {"enum": encodings},
		"objects.Order":      {"enum": objects.Orders()},
		"objects.Field":      {"type": []string{"integer", "string"}, "minimum": 0, "maximum": 63, "pattern": "^(0|[1-9][0-9]?)(-(0|[1-9][0-9]?))?$"},

		"objects.ObjectFile.Confidence": {"enum": []string{"high", "medium", "low"}},
		"configs.Config.DeviceID":       {"type": []string{"string", "number"}}, // 24 digits may look like a number
		"configs.Log.Level":             {"enum": []string{"debug", "info", "warn", "error"}},
		"configs.Log.Format":            {"enum": []string{"text", "json"}},
		"configs.Line.Parity":           {"enum": []string{"none", "even", "odd"}},
		"configs.Slave.ModelCheck":      {"enum": []string{configs.ModelCheck, configs.ModelIgnore}},
		"configs.Clock.Source":          {"enum": []string{configs.ClockAuto, configs.ClockSystem}},
		"configs.Integration.Type":      {"enum": []string{configs.AWS, configs.GCP}},
		"configs.Integration.When":      {"enum": []string{configs.WhenEvery, configs.WhenChange}},
		"configs.Integration.Envelope":  {"enum": []string{configs.EnvelopeSingle, configs.EnvelopeBatch}},
		"configs.Integration.Compress":  {"enum": []string{configs.CompressNone, configs.CompressGzip}},
	}
}

// required are the keys that every valid file has.
func required() map[string][]string {
	return map[string][]string{
		"objects.FamilyFile": {"family", "max_registers", "objects"}, "objects.ObjectFile": {"address", "name", "table", "interval"},
		"objects.ChoiceFile": {"name", "encoding"}, "objects.SinceFile": {"object", "least"}, "objects.NamesByFile": {"object", "tables"},
		"configs.Line": {"name", "port"}, "configs.Slave": {"id"}, "configs.Integration": {"type"},
	}
}

// decodesItself reports whether a type decodes itself. Such a type needs its own schema.
func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[strictyaml.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// of returns the schema of a type. key is its place as in ownSchemas, "" if it is no field.
func (s *schemas) of(t reflect.Type, key string) schema {
	for _, name := range []string{key, t.String()} {
		if own, ok := ownSchemas()[name]; ok {
			return own
		}
	}
	if decodesItself(t) {
		panic(t.String() + " decodes itself: say in ownSchemas what it takes")
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem(), key)
	case reflect.Struct:
		if _, done := s.defs[t.String()]; !done {
			s.defs[t.String()] = nil // a type may contain itself
			s.defs[t.String()] = s.structure(t)
		}
		return schema{"$ref": "#/definitions/" + t.String()}
	case reflect.Slice:
		return schema{"type": "array", "items": s.of(t.Elem(), "")}
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": s.of(t.Elem(), "")}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.String:
		return schema{"type": scalar()}
	case reflect.Float64:
		return schema{"type": "number"}
	default:
		return schema{"type": "integer"}
	}
}

func (s *schemas) structure(t reflect.Type) schema {
	defaults := reflect.New(t)
	strictyaml.Decode(nil, defaults.Interface())
	properties := schema{}
	for i := range t.NumField() {
		field := t.Field(i)
		name, ok := field.Tag.Lookup("yaml")
		if !ok {
			continue
		}
		key := t.String() + "." + field.Name
		p := schema{}
		for k, v := range s.of(field.Type, key) {
			p[k] = v
		}
		if text := s.comments[key]; text != "" {
			p["description"] = text
		}
		if d, ok := defaultOf(defaults.Elem().Field(i)); ok {
			p["default"] = d
		}
		properties[name] = p
	}
	out := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if keys := required()[t.String()]; keys != nil {
		out["required"] = keys
	}
	return out
}

// defaultOf returns a default that is a single value, in the form of the file.
func defaultOf(v reflect.Value) (any, bool) {
	switch {
	case v.Kind() == reflect.Bool:
		return v.Bool(), true
	case v.IsZero():
		return nil, false
	case v.Type() == reflect.TypeFor[time.Duration]():
		return wording.Duration(v.Interface().(time.Duration).String()), true
	case v.Type() == reflect.TypeFor[configs.History]():
		return wording.Duration(time.Duration(v.Int()).String()), true
	case v.Type() == reflect.TypeFor[configs.Size]():
		return v.Interface().(configs.Size).String(), true
	case v.Type() == reflect.TypeFor[configs.Names]():
		return "all", true
	case v.CanInt(), v.CanUint(), v.CanFloat(), v.Kind() == reflect.String:
		return v.Interface(), true
	default:
		return nil, false
	}
}

// readComments returns the comment beside or above each field of a package's structs.
func readComments(t *testing.T, into map[string]string, dir string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", dir, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %v", dir, err)
	}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			structure, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, field := range structure.Fields.List {
				for _, name := range field.Names {
					text := strings.TrimSpace(field.Doc.Text() + field.Comment.Text())
					into[dir+"."+spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(text), " ")
				}
			}
			return true
		})
	}
}

// makeSchema returns the schema of a file that decodes into t, as JSON.
func makeSchema(t *testing.T, of reflect.Type, title string) []byte {
	t.Helper()
	s := schemas{comments: map[string]string{}, defs: schema{}}
	readComments(t, s.comments, "objects")
	readComments(t, s.comments, "configs")
	top := schema{"allOf": []schema{s.of(of, "")}} // draft 7 ignores all other keywords beside a $ref
	top["$schema"] = "http://json-schema.org/draft-07/schema#"
	top["title"] = title
	top["definitions"] = s.defs
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(top); err != nil {
		t.Fatal(err)
	}
	return []byte(out.String())
}

func TestSchemasAreTrue(t *testing.T) {
	family := makeSchema(t, reflect.TypeFor[objects.FamilyFile](), "NOI agent: a family of controllers")
	config := makeSchema(t, reflect.TypeFor[configs.Config](), "NOI agent: the configuration")
	clitest.Document(t, "../..", "family.schema.json", family)
	clitest.Document(t, "../..", "config.schema.json", config)

	for pattern, text := range map[string][]byte{
		"../../objects/families/*.yaml": family, "../../docs/families/*.yaml": family,
		"../../configs/noi-agent.yaml": config, "../../configs/demo*.yaml": config,
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if faults := validate(t, text, data); len(faults) > 0 {
				t.Errorf("%s: the schema refuses a file that the program accepts: %v", path, faults)
			}
		}
	}
	for text, want := range map[string]string{
		"family: X\nmax_registers: 5\n":                                                       "objects",
		"family: X\nmax_registers: many\nobjects: []":                                         "max_registers",
		"family: X\nmax_registers: 5\nobjects: [{address: x12, name: a}]":                     "address",
		"family: X\nmax_registers: 5\nobjects: [{encoding: f17}]":                             "encoding",
		"family: X\nmax_registers: 5\nobjects: [{interval: soon}]":                            "interval",
		"family: X\nmax_registers: 5\nobjects: [{since: {object: a, least: 1, most: 2}}]":     "most",
		"family: X\nmax_registers: 5\nobjects: []\nfamilly: Y":                                "familly",
		"family: X\nmax_registers: 5\nobjects: []\ntables: {a: {1: [x]}}":                     "tables",
		"family: X\nmax_registers: 5\nobjects: [{address: 0x10000, name: a, table: holdong}]": "table",
	} {
		if faults := strings.Join(validate(t, family, []byte(text)), "\n"); !strings.Contains(faults, want) {
			t.Errorf("%s\ngives %q, want a fault of %s", text, faults, want)
		}
	}
}

// parsedSchema decodes a schema from its JSON.
func parsedSchema(t *testing.T, text []byte) schema {
	t.Helper()
	var top schema
	if err := json.Unmarshal(text, &top); err != nil {
		t.Fatal(err)
	}
	return top
}

// validate checks a YAML document against a schema, for the keywords that our schemas use. It returns the paths that are not valid.
func validate(t *testing.T, text, document []byte) []string {
	t.Helper()
	return faultsOf(t, parsedSchema(t, text), document)
}

func faultsOf(t *testing.T, top schema, document []byte) []string {
	t.Helper()
	var file struct {
		Document tree `yaml:"document"`
	}
	indented := "document:\n  " + strings.ReplaceAll(string(document), "\n", "\n  ")
	if _, faults := strictyaml.Decode([]byte(indented), &file); len(faults) > 0 {
		t.Fatal(faults)
	}
	v := validation{defs: top["definitions"].(schema)}
	v.check(top, file.Document.value, "")
	return v.faults
}

// tree is a document as an editor sees it: plain scalars that look like numbers or booleans are numbers or booleans.
type tree struct{ value any }

func (t *tree) UnmarshalNode(n strictyaml.Node) error {
	t.value = plain(n)
	return nil
}

func plain(n strictyaml.Node) any {
	if n.Null() {
		return nil
	}
	switch n.Kind() {
	case strictyaml.KindMap:
		m := map[string]any{}
		keys, values := n.Entries()
		for i, k := range keys {
			m[k] = plain(values[i])
		}
		return m
	case strictyaml.KindList:
		list := []any{}
		for _, item := range n.Items() {
			list = append(list, plain(item))
		}
		return list
	}
	if i, err := strconv.ParseInt(n.Text(), 0, 64); err == nil && !n.Quoted() {
		return int(i)
	}
	if f, err := strconv.ParseFloat(n.Text(), 64); err == nil && !n.Quoted() {
		return f
	}
	if b := n.Text() == "true"; !n.Quoted() && (b || n.Text() == "false") {
		return b
	}
	return n.Text()
}

type validation struct {
	defs   schema
	faults []string
}

// resolved follows references and returns the schema at their end.
func (v *validation) resolved(s schema) schema {
	if all, ok := s["allOf"].([]any); ok {
		s = all[0].(schema) // our schemas have one
	}
	if ref, ok := s["$ref"].(string); ok {
		s = v.defs[strings.TrimPrefix(ref, "#/definitions/")].(schema)
	}
	return s
}

func (v *validation) check(s schema, value any, path string) {
	s = v.resolved(s)
	if several, ok := s["anyOf"].([]any); ok {
		fits := func(one any) bool {
			w := validation{defs: v.defs}
			w.check(one.(schema), value, path)
			return len(w.faults) == 0
		}
		if !slices.ContainsFunc(several, fits) {
			v.faults = append(v.faults, path)
		}
		return
	}
	words, isEnum := s["enum"].([]any)
	if !v.hasType(s, value) || isEnum && !slices.Contains(words, value) {
		v.faults = append(v.faults, fmt.Sprintf("%s: %v is not %v%v", path, value, s["type"], s["enum"]))
		return
	}
	switch value := value.(type) {
	case map[string]any:
		v.checkKeys(s, value, path)
	case []any:
		v.checkItems(s, value, path)
	case string:
		if pattern, ok := s["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(value) {
			v.faults = append(v.faults, path+" does not match "+pattern)
		}
	case int:
		v.checkRange(s, float64(value), path)
	}
}

func (v *validation) checkItems(s schema, list []any, path string) {
	least, _ := s["minItems"].(float64)
	most, bounded := s["maxItems"].(float64)
	if float64(len(list)) < least || bounded && float64(len(list)) > most {
		v.faults = append(v.faults, path+" has too many or too few items")
	}
	for i, one := range list {
		v.check(s["items"].(schema), one, fmt.Sprintf("%s[%d]", path, i))
	}
}

func (v *validation) checkRange(s schema, n float64, path string) {
	most, above := s["maximum"].(float64)
	least, below := s["minimum"].(float64)
	if above && n > most || below && n < least {
		v.faults = append(v.faults, path+" is out of range")
	}
}

func (v *validation) hasType(s schema, value any) bool {
	types, ok := s["type"]
	if !ok {
		return true
	}
	names := map[string]string{
		"string": "string", "bool": "boolean", "int": "integer", "float64": "number", "map[string]interface {}": "object", "[]interface {}": "array",
		"<nil>": "null",
	}
	is := names[fmt.Sprintf("%T", value)]
	allowed, many := types.([]any)
	if !many {
		allowed = []any{types}
	}
	return slices.ContainsFunc(allowed, func(one any) bool { return one == is || one == "number" && is == "integer" })
}

func (v *validation) checkKeys(s schema, keys map[string]any, path string) {
	properties, _ := s["properties"].(schema)
	for k, one := range keys {
		at := strings.TrimPrefix(path+"."+k, ".")
		if p, ok := properties[k].(schema); ok {
			v.check(p, one, at)
			continue
		}
		if more, ok := s["additionalProperties"].(schema); ok {
			v.check(more, one, at)
			continue
		}
		v.faults = append(v.faults, at+": unknown key")
	}
	wanted, _ := s["required"].([]any)
	for _, k := range wanted {
		if _, ok := keys[k.(string)]; !ok {
			v.faults = append(v.faults, path+" misses "+k.(string))
		}
	}
}
