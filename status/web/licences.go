package web

import (
	_ "embed" // for the list of licences
	"net/http"
	"runtime/debug"
	"strings"
)

// licenceNames has a line for each linked module: its path, and the SPDX name of its licence. The program tools/sbom
// makes the file from the modules. tools/check.sh fails if the file is out of date.
//
//go:embed licences.txt
var licenceNames string

// licencesView is the data of the page of licences.
type licencesView struct {
	frame
	Modules []licensed
}

// licensed is a linked module with its licence.
type licensed struct {
	Module  string
	Version string // "": not in the build information of the program
	Licence string
}

// licences shows the modules that the program is built from, with their licences.
func (s *Site) licences(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r) {
		return
	}
	v := &licencesView{frame: s.frame("Licences", "/system")}
	v.Refresh = false
	versions := linkedVersions()
	for line := range strings.Lines(licenceNames) {
		name, licence, _ := strings.Cut(strings.TrimSpace(line), " ")
		v.Modules = append(v.Modules, licensed{name, versions[name], licence})
	}
	s.render(w, http.StatusOK, v)
}

// linkedVersions returns the versions of the modules that the program is built from, by their paths. Go's own library
// has the path "std".
func linkedVersions() map[string]string {
	versions := map[string]string{}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return versions
	}
	versions["std"] = strings.TrimPrefix(info.GoVersion, "go")
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		versions[m.Path] = m.Version
	}
	return versions
}
