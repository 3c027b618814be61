//go:build !race

// The test in this file starts no goroutine, and is ten times slower under the race detector. So tools/check.sh runs
// it without.

package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/configs"
	"noi-agent/internal/strictyaml"
	"noi-agent/objects"
)

// This test compares docs/config.schema.json with the program. It sets every key of the Go types to every value of a
// long list. Two rules must be true:
//
// - The schema refuses every file that the decoder refuses.
// - The schema accepts every file that the whole program accepts.
//
// Some values decode and break a rule of the program, such as a range, or a name that matches nothing. Only the
// program must refuse these.

// yamlMap is a document. Its values are yamlMap, []any, or a text that is valid YAML.
type yamlMap map[string]any

// flow prints a value in YAML's flow style, on one line.
func flow(v any) string {
	switch v := v.(type) {
	case yamlMap:
		var entries []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			entries = append(entries, fmt.Sprintf("%q: %s", k, flow(v[k])))
		}
		return "{" + strings.Join(entries, ", ") + "}"
	case []any:
		var items []string
		for _, one := range v {
			items = append(items, flow(one))
		}
		return "[" + strings.Join(items, ", ") + "]"
	default:
		return v.(string)
	}
}

// with returns a copy of v in which the value at a path is text. A step of the path is a key; "0" is the first item
// of a list.
func with(v any, path []string, text string) any {
	if len(path) == 0 {
		return text
	}
	if list, ok := v.([]any); ok {
		return []any{with(list[0], path[1:], text)}
	}
	m := yamlMap{}
	if old, ok := v.(yamlMap); ok {
		maps.Copy(m, old)
	}
	m[path[0]] = with(m[path[0]], path[1:], text)
	return m
}

// soundConfigs are valid configurations in which keys are set: many keys are valid only together with some others.
// The second word of a name is the top key for which it is; all is for every key except integrations.
func soundConfigs() map[string]yamlMap {
	slave := yamlMap{"id": "1", "model": "PSPWM"}
	of := func(port, integration string) yamlMap {
		in := yamlMap{"name": "n"}
		for _, pair := range strings.Fields(integration) {
			k, v, _ := strings.Cut(pair, "=")
			in[k] = v
		}
		return yamlMap{
			"lines":        []any{yamlMap{"name": "rs485", "port": port, "slaves": []any{slave}}},
			"integrations": []any{in},
		}
	}
	const serial = "/dev/ttyUSB0"
	aws := "type=aws topic_arn=arn:aws:sns:us-east-2:393221637266:Main "
	iot := with(of(serial, aws), []string{"integrations", "0", "iot"}, flow(iotKeys())).(yamlMap)
	return map[string]yamlMap{
		"aws integrations": of(serial, aws+"role_arn=arn:aws:iam::123456789012:role/x when=change envelope=batch"),
		"gcp integrations": of(serial, "type=gcp project_id=test-project topic=Main"),
		"iot integrations": iot,
		"serial all":       of(serial, aws),
		"tcp lines":        of("tcp://10.0.0.1", aws),
		"kernel lines":     with(of(serial, aws), []string{"lines", "0", "rs485"}, "kernel").(yamlMap),
	}
}

// iotKeys are a valid `iot`.
func iotKeys() yamlMap {
	return yamlMap{"endpoint": "c.credentials.iot.us-east-2.amazonaws.com", "role_alias": "noi", "certificate": "c.pem", "key": "k.pem"}
}

