package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"noi-agent/store"

	"golang.org/x/sys/unix"
)

// A disk that fails does not end the sampling. If a commit fails for another reason than a full disk, the agent ends,
// because it does not know the content of the file. The supervisor starts the agent again, and the file is checked.
// After failuresMost failures in a row, the next start keeps its outbox in memory, and the status shows this.
//
// The agent stays in memory until the disk has passed its probes and nothing waits in memory. Then the agent ends. The
// next start uses the store on the disk, and deletes the outbox in memory. No sample is moved from one to the other.
// The log of publications, the counters and the kept samples of that time are lost. The gaps are copied to the disk.
// Files in memory pass on the number of the run and the accounts.
const (
	failuresMost = 3
	// healthyAfter is the time of a run after which earlier failures no longer count.
	healthyAfter = time.Hour
	// memorySize is the limit of an outbox in memory, in bytes. It is enough for a day of 48 objects per minute.
	memorySize = 16 << 20

	probeEvery  = 20 * time.Minute // time between two probes of the disk
	probesInRow = 3                // good probes in a row before the disk is used again
	probeSize   = 1 << 20          // bytes of a probe
	// sentWithin is the longest time for which a sample of a working integration waits, in addition to publish_every.
	sentWithin = time.Minute
)

// errDiskBack ends the agent so that the next start works on the disk.
var errDiskBack = errors.New("the disk works again, and nothing waits in memory: the agent ends, and its next start " +
	"uses the disk")

// failures counts how often the store has failed in a row. The count is in a file in memory, which a reboot deletes.
type failures struct{ path string }

// failuresOf returns the counter of a state directory; without a directory in memory nothing is counted.
func failuresOf(memory, stateDir string) failures {
	if memory == "" {
		return failures{}
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(stateDir)) // never fails
	return failures{filepath.Join(memory, fmt.Sprintf("store-failures-%08x", h.Sum32()))}
}

// count returns the number of failures; 0 if the file is not readable, so that the disk is tried.
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

// lastRun returns the number of the last noted run; 0 if there is none.
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

// note stores the number of a run. The next run gets a higher one, whether its outbox is on the disk or in memory.
func (f failures) note(number uint64) error {
	if f.path == "" {
		return nil
	}
	return writeOwn(f.path+".run", fmt.Appendln(nil, number))
}

// noteRun notes this run.
func (a *Agent) noteRun() {
	if err := a.failures.note(a.store.Run()); err != nil {
		a.log.Debug("the number of the run is not noted: if the disk fails, a later run may get it again", "error", err)
	}
}

// outbox returns the path of the outbox in memory; "" without a directory in memory. path is that of the outbox on the
// disk. The error says that the file there is not the agent's own: the outbox of another user is never used.
func (f failures) outbox(path string) (string, error) {
	if f.path == "" {
		return "", nil
	}
	dir := f.path + ".outbox"
	outbox := filepath.Join(dir, filepath.Base(path))
	err := private(dir)
	if err == nil {
		var info fs.FileInfo
		if info, err = os.Lstat(outbox); err == nil {
			err = ownRegular(outbox, info)
		}
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return outbox, nil
	}
	return "", err
}

// diskFailed reports whether an error of opening the store comes from the medium, and not from the configuration or
// another agent.
func diskFailed(err error) bool {
	return slices.ContainsFunc([]syscall.Errno{
		syscall.EIO, syscall.EROFS, syscall.ENOSPC, syscall.EDQUOT, syscall.ENXIO, syscall.EUCLEAN, syscall.EBADMSG,
	}, func(e syscall.Errno) bool { return errors.Is(err, e) })
}

