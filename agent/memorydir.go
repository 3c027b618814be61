package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Directories in memory are often writable by every user of the machine (/tmp, /dev/shm). There another user could
// prepare an outbox or a link under the names that the agent will use. So the agent keeps nothing in a directory that
// another user can write, and follows no link.

// usableMemory returns the directory if only this process's user can write it. If not, the agent works without an
// outbox in memory.
func (a *Agent) usableMemory(dir string) string {
	if dir == "" {
		return ""
	}
	if err := private(dir); err != nil {
		a.log.Warn("if the disk fails, no outbox is kept in memory: other users could write to its directory",
			"error", err,
			"remedy", "give the agent a directory of its own: RuntimeDirectory= of the unit, or status.socket in a "+
				"directory that only the agent's user can write")
		return ""
	}
	return dir
}

// private returns an error unless path is a directory, and no link, that this process's user owns and no other user can
// write.
func private(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", path)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s has the mode %s: other users can write to it", path, info.Mode())
	default:
		return owned(path, info)
	}
}

// owned returns an error unless this process's user owns the file.
func owned(path string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user", path)
	}
	return nil
}

// readOwn reads a small file that this process's user has written. A link and a file of another user are errors.
func readOwn(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() // nothing was written
	if err := ownFile(path, f); err != nil {
		return nil, err
	}
	const most = 100 // bytes; two numbers and their blanks
	return io.ReadAll(io.LimitReader(f, most))
}

// writeOwn replaces the content of a small file, and makes the file if there is none. A link and a file of another user
// are errors.
func writeOwn(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	if err = ownFile(path, f); err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.Write(data)
	}
	return errors.Join(err, f.Close())
}

func ownFile(path string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return ownRegular(path, info)
}

func ownRegular(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	return owned(path, info)
}
