package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// advice finds our commands in a text: "noi-agent" and the following words, up to the end of the command.
var advice = regexp.MustCompile(`noi-agent((?: +(?:--?[a-z][a-z0-9-]*(?:[= ][^\s` + "`" + `'";,()|&#>]+)?|[^\s` + "`" + `'";,:.()|&#>]+))+)`)

// TestEveryCommandThatIsAdvisedExists: each `noi-agent …` in a text of the program, a hint, an example and the
// documents parses as an existing command.
func TestEveryCommandThatIsAdvisedExists(t *testing.T) {
	root, _ := testProgram(t).root()
	known := map[string]bool{}
	for _, c := range root.Commands() {
		known[c.Name()] = true
	}
	tried := 0
	see := func(place, text string) {
		for _, found := range advice.FindAllStringSubmatch(text, -1) {
			args := strings.Fields(found[1])
			if strings.HasPrefix(args[0], "-") || args[0] == "COMMAND" {
				continue
			}
			if !known[args[0]] {
				if regexp.MustCompile("`noi-agent "+args[0]).MatchString(text) || strings.HasPrefix(text, "noi-agent "+args[0]) && len(args) == 1 && strings.Contains(place, "hint") {
					t.Errorf("%s advises %q, which is not a command", place, "noi-agent "+found[1])
				}
				continue // a name in a sentence
			}
			tried++
			cmd, _, err := root.Find(args)
			if err != nil || cmd == root {
				t.Errorf("%s advises noi-agent%s: %v", place, found[1], err)
				continue
			}
			if strings.Contains(place, "catalogue.go") && len(args) < len(strings.Fields(cmd.CommandPath())) && needsArguments(cmd) {
				t.Errorf("%s advises noi-agent%s, which fails: want %s", place, found[1], cmd.Use)
			}
			for _, word := range args {
				name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
				long := strings.HasPrefix(word, "--")
				if long && cmd.Flags().Lookup(name) == nil && cmd.InheritedFlags().Lookup(name) == nil && name != "help" {
					t.Errorf("%s advises noi-agent%s: %s has no flag --%s", place, found[1], cmd.CommandPath(), name)
				}
			}
		}
	}
	for _, dir := range []string{"cmd/noi-agent", "agent", "configs", "status", "sinks", "store", "modbus", "objects"} {
		goTexts(t, dir, see)
	}
	for _, dir := range []string{"docs", "README.md"} {
		documents(t, dir, see)
	}
	if tried < 60 {
		t.Errorf("only %d commands were found", tried)
	}
}

// needsArguments reports whether a command fails without an argument: [ARGUMENT] and [flags] may be left out.
func needsArguments(cmd *cobra.Command) bool {
	_, rest, _ := strings.Cut(cmd.Use, " ")
	return rest != "" && !strings.HasPrefix(rest, "[")
}

// goTexts calls see with every text in the product's code below a directory.
func goTexts(t *testing.T, dir string, see func(place, text string)) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join("../../..", dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil {
					see(set.Position(lit.Pos()).String(), text)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func documents(t *testing.T, dir string, see func(place, text string)) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join("../../..", dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".md") || strings.Contains(path, "decisions") {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil {
			see(path, string(text))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
