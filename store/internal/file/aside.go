package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const (
	asideSuffix = ".damaged-"
	// maxAside is how many files are kept aside: a failing disk makes one at each start. All but the newest together
	// are not larger than one store.
	maxAside = 3
)

// keptAside lists the files that are kept aside, by number, the newest last. It uses numbers and not times, because a
// gateway's clock may be wrong.
func keptAside(path string) []string {
	found, err := filepath.Glob(globEscape(path) + asideSuffix + "*")
	if err != nil {
		return nil
	}
	found = slices.DeleteFunc(found, func(name string) bool { return asideNumber(path, name) == 0 })
	slices.SortFunc(found, func(a, b string) int { return asideNumber(path, a) - asideNumber(path, b) })
	return found
}

// asideNumber returns the number in a name; 0: it is no file that was moved aside.
func asideNumber(path, name string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(name, path+asideSuffix))
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// globEscape returns a pattern that matches only this path.
func globEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// nextAside returns the name for the next file aside.
func nextAside(path string) string {
	n := 0
	if kept := keptAside(path); len(kept) > 0 {
		n = asideNumber(path, kept[len(kept)-1])
	}
	return fmt.Sprintf("%s%s%04d", path, asideSuffix, n+1)
}

// prune makes room for one more file with this size: it deletes the oldest files first.
func prune(path string, more, limit int64) error {
	kept := keptAside(path)
	sum := more
	for i := len(kept) - 1; i >= 0; i-- {
		if info, err := os.Lstat(kept[i]); err == nil {
			sum += info.Size()
		}
		if len(kept)-i < maxAside && sum <= limit {
			continue
		}
		for _, name := range kept[:i+1] {
			if err := os.RemoveAll(name); err != nil { // RemoveAll, because it may be a directory
				return err
			}
		}
		break
	}
	return nil
}

// replace moves the file aside, and puts a new store with the salvaged content at its path.
func replace(ctx context.Context, path string, o Options, r *Recovery) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	size := int64(0)
	if info.Mode().IsRegular() {
		size = info.Size()
	}
	if err := prune(path, size, int64(BoltOptions(o.MaxSize).MaxSize)); err != nil {
		return err
	}
	r.Aside = nextAside(path)
	made, err := rebuild(ctx, path, o, r)
	// The space of the new file is free again, and perhaps there is more space now. If not, this is an error: the old
	// file keeps its name and its samples.
	if FullDisk(err) {
		r.Samples, r.Rows, r.DeadLetters, r.Lost, r.Uncounted = 0, 0, 0, nil, false
		made, err = rebuild(ctx, path, o, r)
	}
	if err != nil {
		return err
	}
	defer os.Remove(made) // after a failure
	if err := swap(path, r.Aside, made, info.Mode()); err != nil {
		return err
	}
	TakeClean(path)
	r.Kept = keptAside(path)
	o.Logger.Error("the store was replaced", "reason", r.Reason, "aside", r.Aside,
		"salvaged", r.Samples, "rows", r.Rows, "dead_letters", r.DeadLetters, "lost", r.Lost, "uncounted", r.Uncounted)
	return SyncPath(filepath.Dir(path))
}

// swap gives the old file its new name and the new one the old name. The old file gets its second name first, so there
// is always a file at the path. A directory cannot have two names, and some file systems have no links. There, after a
// power cut between the two renames, the salvaged content is only in the file kept aside.
func swap(path, aside, made string, mode fs.FileMode) error {
	if mode.IsDir() || os.Link(path, aside) != nil {
		if err := os.Rename(path, aside); err != nil {
			return err
		}
	}
	return os.Rename(made, path)
}

// rebuild makes the new store beside the old one, and fills it with the readable content of the old one. An error of
// our own code on an unexpected file must not prevent the start of the agent.
func rebuild(ctx context.Context, path string, o Options, r *Recovery) (made string, err error) {
	defer func() {
		if p := recover(); p != nil {
			o.Logger.Error("salvaging failed", "error", fmt.Sprint(p))
			r.Samples, r.Rows, r.DeadLetters, r.Lost, r.Uncounted = 0, 0, 0, nil, true
			made, err = Create(path, format)
		}
	}()
	src, err := openPages(path)
	var system syscall.Errno
	if errors.As(err, &system) && !badMedium(system) && system != syscall.ELOOP && !errors.Is(err, fs.ErrNotExist) &&
		!errors.Is(err, fs.ErrPermission) {
		// the file is not the reason: for example, there are no descriptors or no memory. Its content must not be lost
		return "", err
	}
	if err != nil {
		r.Uncounted = true
		return Create(path, format) // a directory, or not readable
	}
	defer src.close()
	sv := &salvage{ctx: ctx, src: src, opts: o, aside: filepath.Base(r.Aside)}
	sv.survey(path)
	made, err = Create(path, sv.fill)
	if err != nil {
		return "", errors.Join(err, ctx.Err())
	}
	r.Samples, r.Rows, r.DeadLetters, r.Lost, r.Uncounted = sv.found.Samples, sv.gaps, sv.letters, sv.lost,
		sv.uncounted()
	return made, nil
}
