package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// linkName is the link to the pseudo-terminal, within --dir.
const linkName = "ttyNOI"

// placeLink makes dir/ttyNOI a link to target. A link that is there already is what a world before this one left behind
// (only one can hold the clouds' ports) and is replaced; anything else is refused. It never leaves the path without a
// link.
func placeLink(dir, target string) (path string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the directory of the link: %w", err)
	}
	path = filepath.Join(dir, linkName)
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", fmt.Errorf("look at the link: %w", err)
	case info.Mode().Type() != fs.ModeSymlink:
		return "", fmt.Errorf("%s is there and is no link; move it away or choose another --dir", path)
	}
	fresh := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.Symlink(target, fresh); err != nil {
		return "", fmt.Errorf("link the line: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return "", errors.Join(fmt.Errorf("link the line: %w", err), os.Remove(fresh))
	}
	return path, nil
}

// removeLink removes the link unless it has been made to point elsewhere meanwhile.
func removeLink(path, target string) error {
	now, err := os.Readlink(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && now != target {
		return nil
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		return fmt.Errorf("remove the link: %w", err)
	}
	return nil
}
