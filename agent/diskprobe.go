package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// An outbox in memory is to go back to the disk as soon as that can be trusted, without anybody's hand: the agent then ends, its
// supervisor starts it again, and the start takes over what is in memory. One good answer of a disk that has failed says little.
const (
	probeEvery  = 20 * time.Minute
	probesInRow = 3
	probeSize   = 1 << 20
)

// errDiskBack ends the agent so that the next start takes the outbox back to the disk.
var errDiskBack = errors.New("the disk works again: ending, so that the next start takes the outbox in memory back to it")

// diskBack returns a channel that is closed when the disk has passed its probes in a row; it stays open when the store is on the disk
// anyway, and nothing is left in memory that it had no room for.
func (a *Agent) diskBack(ctx context.Context) <-chan struct{} {
	back := make(chan struct{})
	if a.degraded == "" && !a.recovery.Taken.Full {
		return back
	}
	dir := a.options.Config.StateDir
	go func() {
		tick := time.NewTicker(a.probes)
		defer tick.Stop()
		for passed := 0; passed < probesInRow; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			err := makeStateDir(dir)
			if err == nil {
				err = probeDisk(dir)
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

// probeDisk writes a file into the state directory, has it synced, and reads it back from the medium; and reads the head of the store.
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
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) // else the cache answers; a wish only
	read := make([]byte, probeSize)
	if _, err := f.ReadAt(read, 0); err != nil {
		return err
	}
	if !bytes.Equal(wrote, read) {
		return fmt.Errorf("%s reads other than it was written", f.Name())
	}
	return readHead(filepath.Join(dir, "noi.db"))
}

// readHead reads the first pages of a file, which a start needs; none is fine.
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
