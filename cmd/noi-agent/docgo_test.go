package main

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// longestDoc is the highest number of lines of a doc.go: it is an overview, and details are in the files.
const longestDoc = 60

// TestEachPackageHasAnOverview: each package has a doc.go of at most 60 lines that names every file of the package, or
// is one file with a package comment. No doc.go names a file that does not exist.
func TestEachPackageHasAnOverview(t *testing.T) {
	root := filepath.Join("..", "..")
	for _, p := range goList(t, "./...") {
		dir := filepath.Join(root, strings.TrimPrefix(p.ImportPath, "noi-agent/"))
		files := productFiles(t, dir)
		switch {
		case slices.Contains(files, "doc.go"):
			checkOverview(t, root, dir, files)
		case len(files) == 1:
			if text := readText(t, filepath.Join(dir, files[0])); !regexp.MustCompile(`(?m)^// (Package|Command) `).MatchString(text) {
				t.Errorf("%s has no package comment", p.ImportPath)
			}
		case len(files) > 1:
			t.Errorf("%s has no doc.go", p.ImportPath)
		}
	}
}

// checkOverview compares the doc.go of a directory with the files there. A name with * means several files. A name
// with a directory is relative to the root of the module.
func checkOverview(t *testing.T, root, dir string, files []string) {
	t.Helper()
	text := readText(t, filepath.Join(dir, "doc.go"))
	if n := strings.Count(text, "\n"); n > longestDoc {
		t.Errorf("%s/doc.go has %d lines, the limit is %d", dir, n, longestDoc)
	}
	named := regexp.MustCompile(`[\w/*-]+\.go\b`).FindAllString(text, -1)
	for _, name := range named {
		from := dir
		if strings.Contains(name, "/") {
			from = root
		}
		if found, err := filepath.Glob(filepath.Join(from, name)); err != nil || len(found) == 0 {
			t.Errorf("%s/doc.go names %s, which does not exist", dir, name)
		}
	}
	for _, file := range files {
		fits := func(name string) bool { ok, err := path.Match(name, file); return ok && err == nil }
		if file != "doc.go" && !slices.ContainsFunc(named, fits) {
			t.Errorf("%s/doc.go does not name %s", dir, file)
		}
	}
}

// productFiles returns the names of the Go files of a directory, without tests.
func productFiles(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range paths {
		if !strings.HasSuffix(p, "_test.go") {
			names = append(names, filepath.Base(p))
		}
	}
	return names
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
