package sinks_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"noi-agent/sinks"
)

// TestConsumersFunctionReadsRealBodies runs the function of docs/messages.md over bodies of all three kinds.
func TestConsumersFunctionReadsRealBodies(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("python3 is missing: apt-get install python3") // python3-pymodbus needs it, which `make test` installs if it can
	}
	text, err := os.ReadFile("../docs/messages.md")
	if err != nil {
		t.Fatal(err)
	}
	function := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(text)
	if function == nil {
		t.Fatal("docs/messages.md has no Python")
	}
	const driver = "\nimport sys\nout = [samples(body) for body in json.load(sys.stdin)]\n" +
		"json.dump([[(m.pop('sample_id', ''), json.dumps(m, separators=(',', ':'), ensure_ascii=False)) for m in ms] for ms in out], sys.stdout)\n"
	var bodies, want []string
	var ids []string
	r := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		b := randomBatch(r)
		batch := sinks.AppendBatch(nil, b)
		alone, their := singles(&b)
		bodies = append(bodies, string(batch), string(sinks.Pack(batch)), alone[0])
		want = append(append(append(want, alone...), alone...), alone[0])
		ids = append(append(append(ids, their...), their...), "")
	}
	gap := regexp.MustCompile("(?s)```json\n([^`]*\"gap\":[^`]*)```").FindSubmatch(text)
	if gap == nil {
		t.Fatal("docs/messages.md has no example of a gap")
	}
	bodies = append(bodies, string(gap[1])) // a gap is not a sample
	in, err := json.Marshal(bodies)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", string(function[1])+driver)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got [][][2]string
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, of := range got {
		for _, m := range of {
			if at == len(want) || !sameJSON(t, m[1], want[at]) || m[0] != ids[at] {
				t.Fatalf("sample %d\n got %s %s\nwant %s %s", at, m[0], m[1], ids[at], want[at])
			}
			at++
		}
	}
	if at != len(want) {
		t.Errorf("%d samples, want %d", at, len(want))
	}
}

// sameJSON compares the order of keys exactly, and numbers by value, because Python formats some numbers in another
// way.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	tokens := func(text string) (out []json.Token) {
		for d := json.NewDecoder(strings.NewReader(text)); d.More() || d.InputOffset() < int64(len(text)); {
			token, err := d.Token()
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			out = append(out, token)
		}
		return out
	}
	return fmt.Sprint(tokens(a)) == fmt.Sprint(tokens(b))
}

func TestBatchesKeepTheirSchema(t *testing.T) {
	text, err := os.ReadFile("../docs/batch.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	documented, err := os.ReadFile("../docs/messages.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile(`(?m)^\[\{"batch".*$`).Find(documented)
	bodies := [][]byte{example}
	for r := rand.New(rand.NewPCG(3, 4)); len(bodies) < 50; {
		bodies = append(bodies, sinks.AppendBatch(nil, randomBatch(r)))
	}
	for _, body := range bodies {
		if faults := check(t, schema, decoded(t, body), "$"); len(faults) > 0 {
			t.Fatalf("%v in %s", faults, body)
		}
	}
	for old, fresh := range map[string]string{ // bodies that are not a batch
		`"batch":1`: `"batch":2`, `"sampled_at":"2022-06-28T08:20:29Z",`: "", `29.502Z`: `29Z`, `"slave"`: `"slaves"`, `,0,3]]`: `,0,1]]`, `"FLOAT",1]`: `"FLOAT",1.5]`,
		`["adc_vbterm",12.117188]`: `["adc_vbterm"]`, `[],0,3]]`: `[],0,3,4]]`, `"FLOAT"`: `{}`, `[]`: `[1]`, `00c0ffee-3-17`: `c0ffee-3-17`,
	} {
		broken := strings.Replace(string(example), old, fresh, 1)
		if broken == string(example) || len(check(t, schema, decoded(t, []byte(broken)), "$")) == 0 {
			t.Errorf("%s for %s passes", fresh, old)
		}
	}
}

func decoded(t *testing.T, body []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return v
}

// check checks a value against a JSON Schema (draft 7) with the keywords of our schemas. An unknown keyword ends the
// test.
func check(t *testing.T, schema map[string]any, value any, path string) (faults []string) {
	t.Helper()
	list, _ := value.([]any)
	object, _ := value.(map[string]any)
	must := func(ok bool, keyword string) {
		if !ok {
			faults = append(faults, path+": "+keyword)
		}
	}
	for keyword, arg := range schema {
		switch keyword {
		case "$schema", "title", "description", "additionalItems", "additionalProperties":
		case "type":
			must(hasType(value, arg.(string)), keyword)
		case "const":
			must(value == arg, keyword)
		case "pattern":
			s, _ := value.(string)
			must(regexp.MustCompile(arg.(string)).MatchString(s), keyword)
		case "minimum":
			f, _ := value.(float64)
			must(f >= arg.(float64), keyword)
		case "minItems":
			must(len(list) >= int(arg.(float64)), keyword)
		case "maxItems":
			must(len(list) <= int(arg.(float64)), keyword)
		case "required":
			for _, key := range arg.([]any) {
				_, ok := object[key.(string)]
				must(ok, keyword)
			}
		case "properties":
			for key, v := range object {
				if of, ok := arg.(map[string]any)[key].(map[string]any); ok {
					faults = append(faults, check(t, of, v, path+"."+key)...)
				} else {
					must(schema["additionalProperties"] != false, "additionalProperties")
				}
			}
		case "anyOf":
			fits := false
			for _, one := range arg.([]any) {
				fits = fits || len(check(t, one.(map[string]any), value, path)) == 0
			}
			must(fits, keyword)
		case "items":
			faults = append(faults, checkItems(t, schema, list, path)...)
		default:
			t.Fatalf("%s: the test does not know the keyword %s", path, keyword)
		}
	}
	return faults
}

// checkItems is check for the items of an array: all have one schema, or the first ones have their own and the rest
// has that of additionalItems.
func checkItems(t *testing.T, schema map[string]any, list []any, path string) (faults []string) {
	t.Helper()
	for i, v := range list {
		of, all := schema["items"].(map[string]any)
		if !all {
			if own := schema["items"].([]any); i < len(own) {
				of = own[i].(map[string]any)
			} else {
				of, _ = schema["additionalItems"].(map[string]any)
			}
		}
		faults = append(faults, check(t, of, v, fmt.Sprintf("%s[%d]", path, i))...)
	}
	return faults
}

func hasType(value any, want string) bool {
	switch v := value.(type) {
	case string:
		return want == "string"
	case float64:
		return want == "number" || want == "integer" && v == math.Trunc(v)
	case []any:
		return want == "array"
	case map[string]any:
		return want == "object"
	default:
		return false
	}
}
