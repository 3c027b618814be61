package agent

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"noi-agent/store"
)

// A disk that fails must not end the sampling. A commit that fails other than for want of space ends the agent, since nobody knows
// what the file holds; its supervisor starts it again, and the file is checked. When that has failed failuresMost times in a row, the
// next start keeps its outbox in memory and says so. Every start after that tries the disk again once, and takes over what is in memory.
const (
	failuresMost = 3
	// healthyAfter ends a row of failures: a disk that has worked so long is tried in earnest again.
	healthyAfter = time.Hour
	// memorySize bounds an outbox in memory: a day of 48 objects a minute.
	memorySize = 16 << 20
)

// failures counts in a file in memory, which is gone after a reboot, how often the store has failed in a row.
type failures struct{ path string }

// failuresOf is where the failures of a state directory are counted; without a directory in memory nothing is.
func failuresOf(memory, stateDir string) failures {
	if memory == "" {
		return failures{}
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(stateDir)) // never fails
	return failures{filepath.Join(memory, fmt.Sprintf("store-failures-%08x", h.Sum32()))}
}

// count returns how many there were. A file that does not read counts as none: the disk is tried.
func (f failures) count() int {
	data, err := readOwn(f.path)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func (f failures) set(n int) error {
	if f.path == "" {
		return nil
	}
	if n == 0 {
		if err := os.Remove(f.path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return writeOwn(f.path, []byte(strconv.Itoa(n)+"\n"))
}

// lastRun returns the number of the last run that was noted; 0: none.
func (f failures) lastRun() (number uint64) {
	if f.path == "" {
		return 0
	}
	data, err := readOwn(f.path + ".run")
	if err == nil {
		_, err = fmt.Sscan(string(data), &number)
	}
	if err != nil {
		return 0
	}
	return number
}

// note keeps the number of a run, for the outbox in memory to count on from when the disk cannot tell.
func (f failures) note(number uint64) error {
	if f.path == "" {
		return nil
	}
	return writeOwn(f.path+".run", fmt.Appendln(nil, number))
}

// noteRun notes this run.
func (a *Agent) noteRun() {
	if err := a.failures.note(a.store.Run()); err != nil {
		a.log.Debug("the run is not noted: should the disk fail, its number may come again", "error", err)
	}
}

// standIn is the path of the outbox in memory; "" without a directory in memory. What stands there already must be the
// agent's own, or the path is "" with the reason: the outbox of another user is never taken over.
func (f failures) standIn(path string) (string, error) {
	if f.path == "" {
		return "", nil
	}
	dir := f.path + ".outbox"
	standIn := filepath.Join(dir, filepath.Base(path))
	err := private(dir)
	if err == nil {
		var info fs.FileInfo
		if info, err = os.Lstat(standIn); err == nil {
			err = ownRegular(standIn, info)
		}
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return standIn, nil
	}
	return "", err
}

// diskFailed reports whether an error of opening the store is the medium's, and not a matter of configuration or of another agent.
func diskFailed(err error) bool {
	for _, e := range []syscall.Errno{syscall.EIO, syscall.EROFS, syscall.ENOSPC, syscall.EDQUOT, syscall.ENXIO, syscall.EUCLEAN, syscall.EBADMSG} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// recoverStore opens the store on the disk, with what had to be kept in memory meanwhile; or in memory when the disk has failed too often.
func (a *Agent) recoverStore(path string, o store.Options) (st *store.Store, r store.Recovery, err error) {
	o.Runs = a.failures.lastRun()
	standIn, err := a.failures.standIn(path)
	if err != nil {
		a.log.Warn("what stands in the place of the outbox in memory is not the agent's own, and stays as it is", "error", err)
		a.failures = failures{}
	}
	if a.failures.path != "" {
		o.Note = a.failures.path + ".accounts" // the directory is private
	}
	how := store.RecoverOptions{Check: a.options.CheckStore, TakeOver: standIn} // bounds its time itself
	failed := a.failures.count()
	switch {
	case failed >= failuresMost:
		a.degraded = fmt.Sprintf("the store failed %d times in a row", failed)
	default:
		if err = makeStateDir(filepath.Dir(path)); err == nil {
			st, r, err = store.Recover(context.Background(), path, o, how)
		}
		if err == nil || a.failures.path == "" || !diskFailed(err) {
			break
		}
		if failed+1 < failuresMost {
			return nil, r, errors.Join(err, a.failures.set(failed+1))
		}
		a.degraded = err.Error()
	}
	if a.degraded != "" {
		if o.Runs == 0 { // after a power cut only the disk knows, as far as it can be read
			o.Runs = store.RunsAt(path)
		}
		st, r, err = a.recoverInMemory(o, how)
	}
	return st, r, err
}

// makeStateDir makes the state directory when it is not there. It fails as the disk does, a medium that is read only from the start
// included, or for want of the right.
func makeStateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make the state directory: %w; give the daemon's user the right to it, or name another one as state_dir", err)
	}
	return nil
}

// recoverInMemory opens the store that stands in for the one on the disk.
func (a *Agent) recoverInMemory(o store.Options, how store.RecoverOptions) (*store.Store, store.Recovery, error) {
	if err := a.failures.set(failuresMost - 1); err != nil { // the next start tries the disk once
		a.log.Warn("the failures of the store are not counted", "error", err)
	}
	o.MaxSize = min(o.MaxSize, memorySize)
	path := how.TakeOver
	how.TakeOver = ""
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, store.Recovery{}, fmt.Errorf("keep the outbox in memory: %w", err)
	}
	a.log.Error("THE DISK FAILS: samples are kept in memory only, and lost when power is", "reason", a.degraded, "directory", filepath.Dir(path), "bytes", o.MaxSize)
	return store.Recover(context.Background(), path, o, how)
}

// countFailure notes how the run ended. A store that has worked for long, or was closed in order, ends the row.
func (a *Agent) countFailure(stopped error) {
	n := 0
	switch {
	case a.degraded != "":
		return
	case stopped != nil && a.clock.Elapsed()-a.began < healthyAfter:
		n = a.failures.count() + 1
	case stopped != nil:
		n = 1
	}
	if err := a.failures.set(n); err != nil {
		a.log.Warn("the failures of the store are not counted", "error", err)
	}
}
