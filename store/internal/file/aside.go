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
	// maxAside is how many files are kept aside: a medium that goes bad makes one at each start.
	// All but the newest also keep within the size of one store.
	maxAside = 3
)

// keptAside lists what is kept aside, by number, the newest last. Numbers, since a gateway's clock
// may be wrong: the file's own time is when it was last written.
func keptAside(path string) []string {
	found, err := filepath.Glob(globEscape(path) + asideSuffix + "*")
	if err != nil {
		return nil
	}
	found = slices.DeleteFunc(found, func(name string) bool { return asideNumber(path, name) == 0 })
	slices.SortFunc(found, func(a, b string) int { return asideNumber(path, a) - asideNumber(path, b) })
	return found
}

// asideNumber is 0 for what is not ours.
func asideNumber(path, name string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(name, path+asideSuffix))
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// globEscape makes a path match itself.
func globEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// nextAside returns the name for one more.
func nextAside(path string) string {
	n := 0
	if kept := keptAside(path); len(kept) > 0 {
		n = asideNumber(path, kept[len(kept)-1])
	}
	return fmt.Sprintf("%s%s%04d", path, asideSuffix, n+1)
}

// prune makes room for one more of so many bytes: the oldest go first.
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
			if err := os.RemoveAll(name); err != nil { // all: it may have been a directory
				return err
			}
		}
		break
	}
	return nil
}

// replace puts a new store with what can be salvaged in the file's place, and the file aside.
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
	// The room that the new file had taken is free again, and perhaps more is. If not, that is an error: the old file
	// keeps its name, and its samples.
	if FullDisk(err) {
		r.Samples, r.Rows, r.DeadLetters, r.Lost, r.Uncounted = 0, 0, 0, nil, false
		made, err = rebuild(ctx, path, o, r)
	}
	if err != nil {
		return err
	}
	defer os.Remove(made) // what is left of it after a failure
	if err := swap(path, r.Aside, made, info.Mode()); err != nil {
		return err
	}
	TakeClean(path)
	r.Kept = keptAside(path)
	o.Logger.Error("the store was replaced", "reason", r.Reason, "aside", r.Aside,
		"salvaged", r.Samples, "rows", r.Rows, "dead_letters", r.DeadLetters, "lost", r.Lost, "uncounted", r.Uncounted)
	return SyncPath(filepath.Dir(path))
}

// swap gives the old file its new name and the new one the old name. With a second name first,
// there is no moment at which the path leads to nothing. A directory cannot have two, and some
// file systems know no links: there a cut between the two renames loses what was salvaged to the
// file kept aside.
func swap(path, aside, made string, mode fs.FileMode) error {
	if mode.IsDir() || os.Link(path, aside) != nil {
		if err := os.Rename(path, aside); err != nil {
			return err
		}
	}
	return os.Rename(made, path)
}

// rebuild makes the new store beside the old and fills it with what the old one still gives. A
// fault of ours on a file of an unforeseen kind must not keep the agent from starting.
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
		// not the file's fault: without descriptors or memory, say. What it holds must not be left behind
		return "", err
	}
	if err != nil {
		r.Uncounted = true
		return Create(path, format) // a directory, or nothing that can be read
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
