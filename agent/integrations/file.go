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

// What stands beside the file: the set of before the last change, and what is being written.
const (
	previousEnd = ".previous"
	newEnd      = ".new"
)

// fileMode keeps others from reading topics and paths.
const fileMode = 0o600

// step is one operation on files. A crash comes between two of them, or within a write.
type step struct {
	what string
	do   func() error
}

// replace puts text in the place of the file, and keeps what the file was. It is not done in part: up to the last
// rename the file is the old one, from then on the new one. It returns when the disk has it.
func replace(path string, text []byte) error {
	for _, s := range replaceSteps(path, text) {
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return nil
}

// replaceSteps are what replace does, in this order.
func replaceSteps(path string, text []byte) []step {
	var steps []step
	if before, err := read(path); err == nil {
		steps = writeSteps(path+previousEnd, before)
	}
	return append(steps, writeSteps(path, text)...)
}

// writeSteps write one file whole.
func writeSteps(path string, text []byte) []step {
	fresh := path + newEnd
	return []step{
		{"write " + fresh, func() error { return writeSynced(fresh, text) }},
		{"rename " + fresh, func() error { return os.Rename(fresh, path) }},
		{"sync " + filepath.Dir(path), func() error { return syncDir(filepath.Dir(path)) }},
	}
}

// writeSynced writes a file and waits until the disk has its content. What a crash left of an earlier one is
// overwritten.
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

// syncDir waits until the disk has the names of a directory.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// read returns the content of the file, and at most one byte more than the decoder takes.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, strictyaml.MaxSize+1))
}
