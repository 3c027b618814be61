package packaging_test

import (
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files again")

// install runs install.sh with two small files as the programs, and returns the tree.
func install(t *testing.T, prefix string) (tree string) {
	t.Helper()
	tree, bin := t.TempDir(), t.TempDir()
	for _, name := range []string{"noi-agent", "noi-sim"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run(t, []string{"DESTDIR=" + tree, "PREFIX=" + prefix, "BIN=" + bin}, "sh", "install.sh", "install")
	return tree
}

func run(t *testing.T, env []string, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return string(out)
}

// files lists the files in a tree with their permissions. Documents are one entry for each directory.
func files(t *testing.T, tree string) string {
	t.Helper()
	var list []string
	docs := map[string]bool{}
	err := filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, tree)
		entry := info.Mode().String() + " " + name
		if dir := filepath.Dir(name); strings.HasPrefix(name, "/usr/share/doc/noi-agent/") && filepath.Ext(name) != ".sh" {
			entry = info.Mode().String() + " " + dir + "/*"
		}
		if !docs[entry] {
			docs[entry] = true
			list = append(list, entry)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, "\n") + "\n"
}

// TestInstalled checks the files that `make install` and the packages install.
func TestInstalled(t *testing.T) {
	tree := install(t, "/usr")
	t.Run("files", func(t *testing.T) { checkFiles(t, tree) })
	t.Run("links", func(t *testing.T) { checkLinks(t, filepath.Join(tree, "usr/share/doc/noi-agent")) })
	t.Run("names", func(t *testing.T) { checkNames(t, tree) })
	t.Run("uninstall", func(t *testing.T) { checkUninstall(t, tree, "/usr") })
}

// checkFiles compares the list of installed files with a list in this test, so that a new file is visible in a diff.
// No file is in /etc: if the package owned a configuration file, an unattended upgrade would stop with a question.
func checkFiles(t *testing.T, tree string) {
	got, golden := files(t, tree), "testdata/installed.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := text(t, golden); got != want {
		t.Errorf("installed files:\n%s\nwant:\n%s", got, want)
	}
	if strings.Contains(got, "/etc/") {
		t.Error("a file is installed in /etc")
	}
}

var link = regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)

// checkLinks checks that every relative link of every installed document leads to an installed file.
func checkLinks(t *testing.T, doc string) {
	seen := 0
	err := filepath.WalkDir(doc, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(text(t, path), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			seen++
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: the target of the link %s is not installed", strings.TrimPrefix(path, doc+"/"), m[1])
			}
		}
		return nil
	})
	if err != nil || seen < 50 {
		t.Errorf("%d links found, error %v", seen, err)
	}
}

// checkNames checks that every path under /usr in a document or a text is installed.
func checkNames(t *testing.T, tree string) {
	named := regexp.MustCompile(`/usr/(?:share|lib)/[\w./-]*noi-agent[\w./-]*\w`)
	made := []string{"copyright", "third-party-licences.txt", "noi-agent.cdx.json"} // by tools/packages.sh
	for _, path := range []string{"../README.md", "../docs/install.md", "../docs/families.md", "../configs/config.go", "noi-agent.service"} {
		for _, name := range named.FindAllString(text(t, path), -1) {
			if _, err := os.Stat(tree + name); err != nil && !slices.Contains(made, filepath.Base(name)) {
				t.Errorf("%s names %s, which is not installed", path, name)
			}
		}
	}
}

func checkUninstall(t *testing.T, tree, prefix string) {
	run(t, []string{"DESTDIR=" + tree, "PREFIX=" + prefix}, "sh", "install.sh", "uninstall")
	if left := files(t, tree); left != "\n" {
		t.Errorf("PREFIX=%s: files that are left after the removal:\n%s", prefix, left)
	}
}

func TestInstalledElsewhere(t *testing.T) {
	tree := install(t, "/usr/local")
	unit := text(t, filepath.Join(tree, "usr/lib/systemd/system/noi-agent.service"))
	if strings.Contains(unit, "/usr/bin") || strings.Count(unit, "=/usr/local/bin/noi-agent ") != 2 || !strings.Contains(unit, "file:///usr/local/share/doc/") {
		t.Errorf("the unit does not have the paths of the prefix:\n%s", unit)
	}
	checkUninstall(t, tree, "/usr/local")
}

func TestScriptsPassShellcheck(t *testing.T) {
	shellcheck := tool(t, "shellcheck", "shellcheck")
	var scripts []string
	for _, pattern := range []string{"install.sh", "deb/p*", "openwrt/*", "alpine/*", "../tools/*.sh"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(found), err)
		}
		scripts = append(scripts, found...)
	}
	run(t, nil, append([]string{shellcheck, "--severity=warning", "--shell=bash"}, scripts...)...)
	rpm, _ := filepath.Glob("rpm/*")
	run(t, nil, append([]string{shellcheck, "--shell=sh"}, rpm...)...)
}
