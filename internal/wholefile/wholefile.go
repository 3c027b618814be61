// Package wholefile writes small files whole or not at all.
package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Write puts a file with this content at path, in the place of one that may be there. It returns when the disk has the
// content and the name. After a crash or a power cut the file is the old one or the new one. An error leaves the old
// one, and no other file.
func Write(path string, content []byte, mode fs.FileMode) error {
	dir, name := filepath.Split(path)
	dir = filepath.Clean(dir) // "" is the working directory
	f, err := os.CreateTemp(dir, name+".*.new")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
