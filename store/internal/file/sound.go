package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"noi-agent/objects"
)

// RecoverOptions say how Recover looks at a file that was not left clean.
type RecoverOptions struct {
	// Check runs Verify where a panic does no harm, in a child process (InChild). nil runs it in
	// this process, without a limit, and the process ends when the file is damaged in the wrong place.
	Check func(ctx context.Context, path string) error
	// Limit is how long Check may take before the file counts as damaged, and how long salvaging
	// may take; 0: 20 s, and a second more for each 32 MiB of file. A gateway that boots is busy, and an SD card
	// may stop for some seconds: a sound outbox must not be given up for that, nor because it is long.
	Limit time.Duration
}

const (
	checkLimit = 20 * time.Second
	// slowestMedium is in bytes per second: an SD card of class 10, four times over.
	slowestMedium = 32 << 20
)

func (ro RecoverOptions) limit(path string) time.Duration {
	if ro.Limit > 0 {
		return ro.Limit
	}
	limit := checkLimit
	if info, err := os.Stat(path); err == nil {
		limit += time.Duration(info.Size()/slowestMedium) * time.Second
	}
	return limit
}

// Recovery says what Recover found and did.
type Recovery struct {
	Created bool   // there was no file
	Checked bool   // the last stop was not clean, so the file was checked
	Reason  string // why the old file was moved aside; empty: it was not
	Aside   string // where it is now
	Samples uint64 // salvaged, and in the new store
	Rows    uint64 // about gaps, that were salvaged too; those about publications are not
	// DeadLetters were salvaged too. One that was sent again or dropped shortly before may be among them.
	DeadLetters uint64
	// Lost counts, by integration, samples that were not settled and could not be salvaged, as far
	// as a cursor record that was still readable says. They count as dropped, with a row.
	Lost map[string]uint64
	// Uncounted is true when the old file does not say what it held: more may be lost than Lost says.
	Uncounted bool
	Kept      []string // all files that are kept aside now, the newest last
}

// Moved reports whether the old file was moved aside.
func (r Recovery) Moved() bool { return r.Reason != "" }

// Hold resolves the path, and keeps a second agent that starts at the same moment from making the same file sound.
func Hold(ctx context.Context, path string) (resolved string, release func(), err error) {
	if at, err := filepath.EvalSymlinks(path); err == nil {
		path = at // the store lies where the link leads, and so does what is moved aside
	}
	release, err = holdDirectory(ctx, filepath.Dir(path))
	if err != nil {
		return path, nil, fmt.Errorf("open store %s: %w%s", path, err, Hint(err))
	}
	return path, release, nil
}

// MakeSound sees to it that the file at the path can be opened, or that there is none. A file that was not left clean
// is checked. One that is damaged, empty, foreign or no file at all is replaced. hold comes before.
func MakeSound(ctx context.Context, path string, o Options, ro RecoverOptions) (r Recovery, err error) {
	if r, err = examine(ctx, path, o, ro); err != nil {
		return r, fmt.Errorf("open store %s: %w%s", path, err, Hint(err))
	}
	if r.Moved() {
		err = GiveUp(ctx, path, o, ro, &r)
		return r, err
	}
	r.Kept = keptAside(path)
	return r, nil
}

// GiveUp moves a file aside for r.Reason, and puts a new one with what can be salvaged in its place.
func GiveUp(ctx context.Context, path string, o Options, ro RecoverOptions, r *Recovery) error {
	o.Logger.Error("the store cannot be used", "path", path, "reason", r.Reason)
	ctx, cancel := context.WithTimeout(ctx, ro.limit(path))
	defer cancel()
	if err := replace(ctx, path, o, r); err != nil {
		return fmt.Errorf("replace store %s (%s): %w%s", path, r.Reason, err, Hint(err))
	}
	return nil
}

// examine decides whether the file can be opened (no reason), must be moved aside (a reason), or
// is none of our business (an error).
func examine(ctx context.Context, path string, o Options, ro RecoverOptions) (r Recovery, err error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Created = true
		return r, nil
	case err != nil:
		r.Reason, err = whyUnreadable(err)
		return r, err
	case !info.Mode().IsRegular():
		r.Reason = noFile(info.Mode())
		return r, nil
	}
	if err := unlocked(ctx, path); err != nil {
		r.Reason, err = whyUnreadable(err)
		return r, err
	}
	switch {
	case info.Size() == 0:
		r.Reason = "the file is empty"
		return r, nil
	case leftClean(path):
		return r, nil
	}
	r.Checked = true
	o.Logger.Warn("the store was not left clean: checking it", "path", path, "bytes", info.Size())
	r.Reason, err = ro.check(ctx, path)
	return r, err
}

// whyUnreadable is the reason for moving a file aside that the medium does not give any more, or that is another
// user's, as after the agent has run as root; other errors stay errors. Where the directory is not ours
// either, moving fails, and that is the error.
func whyUnreadable(err error) (string, error) {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Sprintf("the file is not ours: %v", err), nil
	}
	var system syscall.Errno
	if errors.As(err, &system) && badMedium(system) {
		return fmt.Sprintf("the file cannot be read: %v", err), nil
	}
	return "", err
}

func noFile(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory has the file's name"
	case mode&fs.ModeSymlink != 0:
		return "the file is a link that leads nowhere"
	}
	return "something that is no file has its name"
}

// check runs Check under its time limit and returns why the file is no good, "" when it is.
func (ro RecoverOptions) check(ctx context.Context, path string) (reason string, err error) {
	limit := ro.limit(path)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if ro.Check != nil {
		err = ro.Check(limited, path)
	} else {
		err = Verify(path)
	}
	switch {
	case err == nil:
		return "", nil
	case ctx.Err() != nil:
		return "", ctx.Err() // we are to end: the file is as good as before
	case limited.Err() != nil:
		return fmt.Sprintf("the file could not be checked within %s", objects.Period(limit)), nil
	case Spoiled(err):
		return err.Error(), nil
	}
	return "", err
}

// unlocked fails with ErrLocked when another process works with the file, as Open would, and with
// the system's error when we cannot. A file that is ours and lacks the permission gets it.
func unlocked(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) && os.Chmod(path, 0o600) == nil {
		f, err = os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		return err
	}
	defer f.Close() // lets the lock go
	return lock(ctx, f)
}

// holdDirectory keeps a second agent that starts at the same moment from recovering the same file.
func holdDirectory(ctx context.Context, dir string) (release func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := lock(ctx, f); errors.Is(err, ErrLocked) || ctx.Err() != nil {
		return nil, errors.Join(err, f.Close())
	} // file systems that cannot lock a directory have to do without
	return func() { _ = f.Close() }, nil
}

// lockEvery is how often a lock that another process holds is tried again, as in bbolt.
const lockEvery = 50 * time.Millisecond

// lock waits for an exclusive lock as long as Open does: an agent that is just ending lets go.
func lock(ctx context.Context, f *os.File) error {
	ctx, cancel := context.WithTimeoutCause(ctx, lockWait, ErrLocked)
	defer cancel()
	again := time.NewTicker(lockEvery)
	defer again.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-again.C:
		}
	}
}
