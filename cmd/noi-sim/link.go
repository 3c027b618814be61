package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// linkName is the name of the link to the pseudo-terminal, in --dir.
const linkName = "ttyNOI"

// placeLink makes dir/ttyNOI a link to target. A link that exists is replaced: an earlier noi-sim left it, because only
// one noi-sim at a time can have the ports of the clouds. If another kind of file exists, placeLink fails. An existing
// link is replaced in one step, so the path always has a link.
func placeLink(dir, target string) (path string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the directory of the link: %w", err)
	}
	path = filepath.Join(dir, linkName)
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", fmt.Errorf("check the link: %w", err)
	case info.Mode().Type() != fs.ModeSymlink:
		return "", fmt.Errorf("%s exists and is not a link; move it away or choose another --dir", path)
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

// removeLink removes the link if it still points to target.
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