// values are the values that are tried for every key.
func values() []string {
	return []string{
		"0", "1", "2", "5", "8", "125", "247", "248", "255", "1000", "9600", "65536", "-1", "1.5", "-0.5", "1e3", "true", "false",
		"yes", "on", "off", "none", "all", "auto", "x", "a b", `""`, `" "`, `"5"`, `"1.5"`, `"true"`, `"0"`, "~", "null",
		"10ms", "500ms", "1s", "2m", "1h", "1h05m", "720h", "+5s", ".5s", "1.s", "-5s", "01s", "5d", "5 s", "1h 5m", `"1s"`,
		"0x0010", "0x10", "0x0002-0x0003", "0x0002 - 0x0003", `"0x0010"`, `"0x0010, 0x0012-0x0013"`, "[0x0010]", "[0x0002-0x0003]", "[x]",
		"256MiB", "5GB", "5XB", "5 MiB", `"1048576"`, "1.5GiB", "/dev/ttyUSB1", "127.0.0.1:8780", "http://127.0.0.1:1", "a,b", `"a,,b"`, `","`,
		"[]", "{}", "[1]", "[a, b]", `["a,b"]`, `[""]`, "[all]", "[none]", "[[a]]", "[~]", "[{a: 1}]", "[true]", "{a: b}", "{a: [b]}", "{adc_ia: 1}",
		"{adc_ia: x}", "{adc_ia: 1s}", "{adc_ia: ~}", "{unknown_key: 1}", "[object]", "[object, slave]", "object", `"object, seq"`, "[object, all]",
	}
}

// samples are values for keys for which none of the values above is valid.
func samples() map[string][]string {
	return map[string][]string{
		"device_id":                         {"5300520006504b5957343920"},
		"lines.0.baud":                      {"19200"},
		"lines.0.slaves.0.encodings":        {"{kWhc_t: f16}"},
		"lines.0.slaves.0.encodings.kWhc_t": {"f16"},
		"lines.0.slaves.0.objects":          {"adc_ia", "[adc_ia, all]", "[adc_*]", "'*'"},
		"integrations.0.id":                 {"abcdefghij0123456789"},
		"integrations.0.objects":            {"adc_ia", "[adc_ia]"},
		"integrations.0.slaves":             {"rs485/1", "[rs485/1]"},
		"integrations.0.topic_arn":          {"arn:aws:sns:us-east-2:393221637266:Other"},
		"integrations.0.region":             {"us-east-2"},
		"integrations.0.role_arn":           {"arn:aws:iam::123456789012:role/y"},
		"integrations.0.project_id":         {"test-project"},
		"integrations.0.topic":              {"Other", "projects/test-project/topics/Other"},
		"integrations.0.iot":                {flow(iotKeys())},
		"integrations.0.iot.endpoint":       {"d.credentials.iot.us-east-2.amazonaws.com"},
	}
}

// keysOfMaps are keys for maps that do not accept adc_ia, an object's name.
func keysOfMaps() map[string]string { return map[string]string{"lines.0.slaves.0.encodings": "kWhc_t"} }

// triedKey is one key of the configuration.
type triedKey struct {
	path  []string
	of    reflect.Type
	first []string // its default
}

// keysOf lists every key of a decoded struct, including those within. The struct has its defaults.
func keysOf(path []string, of reflect.Value) (keys []triedKey) {
	for i := range of.NumField() {
		name, ok := of.Type().Field(i).Tag.Lookup("yaml")
		if !ok {
			continue
		}
		at := append(slices.Clone(path), name)
		k := triedKey{path: at, of: of.Type().Field(i).Type}
		if d, ok := defaultOf(of.Field(i)); ok {
			k.first = []string{fmt.Sprint(d)}
		}
		keys = append(keys, k)
		keys = append(keys, keysWithin(at, k.of)...)
	}
	return keys
}

// keysWithin lists the keys below a key: of a struct, of the first item of a list, of one entry of a map.
func keysWithin(path []string, t reflect.Type) []triedKey {
	if decodesItself(t) || t == reflect.TypeFor[time.Duration]() {
		return nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		return keysWithin(path, t.Elem())
	case reflect.Struct:
		fresh := reflect.New(t)
		strictyaml.Decode(nil, fresh.Interface())
		return keysOf(path, fresh.Elem())
	case reflect.Slice:
		return keysWithin(append(slices.Clone(path), "0"), t.Elem())
	case reflect.Map:
		key, ok := keysOfMaps()[strings.Join(path, ".")]
		if !ok {
			key = "adc_ia"
		}
		at := append(slices.Clone(path), key)
		return append([]triedKey{{path: at, of: t.Elem()}}, keysWithin(at, t.Elem())...)
	default:
		return nil
	}
}

