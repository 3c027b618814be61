package integrations

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"noi-agent/internal/strictyaml"
)

// The names of two files beside the file of integrations, as ends of their paths.
const (
	previousEnd = ".previous" // the file before the last change
	newEnd      = ".new"      // a file that is being written
)

// fileMode prevents that other users read topics and paths.
const fileMode = 0o600

// step is one operation on files. A crash may happen between two steps, or within a write. Tests stop after each step.
type step struct {
	what string
	do   func() error
}

// replace replaces the content of the file by text, and keeps the old content as `.previous`. The file is never half
// written: before the last rename it is the old file, after it the new one. replace returns when the disk has the file.
func replace(path string, text []byte) error {
	for _, s := range replaceSteps(path, text) {
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return nil
}

// replaceSteps returns the steps of replace in their order.
func replaceSteps(path string, text []byte) []step {
	var steps []step
	if before, err := read(path); err == nil {
		steps = writeSteps(path+previousEnd, before)
	}
	return append(steps, writeSteps(path, text)...)
}

// writeSteps returns the steps that write one file.
func writeSteps(path string, text []byte) []step {
	fresh := path + newEnd
	return []step{
		{"write " + fresh, func() error { return writeSynced(fresh, text) }},
		{"rename " + fresh, func() error { return os.Rename(fresh, path) }},
		{"sync " + filepath.Dir(path), func() error { return syncDir(filepath.Dir(path)) }},
	}
}

// writeSynced writes a new file and waits until the disk has its content. It removes a file that a crash has left.
func writeSynced(path string, text []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir waits until the disk has the names in a directory.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// read returns the content of a file, up to one byte more than the decoder accepts, so that the decoder refuses a file
// that is too large.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, strictyaml.MaxSize+1))
}
