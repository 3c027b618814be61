package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// The limits of size. tooLarge has the exceptions with their reasons.
const (
	medianFunction = 12  // lines
	ninthFunction  = 45  // lines: nine functions of ten are no longer
	longestFunc    = 80  // lines
	longestFile    = 500 // lines
	mostMethods    = 60  // of a type
	mostFields     = 30  // of a struct
	longestLine    = 120 // columns, a tab counts as four
)

// tooLarge lists everything that is larger than a limit, with its allowed size and the reason. An entry with a larger
// size than needed fails the test too, so that the list only shrinks.
var tooLarge = map[string]struct {
	size   int
	reason string
}{
	"cmd/noi-agent/e2e/degraded_test.go TestADiskThatFailsAgainAndAgainDoesNotEndTheSampling": {91, "one story, told in order"},
	"agent/memory_test.go TestAnAgentStaysInMemoryUntilNothingWaits":                          {84, "one story, told in order"},
}

// measure is a name in the tree with its size.
type measure struct {
	name string
	size int
}

// sizes has all sizes in the tree.
type sizes struct {
	functions, files, methods, fields []measure
	lines                             []measure // lines over longestLine, by file
}

func TestNothingIsTooLarge(t *testing.T) {
	s := measureTree(t, filepath.Join("..", ".."))
	lengths := make([]int, len(s.functions))
	for i, f := range s.functions {
		lengths[i] = f.size
	}
	slices.Sort(lengths)
	if median := lengths[len(lengths)/2]; median > medianFunction {
		t.Errorf("the median function has %d lines, the limit is %d", median, medianFunction)
	}
	if ninth := lengths[len(lengths)*9/10]; ninth > ninthFunction {
		t.Errorf("one function of ten has more than %d lines, the limit is %d", ninth, ninthFunction)
	}
	used := map[string]bool{}
	for _, kind := range []struct {
		what  string
		limit int
		all   []measure
	}{
		{"lines of a function", longestFunc, s.functions},
		{"lines of a file", longestFile, s.files},
		{"methods of a type", mostMethods, s.methods},
		{"fields of a struct", mostFields, s.fields},
		{"columns of a line", longestLine, s.lines},
	} {
		slices.SortFunc(kind.all, func(a, b measure) int {
			return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.name, b.name))
		})
		t.Logf("%s, at most %d:", kind.what, kind.limit)
		for _, m := range kind.all[:min(5, len(kind.all))] {
			t.Logf("  %4d %s", m.size, m.name)
		}
		for _, m := range kind.all {
			if m.size <= kind.limit {
				break
			}
			allowed, listed := tooLarge[m.name]
			switch used[m.name] = true; {
			case !listed:
				t.Errorf("%s: %d %s, the limit is %d", m.name, m.size, kind.what, kind.limit)
			case m.size != allowed.size:
				t.Errorf("%s: %d %s, the list of exceptions says %d", m.name, m.size, kind.what, allowed.size)
			}
		}
	}
	for name, allowed := range tooLarge {
		if !used[name] || allowed.reason == "" {
			t.Errorf("%s needs no exception, or has no reason", name)
		}
	}
}

// measureTree reads every Go file of the module at root. Nested modules, such as tools, are measured too.
func measureTree(t *testing.T, root string) sizes {
	t.Helper()
	var s sizes
	methods := map[string]int{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "bin" || entry.Name() == "dist"):
			return filepath.SkipDir
		case entry.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err == nil {
			err = s.file(filepath.ToSlash(name), path, methods)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range methods {
		s.methods = append(s.methods, measure{name, n})
	}
	return s
}

// file measures one file; methods counts those of each type by "package directory.Type".
func (s *sizes) file(name, path string, methods map[string]int) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	s.files = append(s.files, measure{name, bytes.Count(text, []byte("\n"))})
	isTest := strings.HasSuffix(name, "_test.go")
	if !isTest { // tables of tests may be wide
		s.wideLines(name, text)
	}
	lines := func(n ast.Node) int { return set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1 }
	within := filepath.ToSlash(filepath.Dir(name))
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			receiver := ""
			if n.Recv != nil {
				receiver = receiverOf(n.Recv.List[0].Type) + "."
				methods[within+"."+strings.TrimSuffix(receiver, ".")]++
			}
			s.functions = append(s.functions, measure{name + " " + receiver + n.Name.Name, lines(n)})
		case *ast.TypeSpec:
			if fields, ok := n.Type.(*ast.StructType); ok && !isTest {
				s.fields = append(s.fields, measure{within + "." + n.Name.Name + " fields", fields.Fields.NumFields()})
			}
		}
		return true
	})
	return nil
}

// wideLines records the lines that are too long, except those in a raw string, which are data.
func (s *sizes) wideLines(name string, text []byte) {
	raw := rawLines(text)
	for i, line := range strings.Split(string(text), "\n") {
		if n := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    ")); n > longestLine && !raw[i] {
			s.lines = append(s.lines, measure{fmt.Sprintf("%s:%d", name, i+1), n})
		}
	}
}

// rawLines returns the lines of raw strings, counted from 0.
func rawLines(text []byte) map[int]bool {
	raw := map[int]bool{}
	set := token.NewFileSet()
	file := set.AddFile("", set.Base(), len(text))
	var tokens scanner.Scanner
	tokens.Init(file, text, nil, 0)
	for {
		at, kind, literal := tokens.Scan()
		switch {
		case kind == token.EOF:
			return raw
		case kind == token.STRING && literal[0] == '`':
			first := set.Position(at).Line - 1
			for i := range strings.Count(literal, "\n") + 1 {
				raw[first+i] = true
			}
		}
	}
}

// receiverOf names the type of a receiver.
func receiverOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiverOf(e.X)
	case *ast.IndexExpr:
		return receiverOf(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}