// recoverStore opens the store: in memory if something waits there, or if the disk has failed too often; otherwise on
// the disk.
func (a *Agent) recoverStore(path string, o store.Options) (st *store.Store, r store.Recovery, err error) {
	memory, foreign := a.failures.outbox(path)
	if foreign != nil {
		a.log.Warn("the outbox in memory is not the agent's own, and stays as it is", "error", foreign)
		a.failures = failures{}
	}
	if a.failures.path != "" {
		o.Note = a.failures.path + ".accounts" // the directory is private
	}
	st, r, left := a.owedInMemory(memory, o)
	if st != nil {
		return st, r, nil
	}
	o.Runs = a.failures.lastRun()
	failed := a.failures.count()
	reason := fmt.Sprintf("the store failed %d times in a row", failed)
	if failed < failuresMost {
		if err = makeStateDir(filepath.Dir(path)); err == nil {
			st, r, err = store.Recover(context.Background(), path, o, store.RecoverOptions{Check: a.options.CheckStore})
		}
		switch {
		case err == nil:
			a.left = left
			return st, r, nil
		case memory == "" || !diskFailed(err):
			return nil, r, err
		case failed+1 < failuresMost:
			return nil, r, errors.Join(err, a.failures.set(failed+1))
		}
		reason = err.Error()
	}
	if o.Runs == 0 { // after a power cut, only the disk has the number of the last run, if it can be read
		o.Runs = store.RunsAt(path)
	}
	a.degrade(reason)
	return a.openInMemory(memory, o)
}

// makeStateDir makes the state directory if it does not exist. It fails with the error of the disk, also on a read-only
// medium, or without permission.
func makeStateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make the state directory: %w; give the daemon's user the right to it, or name another one "+
			"as state_dir", err)
	}
	return nil
}

// gapsLeft has the gaps of an outbox in memory in which nothing waits.
type gapsLeft struct {
	dir  string                  // directory of the outbox
	rows []store.Trigger         // the rows about gaps, the newest first; they were already announced to the clouds
	dark map[string][]store.Span // gaps that begin before this outbox, after a sample that only the disk knows
}

// owedInMemory returns the store in memory of an earlier run, if something waits in it. If nothing waits, it returns
// the gaps of this store.
func (a *Agent) owedInMemory(path string, o store.Options) (*store.Store, store.Recovery, *gapsLeft) {
	if _, err := os.Lstat(path); path == "" || err != nil {
		return nil, store.Recovery{}, nil
	}
	o.Runs = a.failures.lastRun()
	left := gapsLeft{dir: filepath.Dir(path)}
	st, r, err := a.openInMemory(path, o)
	if err == nil {
		if reason := owed(st.Stats()); reason != "" {
			a.degrade(reason)
			return st, r, nil
		}
		left.dark = st.Dark()
		left.rows, _, err = st.Triggers(store.TriggerQuery{Gaps: true, Limit: math.MaxInt})
		err = errors.Join(err, a.failures.note(st.Run()), st.Close())
	}
	if err != nil {
		a.log.Error("the outbox in memory is not used, and stays as it is", "path", path, "error", err)
		return nil, store.Recovery{}, nil
	}
	return nil, store.Recovery{}, &left
}

// setIntegrations gives the store the integrations, and writes the gaps of the outbox in memory into the log on the
// disk. The outbox in memory is deleted when they are durable there.
func (a *Agent) setIntegrations(list []store.Integration) error {
	if a.left == nil {
		return a.store.SetIntegrations(list)
	}
	a.store.MissingDark(a.left.dark)
	if err := a.store.SetIntegrations(list); err != nil {
		return err
	}
	for _, row := range slices.Backward(a.left.rows) {
		row.Gap.Ongoing = true // so that it is not announced again
		if err := a.store.Missing(row.Integration, row.Gap); err != nil {
			a.log.Warn("a gap of the time in memory is not in the log", "error", err)
		}
	}
	dir := a.left.dir
	a.left = nil
	if err := a.store.SetIntegrations(list); err != nil { // called again, because it makes the gaps durable
		a.log.Warn("the outbox in memory stays for the next start: its gaps are not on the disk yet", "error", err)
		return nil
	}
	return os.RemoveAll(dir)
}

