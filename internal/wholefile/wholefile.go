// Package wholefile replaces a small file in one step: readers see the old file or the new one, never a part.
package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Write writes a file with this content and mode to path. An existing file is replaced. Write returns when the content
// and the name are on the disk. After a crash or a power cut, path is the old file or the new one. After an error it is
// also the old file or the new one, and there is no other file.
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
