package file

import (
	berrors "go.etcd.io/bbolt/errors"

	"errors"
	"fmt"
	"io/fs"
	"noi-agent/store/internal/record"
	"strings"
	"syscall"
)

// ErrLocked comes from Open and Check when another process has the file open.
var ErrLocked = errors.New("another agent uses it")

// OpenError returns the error of opening a file, with the way out.
func OpenError(path string, err error) error {
	err = sortError(err)
	return fmt.Errorf("open store %s: %w%s", path, err, Hint(err))
}

// sortError adds a sentinel to the error of bbolt when it opens a file. An error that does not come from the system is
// about the content of the file.
func sortError(err error) error {
	var system syscall.Errno
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return ErrLocked
	case !errors.As(err, &system), badMedium(system):
		return fmt.Errorf("%w: %w", record.ErrDamaged, err)
	}
	return err
}

// badMedium reports whether the system cannot read the file any more. It is false if only this user cannot, or only
// now.
func badMedium(e syscall.Errno) bool {
	return e == syscall.EIO || e == syscall.EUCLEAN || e == syscall.EBADMSG || e == syscall.ENXIO
}

// Spoiled reports whether an error means that the file is not usable.
func Spoiled(err error) bool {
	return errors.Is(err, record.ErrDamaged)
}

// Hint is the way out for the person who reads the error.
func Hint(err error) string {
	switch {
	case errors.Is(err, ErrLocked):
		return ": stop it, or give this one a state_dir of its own"
	case errors.Is(err, record.ErrVersion):
		return ": install the newer version again; or move the file aside, and its samples are not sent"
	case Spoiled(err):
		return ": move the file aside; the agent starts with an empty one"
	case errors.Is(err, fs.ErrNotExist):
		return ": create the directory, or set state_dir"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return ": the agent's user must be able to write in state_dir"
	case errors.Is(err, syscall.ENOSPC):
		return ": free some space in state_dir"
	}
	return ""
}

// Full reports whether a commit failed because of missing space, so that nothing of it is in the file. This is the case
// while the file grows, and while pages are written, of which the head page is the last. A failed sync comes after
// that, and its result is not known. bbolt wraps the errors of writing, prints the error of growing, and returns the
// error of a sync unchanged.
func Full(err error) bool {
	var write *fs.PathError
	switch {
	case errors.Is(err, berrors.ErrMaxSizeReached):
		return true
	case errors.As(err, &write) && write.Op != "sync" &&
		(errors.Is(write.Err, syscall.ENOSPC) || errors.Is(write.Err, syscall.EDQUOT)):
		return true
	}
	text := err.Error()
	return strings.Contains(text, "file resize error: ") && noSpace(text)
}

// FullDisk reports whether an operation failed because of missing space, if it does not matter which part was done.
func FullDisk(err error) bool {
	return err != nil && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || noSpace(err.Error()) ||
		errors.Is(err, berrors.ErrMaxSizeReached))
}

func noSpace(text string) bool {
	return strings.HasSuffix(text, syscall.ENOSPC.Error()) || strings.HasSuffix(text, syscall.EDQUOT.Error())
}
