package web

import (
	_ "embed" // for the list of licences
	"net/http"
	"runtime/debug"
	"strings"
)

// licenceNames has a line for each linked module: its path and the SPDX name of its licence. tools/sbom reads both from
// the modules, and tools/check.sh compares.
//
//go:embed licences.txt
var licenceNames string

// licencesView is what the page shows.
type licencesView struct {
	frame
	Modules []licensed
}

// licensed is a linked module with its licence.
type licensed struct {
	Module  string
	Version string // "": the program does not know it
	Licence string
}

// licences answers with the modules that the program has in it.
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

// linkedVersions are the versions of the modules that the program was built from; that of Go's own library is "std".
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
