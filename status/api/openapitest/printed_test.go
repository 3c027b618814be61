package openapitest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// schemasOf has, by command, the name of the schema of its output with --json.
var schemasOf = map[string]string{
	"status": "Status", "triggers": "Triggers", "triggers show": "TriggerDetail", "triggers publish": "Replay",
	"deadletters list": "DeadLetters", "logs": "Logs", "replay": "Replay", "token rotate": "TokenRotated", "doctor": "Diagnosis",
	"integrations": "Integrations", "integrations list": "Integrations", "integrations show": "IntegrationEntry",
	"integrations edit": "IntegrationEntry", "integrations pause": "IntegrationEntry", "integrations resume": "IntegrationEntry",
	"integrations test": "IntegrationTest",
}

// own are the commands whose JSON is in no answer of the API, with the reason.
var own = map[string]string{
	"bundle": "the file that was written", "check": "no daemon is asked", "completion": "a script", "export": "samples, one a line",
	"deadletters": "a group", "deadletters drop": "the sum of several answers", "deadletters retry": "the sum of several answers",
	"gaps": "gaps with the rows that they come from", "gaps ack": "the sum of several answers", "init": "no daemon is asked", "integrations add": "answered as edit is",
	"integrations drain": "the sum of several answers", "integrations remove": "the answer is empty", "login": "the code, and where to enter it",
	"objects": "no daemon is asked", "plan": "no daemon is asked", "publish-test": "no daemon is asked",
	"read": "several answers, decoded", "reload": "the answer is empty", "run": "the daemon", "scan": "no daemon is asked",
	"setup": "a group", "setup aws": "no daemon is asked", "setup gcp": "no daemon is asked", "token": "a group",
	"token show": "a file", "version": "no daemon is asked",
}

// TestEveryCommandHasItsShape: each command of the manual has a schema, or a reason.
func TestEveryCommandHasItsShape(t *testing.T) {
	text, err := os.ReadFile("../../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "## noi-agent ")
		if !ok {
			continue
		}
		n++
		if (schemasOf[command] == "") == (own[command] == "") {
			t.Errorf("%s has no schema, or two", command)
		}
	}
	if n < len(schemasOf) {
		t.Errorf("%d commands in the manual", n)
	}
}

// commandOf returns the command of a command line: its first words that name one.
func commandOf(args []string) string {
	if len(args) > 1 && schemasOf[args[0]+" "+args[1]]+own[args[0]+" "+args[1]] != "" {
		return args[0] + " " + args[1]
	}
	return args[0]
}

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
		schema := schemas[schemasOf[commandOf(p.Args)]]
		if schema == nil || p.Stdout == "" {
			continue
		}
		seen[commandOf(p.Args)] = true
		if err := checkJSON(schema, []byte(p.Stdout)); err != nil {
			t.Errorf("noi-agent %v: %.600s\n%v", p.Args, p.Stdout, err)
		}
	}
	if len(seen) != len(schemasOf)+1 {
		t.Errorf("the stories print only %v", seen)
	}
}
