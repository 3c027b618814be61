// Command sbom lists the modules in the programs: as a CycloneDX file, and as a text file with their licences.
//
//	sbom -version 0.1.0 -time 1764380000 -cyclonedx FILE -licences FILE [-names FILE] PROGRAM...
//
// It reads the modules from the programs themselves (debug/buildinfo), and the texts from the module cache. A module
// without a licence text, or with an unknown licence text, is an error: a person must check it.
package main

import (
	"bytes"
	"cmp"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	version := flag.String("version", "", "version of the programs")
	seconds := flag.Int64("time", 0, "time in the list, Unix seconds")
	list := flag.String("cyclonedx", "", "file of the list")
	licences := flag.String("licences", "", "file of the licence texts")
	names := flag.String("names", "", "file of the modules with the names of their licences, one a line")
	flag.Parse()
	if err := write(*version, *seconds, *list, *licences, *names, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func write(version string, seconds int64, list, licences, names string, programs []string) error {
	modules, err := linked(programs)
	if err != nil {
		return err
	}
	if err := os.WriteFile(licences, licenceTexts(modules), 0o644); err != nil {
		return err
	}
	if names != "" {
		var lines strings.Builder
		for _, m := range modules {
			lines.WriteString(m.path + " " + m.licence + "\n")
		}
		if err := os.WriteFile(names, []byte(lines.String()), 0o644); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(cycloneDX(version, time.Unix(seconds, 0).UTC(), modules), "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(list, append(text, '\n'), 0o644)
}

// module is one module that a program links.
type module struct {
	path, version, licence string
	texts                  []string // of the licence and the notice, unchanged
}

// linked returns the modules of all programs in the order of their paths. The standard library is "std".
func linked(programs []string) ([]module, error) {
	if len(programs) == 0 {
		return nil, errors.New("no program is named")
	}
	versions := map[string]string{"std": strings.TrimPrefix(runtime.Version(), "go")}
	for _, program := range programs {
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return nil, fmt.Errorf("read the modules of %s: %w", program, err)
		}
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			versions[m.Path] = m.Version
		}
	}
	modules := make([]module, 0, len(versions))
	for path, version := range versions {
		m := module{path: path, version: version}
		if err := m.findLicence(); err != nil {
			return nil, err
		}
		modules = append(modules, m)
	}
	slices.SortFunc(modules, func(a, b module) int { return cmp.Compare(a.path, b.path) })
	return modules, nil
}

// findLicence reads the licence from the module's directory in the cache.
func (m *module) findLicence() error {
	dir, err := m.dir()
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look for the licence of %s: %w", m.path, err)
	}
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		licence := strings.HasPrefix(name, "LICENSE") || strings.HasPrefix(name, "LICENCE") ||
			strings.HasPrefix(name, "COPYING")
		if e.IsDir() || !licence && !strings.HasPrefix(name, "NOTICE") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return fmt.Errorf("read the licence of %s: %w", m.path, err)
		}
		m.texts = append(m.texts, string(text))
		if id := identify(string(text)); licence && m.licence == "" {
			m.licence = id
		}
	}
	if m.licence == "" {
		return fmt.Errorf("module %s %s: no known licence in %s: look at its files and teach tools/sbom", m.path,
			m.version, dir)
	}
	return nil
}

func (m *module) dir() (string, error) {
	if m.path == "std" {
		out, err := exec.Command("go", "env", "GOROOT").Output()
		return strings.TrimSpace(string(out)), err
	}
	cmd := exec.Command("go", "mod", "download", "-json", m.path+"@"+m.version)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("find module %s: %w", m.path, err)
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil {
		return "", fmt.Errorf("find module %s: %w", m.path, err)
	}
	return found.Dir, nil
}

// identify returns the SPDX expression of a licence text; "" for an unknown one. A text may have two licences for
// different files of the module, as that of yaml.v3 has.
func identify(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	has := func(parts ...string) bool {
		return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
	}
	const mit = "Permission is hereby granted, free of charge, to any person obtaining a copy"
	switch {
	case has("Apache License", "Version 2.0", mit):
		return "MIT AND Apache-2.0"
	case has("Apache License", "Version 2.0"):
		return "Apache-2.0"
	case has(mit):
		return "MIT"
	case has("Redistribution and use in source and binary forms", "Neither the name"):
		return "BSD-3-Clause"
	case has("Redistribution and use in source and binary forms"):
		return "BSD-2-Clause"
	case has("Permission to use, copy, modify, and/or distribute this software for any purpose"):
		return "ISC"
	case has("Mozilla Public License", "2.0"):
		return "MPL-2.0"
	}
	return ""
}

// licenceTexts returns one section for each different text, with the names of the modules that have it.
func licenceTexts(modules []module) []byte {
	var out bytes.Buffer
	out.WriteString("The programs noi-agent and noi-sim link the Go library and the modules below.\n")
	var order []string
	users := map[string][]string{}
	for _, m := range modules {
		for _, text := range m.texts {
			text = strings.TrimSpace(text)
			if users[text] == nil {
				order = append(order, text)
			}
			users[text] = append(users[text], fmt.Sprintf("%s %s (%s)", m.path, m.version, m.licence))
		}
	}
	for _, text := range order {
		fmt.Fprintf(&out, "\n%[1]s\n%[2]s\n%[1]s\n\n%[3]s\n", strings.Repeat("=", 80), strings.Join(users[text], "\n"),
			text)
	}
	return out.Bytes()
}
