package openapitest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// schemasOf names the schema of what a command prints with --json. Other commands print shapes of their own.
var schemasOf = map[string]string{"status": "Status", "triggers": "Triggers", "deadletters": "DeadLetters"}

// TestCommandsPrintTheShapesOfTheAPI checks the output of each command of the stories that has --json.
func TestCommandsPrintTheShapesOfTheAPI(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(recording(t), "*.printed.json"))
	if err != nil {
		t.Fatal(err)
	}
	schemas, seen := load(t).Components.Schemas, map[string]bool{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var p struct {
			Args           []string
			Stdout, Stderr string
		}
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatal(err)
		}
		if p.Stderr != "" {
			seen["an error"] = true
			if err := checkJSON(schemas["Error"], []byte(p.Stderr)); err != nil {
				t.Errorf("noi-agent %v: %s\n%v", p.Args, p.Stderr, err)
			}
		}
		schema := schemas[schemasOf[p.Args[0]]]
		if schema == nil || p.Stdout == "" {
			continue
		}
		seen[p.Args[0]] = true
		if err := checkJSON(schema, []byte(p.Stdout)); err != nil {
			t.Errorf("noi-agent %v: %.600s\n%v", p.Args, p.Stdout, err)
		}
	}
	if len(seen) != len(schemasOf)+1 {
		t.Errorf("the stories print only %v", seen)
	}
}
