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

// Removed is the name of the list of what was taken out.
const Removed = "removed.txt"

// File is a file on the gateway that goes into the bundle, without its secrets.
type File struct{ Name, Path string }

// Part is a part that is made when it is its turn.
type Part struct {
	Name string
	Make func() ([]byte, error)
}

// mostFile bounds a file of the configuration; those of a hundred controllers have 100 KB.
const mostFile = 4 << 20

// Write makes the zip file, one part after another: memory holds one part at a time. A part that cannot be made is in
// the file as its error. now is the time of the files in it.
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

// readFile reads a file of the configuration.
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

// writer is a zip file that is being made.
type writer struct {
	zip     *zip.Writer
	now     time.Time
	removed []string
	err     error // the first one of the zip file; nothing is written after it
}

// note adds to the list of what was taken out.
func (w *writer) note(name string, removed []string) {
	for _, what := range slices.Compact(removed) {
		w.removed = append(w.removed, name+what)
	}
}

// add writes a part, or why there is none.
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
