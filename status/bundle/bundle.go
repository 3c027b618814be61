package bundle

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// Removed is the name of the file in the bundle that lists the removed texts.
const Removed = "removed.txt"

// File is a file of the gateway. Name is its name in the bundle, Path its path on the gateway.
type File struct{ Name, Path string }

// Part is another file of the bundle. Make returns its content, and is called only when the file is written.
type Part struct {
	Name string
	Make func() ([]byte, error)
}

// mostFile is the most bytes that are read of a file. The configuration of a hundred controllers has 100 KB.
const mostFile = 4 << 20

// Write writes the zip file. It makes one file of the bundle after another, so that only one is in memory. If a file
// cannot be made, the bundle has a file with the error instead. A missing File is left out. now is the time of all
// files in the bundle. The error is that of w.
func Write(w io.Writer, now time.Time, files []File, parts []Part) error {
	out := writer{zip: zip.NewWriter(w), now: now}
	for _, f := range files {
		text, err := readFile(f.Path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		clean, removed := Redact(string(text))
		out.note(f.Name, removed)
		out.add(f.Name, []byte(clean), err)
	}
	for _, p := range parts {
		text, err := p.Make()
		clean, removed := Scrub(string(text))
		out.note(p.Name, removed)
		out.add(p.Name, []byte(clean), err)
	}
	if len(out.removed) == 0 {
		out.removed = []string{"nothing"}
	}
	out.add(Removed, []byte(strings.Join(out.removed, "\n")+"\n"), nil)
	return errors.Join(out.err, out.zip.Close())
}

// readFile reads a file of the gateway.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read for the bundle: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, mostFile))
	if err != nil {
		return nil, fmt.Errorf("read for the bundle: %w", err)
	}
	return text, nil
}

// writer writes the zip file.
type writer struct {
	zip     *zip.Writer
	now     time.Time
	removed []string
	err     error // the first error of the zip file; nothing is written after it
}

// note adds to the list of removed texts.
func (w *writer) note(name string, removed []string) {
	for _, what := range slices.Compact(removed) {
		w.removed = append(w.removed, name+what)
	}
}

// add writes a file of the bundle, or its error.
func (w *writer) add(name string, text []byte, fault error) {
	if fault != nil {
		clean, _ := Scrub(fault.Error())
		name, text = name+".error.txt", []byte(clean+"\n")
	}
	if w.err != nil {
		return
	}
	entry, err := w.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: w.now})
	if err == nil {
		_, err = entry.Write(text)
	}
	if err != nil {
		w.err = fmt.Errorf("write %s into the bundle: %w", name, err)
	}
}
