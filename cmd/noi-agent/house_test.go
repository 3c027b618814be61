package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/clitest"
)

// house has the packages of the module that each package may import (docs/architecture.md); nil: all. An entry that
// the code does not use fails the test too, so that the table stays true.
var house = map[string][]string{
	"internal/strictyaml":    {},
	"internal/awsregion":     {},
	"internal/shell":         {},
	"internal/journal":       {"objects"},
	"internal/wholefile":     {},
	"objects":                {"internal/strictyaml"},
	"configs":                {"objects", "internal/strictyaml", "internal/awsregion"},
	"modbus":                 {},
	"modbus/modbustest":      {},
	"store/internal/record":  {"objects"},
	"store/internal/file":    {"objects", "store/internal/record"},
	"store":                  {"objects", "store/internal/file", "store/internal/record"},
	"store/storetest":        {"objects", "store"},
	"sinks":                  {"objects"},
	"sinks/sns":              {"sinks", "internal/awsregion", "internal/shell"},
	"sinks/pubsub":           {"sinks", "internal/shell"},
	"sinks/sinktest":         {"sinks", "objects", "sinks/sinktest/standin"},
	"sinks/sinktest/standin": {},
	"status/api":             {},
	"agent/clock":            {"configs", "status/api"},
	"agent/worker":           {},
	"agent/history":          {"objects", "status/api"},
	"agent/poll":             {"agent/clock", "agent/worker", "configs", "objects", "modbus", "status/api"},
	"agent/publish":          {"agent/clock", "agent/worker", "configs", "objects", "store", "sinks", "status/api"},
	"agent/budget":           {"agent/poll", "agent/publish", "configs", "objects", "modbus", "sinks"},
	"agent/integrations":     {"agent", "agent/budget", "agent/publish", "configs", "internal/strictyaml", "objects", "sinks", "status/api"},
	"agent":                  {"agent/clock", "agent/history", "agent/poll", "agent/publish", "agent/worker", "configs", "internal/wholefile", "objects", "modbus", "store", "sinks", "status/api", "status/wording"},
	"status/bundle":          {},
	"status/events":          {},
	"status/logs":            {"objects", "status/api"},
	"status/wording":         {"objects", "status/api"},
	"status/web":             {"objects", "status/api", "status/logs", "status/wording"},
	"status/web/webtest":     {"objects", "status/api", "status/logs"},
	"status/guard":           {"internal/wholefile"},
	"status":                 {"objects", "store", "status/api", "status/bundle", "status/events", "status/guard", "status/logs", "status/web"},
	"sim":                    {"objects", "modbus/modbustest"},
	"cmd/noi-agent":          {"cmd/noi-agent/cli"},
	"cmd/noi-agent/cli":      nil, // all
	"cmd/noi-agent/clitest":  {},
	"cmd/noi-agent/e2e":      {},
	"cmd/noi-sim":            nil,
	"cmd/noi-agent/doctor":   {"configs", "objects", "modbus", "sinks", "status/api", "internal/shell"},
	"packaging":              {}, // tests only
}

// onlyIn has the packages, usually one, that may import a library.
var onlyIn = map[string]string{
	"gopkg.in/yaml.v3":                                          "internal/strictyaml",
	"github.com/aws/aws-sdk-go-v2/service/sns":                  "sinks/sns",
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb":              "sinks/pubsub",
	"go.etcd.io/bbolt":                                          "store store/internal/file",
	"go.bug.st/serial":                                          "modbus",
	"github.com/goburrow/modbus":                                "modbus",
	"github.com/prometheus/client_golang/prometheus":            "agent",
	"github.com/prometheus/client_golang/prometheus/collectors": "agent",
	"github.com/prometheus/client_golang/prometheus/promhttp":   "agent",
	"github.com/coreos/go-systemd/v22/journal":                  "internal/journal",
	"github.com/coreos/go-systemd/v22/daemon":                   "cmd/noi-agent/cli",
}

type goPackage struct {
	ImportPath string
	Imports    []string
	Module     *struct{ Path, Version string }
}

// goList runs go list over the product, with the tags of the build.
func goList(t *testing.T, args ...string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-tags", "grpcnotrace,nethttpomithttp2", "-json=ImportPath,Imports,Module"}, args...)...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestPackagesImportOnlyWhatTheHouseAllows(t *testing.T) {
	seen := 0
	for _, p := range goList(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, "noi-agent/")
		allowed, known := house[name]
		if !known {
			t.Errorf("package %s is not in the table house", name)
		}
		seen++
		for _, imported := range p.Imports {
			own, ours := strings.CutPrefix(imported, "noi-agent/")
			if ours && allowed != nil && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s, which the table house does not allow", name, own)
			}
		}
		for _, own := range allowed {
			if !slices.Contains(p.Imports, "noi-agent/"+own) {
				t.Errorf("%s may import %s, and does not: delete the entry in the table house", name, own)
			}
		}
	}
	if seen < len(house) {
		t.Errorf("%d packages seen, the table house has %d", seen, len(house))
	}
}

func TestProductionBinaryLinksNoStandInAndEachLibraryHasOneHome(t *testing.T) {
	for _, p := range goList(t, "-deps", "./cmd/noi-agent") {
		name, ours := strings.CutPrefix(p.ImportPath, "noi-agent/")
		if !ours {
			continue
		}
		if strings.HasSuffix(name, "test") || strings.Contains(name, "standin") || name == "sim" {
			t.Errorf("the daemon links %s", name)
		}
		for _, imported := range p.Imports {
			if homes, ok := onlyIn[imported]; ok && !slices.Contains(strings.Fields(homes), name) {
				t.Errorf("%s imports %s, which only %s may import", name, imported, homes)
			}
		}
	}
}

// TestModulesLinkedIntoTheDaemon makes a new dependency a visible diff.
func TestModulesLinkedIntoTheDaemon(t *testing.T) {
	var lines []string
	for _, p := range goList(t, "-deps", "./cmd/noi-agent") {
		if p.Module != nil && p.Module.Version != "" {
			lines = append(lines, p.Module.Path+" "+p.Module.Version)
		}
	}
	slices.Sort(lines)
	lines = slices.Compact(lines)
	clitest.Golden(t, "modules.txt", []byte(strings.Join(lines, "\n")+"\n"))

	// The page of the licences names each of the modules, and Go's own library.
	listed, err := os.ReadFile(filepath.Join("..", "..", "status", "web", "licences.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range append(lines, "std") {
		name, _, _ := strings.Cut(line, " ")
		if got := strings.Split(string(listed), "\n")[i]; !strings.HasPrefix(got, name+" ") {
			t.Fatalf("status/web/licences.txt has %q in the place of %s and its licence", got, name)
		}
	}
}

// TestNoMethodIsFoundByName: a package that finds methods by name at run time, as html/template does, makes the linker
// keep every method of every type. The binary is then larger by 5 MB (docs/decisions/0049-pages-without-html-template.md).
func TestNoMethodIsFoundByName(t *testing.T) {
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace,nethttpomithttp2", "-ldflags", "-s -w -dumpdep",
		"-o", filepath.Join(t.TempDir(), "noi-agent"), ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput() // the linker's list: which symbol needs which
	if err != nil || len(out) < 1<<20 {
		t.Fatalf("%v: %.500s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "<ReflectMethod> ->") {
			t.Fatalf("a method may be called by name: %s", line)
		}
	}
}