// owed returns a text about what waits in an outbox; "": nothing waits.
func owed(stats store.Stats) string {
	samples, letters, gaps := uint64(0), 0, 0
	for _, in := range stats.Integrations {
		samples, letters, gaps = samples+in.Backlog, letters+in.Dead, gaps+in.OpenGaps
	}
	if samples == 0 && letters == 0 && gaps == 0 {
		return ""
	}
	return fmt.Sprintf("it failed before, and the outbox in memory is not empty: samples %d, dead letters %d, gaps %d",
		samples, letters, gaps)
}

// degrade notes that this run keeps its outbox in memory. It sets the count of failures so that a later start tries the
// disk only once.
func (a *Agent) degrade(reason string) {
	a.degraded = reason
	a.log.Error("THE DISK FAILS: samples are kept in memory only, and a power cut loses them", "reason", reason)
	if err := a.failures.set(failuresMost - 1); err != nil {
		a.log.Warn("the failures of the store are not counted", "error", err)
	}
}

// openInMemory opens the store in memory. It makes the store if there is none.
func (a *Agent) openInMemory(path string, o store.Options) (*store.Store, store.Recovery, error) {
	o.MaxSize = min(o.MaxSize, memorySize)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, store.Recovery{}, fmt.Errorf("keep the outbox in memory: %w", err)
	}
	return store.Recover(context.Background(), path, o, store.RecoverOptions{Check: a.options.CheckStore})
}

// countFailure counts a failure of the store at the end of a run. The count begins again if the store has worked for
// healthyAfter, or has not failed.
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

// diskBack returns a channel that is closed when the disk has passed its probes in a row and nothing waits in memory.
// If the store is on the disk, the channel stays open.
func (a *Agent) diskBack(ctx context.Context) <-chan struct{} {
	back := make(chan struct{})
	if a.degraded == "" {
		return back
	}
	go func() {
		tick := time.NewTicker(a.probes)
		defer tick.Stop()
		for passed := 0; passed < probesInRow || !a.sentAll(); {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			err := makeStateDir(a.options.Config.StateDir)
			if err == nil {
				err = probeDisk(a.options.Config.StateDir)
			}
			if err != nil {
				passed = 0
				a.log.Debug("the disk still fails", "error", err)
				continue
			}
			passed++
			a.log.Info("the disk has passed a probe", "passed", passed, "wanted", probesInRow)
		}
		close(back)
	}()
	return back
}

// sentAll reports whether only samples wait that the last publish at the end will send. These are the newest samples of
// working integrations. If the last publish fails, the next start finds them, and stays in memory.
func (a *Agent) sentAll() bool {
	turn := map[string]time.Duration{}
	for _, in := range a.current().config.Integrations {
		turn[in.ID] = in.PublishEvery
	}
	for id, in := range a.store.Stats().Integrations {
		if in.Dead > 0 || in.OpenGaps > 0 || in.Backlog > 0 && a.clock.Now().Sub(in.Oldest) > turn[id]+sentWithin {
			return false
		}
	}
	return true
}

// probeDisk writes a file into the state directory, syncs it, and reads it back from the medium. Then it reads the
// begin of the store.
func probeDisk(dir string) (err error) {
	f, err := os.OpenFile(filepath.Join(dir, "noi.db.probe"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	wrote := make([]byte, probeSize)
	_, _ = rand.Read(wrote) // never fails (crypto/rand)
	if _, err := f.Write(wrote); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) // otherwise the cache answers; the kernel may ignore this
	read := make([]byte, probeSize)
	if _, err := f.ReadAt(read, 0); err != nil {
		return err
	}
	if !bytes.Equal(wrote, read) {
		return fmt.Errorf("%s has another content than was written", f.Name())
	}
	return readHead(filepath.Join(dir, "noi.db"))
}

// readHead reads the first pages of a file, which a start needs. A missing file is no error.
func readHead(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyN(io.Discard, f, probeSize)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
