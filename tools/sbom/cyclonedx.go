package main

import (
	"strings"
	"time"
)

// The part of CycloneDX 1.5 that lists the modules in a program: https://cyclonedx.org/docs/1.5/json/
type (
	document struct {
		Format      string      `json:"bomFormat"`
		SpecVersion string      `json:"specVersion"`
		Version     int         `json:"version"`
		Metadata    metadata    `json:"metadata"`
		Components  []component `json:"components"`
	}
	metadata struct {
		Timestamp string    `json:"timestamp"`
		Component component `json:"component"`
	}
	component struct {
		Type     string          `json:"type"`
		Ref      string          `json:"bom-ref"`
		Name     string          `json:"name"`
		Version  string          `json:"version"`
		PURL     string          `json:"purl,omitempty"`
		Licences []licenceChoice `json:"licenses"`
	}
	licenceChoice struct {
		Licence    *licence `json:"license,omitempty"`
		Expression string   `json:"expression,omitempty"` // instead of one licence
	}
	licence struct {
		ID string `json:"id"`
	}
)

// chosen is an SPDX id or expression in the form of CycloneDX.
func chosen(spdx string) []licenceChoice {
	if strings.Contains(spdx, " ") {
		return []licenceChoice{{Expression: spdx}}
	}
	return []licenceChoice{{Licence: &licence{ID: spdx}}}
}

func cycloneDX(version string, at time.Time, modules []module) document {
	d := document{Format: "CycloneDX", SpecVersion: "1.5", Version: 1, Metadata: metadata{
		Timestamp: at.Format(time.RFC3339),
		Component: component{
			Type: "application", Ref: "noi-agent@" + version, Name: "noi-agent", Version: version,
			Licences: chosen("Apache-2.0"),
		},
	}}
	for _, m := range modules {
		purl := "pkg:golang/" + m.path + "@" + m.version
		d.Components = append(d.Components, component{
			Type: "library", Ref: purl, Name: m.path, Version: m.version, PURL: purl,
			Licences: chosen(m.licence),
		})
	}
	return d
}
