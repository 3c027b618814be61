package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
)

//go:embed style.css live.js icon.svg
var assetFiles embed.FS

// asset is a file that browsers may keep for a year. Its address contains a hash of its content.
type asset struct {
	name        string // "style.css"
	path        string // "/assets/style-0123456789ab.css"
	contentType string
	body        []byte
}

// assets are all assets of the site.
type assets []asset

// loadAssets reads the files that are built in.
func loadAssets() assets {
	var all assets
	for _, kind := range [][2]string{{"style.css", typeCSS}, {"live.js", typeJS}, {"icon.svg", typeSVG}} {
		body, err := assetFiles.ReadFile(kind[0])
		if err != nil {
			panic("web: " + err.Error()) // built in: a fault in it fails every test
		}
		if body = lighter(body); kind[1] == typeCSS {
			body = []byte(closer().Replace(string(body)))
		}
		sum, ext := sha256.Sum256(body), path.Ext(kind[0])
		name := strings.TrimSuffix(kind[0], ext) + "-" + hex.EncodeToString(sum[:6]) + ext
		all = append(all, asset{kind[0], "/assets/" + name, kind[1], body})
	}
	return all
}

// lighter removes indentation, and comments that fill whole lines, from a file. Browsers do not need them.
func lighter(body []byte) []byte {
	var out []byte
	comment := false
	for line := range bytes.Lines(body) {
		line = bytes.TrimSpace(line)
		comment = comment || bytes.HasPrefix(line, []byte("/*"))
		if len(line) > 0 && !comment && !bytes.HasPrefix(line, []byte("//")) {
			out = append(append(out, line...), '\n')
		}
		if comment && bytes.HasSuffix(line, []byte("*/")) {
			comment = false
		}
	}
	return out
}

// closer removes blanks and semicolons that a stylesheet does not need.
func closer() *strings.Replacer {
	return strings.NewReplacer(": ", ":", "; ", ";", ", ", ",", " { ", "{", " {\n", "{", ";\n", ";",
		"; }", "}",
		" }", "}", ",\n", ",", " > ", ">", " + ", "+")
}

// serve answers with the file, which may be kept for a year.
func (a *asset) serve(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	send(w, http.StatusOK, a.contentType, a.body)
}

// path returns the address of the file with this name; "" if there is none.
func (all assets) path(name string) string {
	for i := range all {
		if all[i].name == name {
			return all[i].path
		}
	}
	return ""
}