// blind reports whether an editor cannot distinguish the value from another one: it reads 0x0010, 16 and 020 as one
// number.
func blind(k triedKey, value string) bool {
	bare := strings.Trim(value, "[]")
	registers := k.of == reflect.TypeFor[configs.Registers]()
	return strings.HasPrefix(bare, "0x") || registers && isWhole(bare)
}

func isWhole(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

func TestConfigSchemaAndDecoderAgree(t *testing.T) {
	catalog, err := objects.LoadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	top := parsedSchema(t, clitest.FileText(t, "../../docs/config.schema.json"))
	for name, sound := range soundConfigs() {
		if _, faults := configs.Parse([]byte(flow(sound)), catalog); len(faults) > 0 {
			t.Fatalf("%s is not a valid configuration: %v", name, faults)
		}
	}
	fresh := new(configs.Config)
	strictyaml.Decode(nil, fresh)
	keys := keysOf(nil, reflect.ValueOf(fresh).Elem())
	if len(keys) < 60 {
		t.Fatalf("only %d keys found", len(keys))
	}
	for _, k := range keys {
		place := strings.Join(k.path, ".")
		tried := slices.Concat(k.first, samples()[place], enumAt(top, k.path), values())
		if accepted := tryKey(t, top, catalog, k, tried); accepted == 0 {
			t.Errorf("%s: no tried value is valid: add a valid one to samples", place)
		}
	}
}

// tryKey sets one key to each value in each sound configuration, and returns how many of the results are valid.
func tryKey(t *testing.T, top schema, catalog *objects.Catalog, k triedKey, tried []string) (accepted int) {
	t.Helper()
	contexts, undecodable := soundConfigs(), map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(contexts)) {
		sound := contexts[name]
		if about := strings.Fields(name)[1]; about != k.path[0] && (about != "all" || k.path[0] == "integrations") {
			continue
		}
		if slices.Contains(k.path, "iot") && len(k.path) > 3 {
			sound["integrations"].([]any)[0].(yamlMap)["iot"] = iotKeys()
		}
		for _, value := range tried {
			if undecodable[value] {
				continue // it does not decode beside other keys either
			}
			text := flow(with(sound, k.path, value))
			_, decoding := strictyaml.Decode([]byte(text), new(configs.Config))
			faults := decoding
			if len(faults) == 0 {
				_, faults = configs.Parse([]byte(text), catalog)
			}
			undecodable[value] = len(decoding) > 0
			refused := faultsOf(t, top, []byte(text))
			if len(faults) == 0 {
				accepted++
			}
			place := strings.Join(k.path, ".") + ": " + value
			switch {
			case len(decoding) > 0 && len(refused) == 0 && !blind(k, value):
				t.Errorf("%s (%s): the schema accepts a file that the decoder refuses: %v", place, name, decoding)
			case len(faults) == 0 && len(refused) > 0:
				t.Errorf("%s (%s): the schema refuses a file that the program accepts: %v", place, name, refused)
			}
		}
	}
	return accepted
}

// enumAt returns the words that the schema lists for a key.
func enumAt(top schema, path []string) (words []string) {
	v := validation{defs: top["definitions"].(schema)}
	s := v.resolved(top)
	for _, step := range path {
		properties, _ := s["properties"].(schema)
		next, ok := properties[step].(schema)
		if !ok {
			next, ok = s["items"].(schema)
		}
		if !ok {
			next, ok = s["additionalProperties"].(schema)
		}
		if !ok {
			return nil
		}
		s = v.resolved(next)
	}
	list, _ := s["enum"].([]any)
	for _, one := range list {
		words = append(words, fmt.Sprint(one))
	}
	return words
}
