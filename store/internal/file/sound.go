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

// RecoverOptions are the options for checking a file that was not closed cleanly.
type RecoverOptions struct {
	// Check runs Verify in a child process (InChild), where a panic does no harm. nil: Verify runs in this process,
	// without a time limit, and a damaged file may end the process.
	Check func(ctx context.Context, path string) error
	// Limit is how long Check may take before the file counts as damaged, and how long salvaging may take; 0: 20 s, and
	// a second more for each 32 MiB of file. A gateway is busy while it boots, and an SD card may stop for some
	// seconds. A good outbox must not count as damaged because of this, or because it is long.
	Limit time.Duration
}

const (
	checkLimit = 20 * time.Second
	// slowestMedium is in bytes per second: four times the rate of an SD card of class 10.
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

// Recovery is the result of Recover: what it found, and what it did.
type Recovery struct {
	Created bool   // there was no file
	Checked bool   // the last stop was not clean, so the file was checked
	Reason  string // why the old file was moved aside; empty: it was not
	Aside   string // where it is now
	Samples uint64 // samples that were salvaged into the new store
	Rows    uint64 // rows about gaps that were salvaged; rows about publications are not
	// DeadLetters is the number of salvaged dead letters. A dead letter that was sent again or deleted shortly before
	// may be among them.
	DeadLetters uint64
	// Lost counts, by integration, the samples that were not settled and could not be salvaged, by the readable cursor
	// records. They count as dropped, with a row.
	Lost map[string]uint64
	// Uncounted is true if the old file does not show how many samples it had: more samples may be lost than Lost.
	Uncounted bool
	Kept      []string // all files that are kept aside now, the newest last
}

// Moved reports whether the old file was moved aside.
func (r Recovery) Moved() bool { return r.Reason != "" }

// Hold resolves the path, and keeps a second agent that starts at the same moment from making the same file sound.
func Hold(ctx context.Context, path string) (resolved string, release func(), err error) {
	if at, err := filepath.EvalSymlinks(path); err == nil {
		path = at // the store is where the link leads, and so are the files moved aside
	}
	release, err = holdDirectory(ctx, filepath.Dir(path))
	if err != nil {
		return path, nil, fmt.Errorf("open store %s: %w%s", path, err, Hint(err))
	}
	return path, release, nil
}

// MakeSound makes sure that the file at the path can be opened, or that there is none. It checks a file that was not
// closed cleanly. It replaces a file that is damaged, empty or foreign, or a path that is no regular file. Call Hold
// before.
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

// GiveUp moves a file aside because of r.Reason, and puts a new file with the salvaged content in its place.
func GiveUp(ctx context.Context, path string, o Options, ro RecoverOptions, r *Recovery) error {
	o.Logger.Error("the store cannot be used", "path", path, "reason", r.Reason)
	ctx, cancel := context.WithTimeout(ctx, ro.limit(path))
	defer cancel()
	if err := replace(ctx, path, o, r); err != nil {
		return fmt.Errorf("replace store %s (%s): %w%s", path, r.Reason, err, Hint(err))
	}
	return nil
}

// examine decides whether the file can be opened (no reason), must be moved aside (a reason), or must not be touched
// (an error).
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

// whyUnreadable returns the reason for moving an unreadable file aside: the medium cannot read it any more, or it
// belongs to another user, for example after the agent has run as root. Other errors stay errors. If the directory also
// belongs to another user, moving the file fails with an error.
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

// check runs Check with its time limit, and returns why the file is not usable; "": it is.
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
		return "", ctx.Err() // the agent must end; the file did not change
	case limited.Err() != nil:
		return fmt.Sprintf("the file could not be checked within %s", objects.Period(limit)), nil
	case Spoiled(err):
		return err.Error(), nil
	}
	return "", err
}

// unlocked fails with ErrLocked if another process has the file open, like Open, and with the system's error if the
// file cannot be opened. If this user owns the file and lacks the permission, unlocked sets the permission.
func unlocked(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) && os.Chmod(path, 0o600) == nil {
		f, err = os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		return err
	}
	defer f.Close() // releases the lock
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
	} // on file systems that cannot lock a directory there is no lock
	return func() { _ = f.Close() }, nil
}

// lockEvery is how often a lock that another process holds is tried again, as in bbolt.
const lockEvery = 50 * time.Millisecond

// lock waits for an exclusive lock as long as Open does, so that an agent that is ending can release it.
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
