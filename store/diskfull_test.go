package store_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"noi-agent/store"
	"noi-agent/store/storetest"
)

const (
	// diskEnv marks the child, which has a mount namespace of its own.
	diskEnv = "NOI_STORE_DISK"
	// diskSize has room for a file that has grown a few times, by one megabyte each.
	diskSize = "6m"
	noMount  = "may not mount"
)

// TestDiskFilledByANeighbourNeverStopsTheDraining runs a store on a small disk that another program fills and frees.
// While the disk is full, stored samples are still delivered and settled, and Append keeps a sweep or returns
// ErrFull. When there is room again, everything works. Every acknowledged sample is settled, pending, or counted as
// dropped.
func TestDiskFilledByANeighbourNeverStopsTheDraining(t *testing.T) {
	if os.Getenv(diskEnv) != "" {
		onSmallDisk(t)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), diskEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	}
	out, err := cmd.CombinedOutput()
	switch {
	case cmd.ProcessState == nil || strings.Contains(string(out), noMount):
		end := t.Skipf
		if os.Getenv("CI") == "true" && os.Getuid() == 0 {
			end = t.Fatalf // root may mount, except in a sandbox: CI must see that
		}
		end("no small disk: this process may not mount one (%v)\n%s", err, out)
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// onSmallDisk is the child. The mount ends with the child's namespace.
func onSmallDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatalf("%s: %v", noMount, err)
	}
	if err := syscall.Mount("noi", dir, "tmpfs", 0, "size="+diskSize); err != nil {
		t.Fatalf("%s: %v", noMount, err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) }) // before TempDir removes the directory
	seed := rand.Uint64()
	d := &smallDisk{t: t, rnd: rand.New(rand.NewPCG(seed, 0)), neighbour: filepath.Join(dir, "neighbour")}
	d.s = openAt(t, filepath.Join(dir, "noi.db"), store.Options{Limits: store.Limits{MaxSize: 1 << 20}})
	for range storetest.Rounds(4, 40) {
		d.fill()
		for range 60 {
			d.work(true)
		}
		must(t, os.Remove(d.neighbour))
		for range 30 {
			d.work(false)
		}
	}
	d.account()
	t.Logf("seed %d: %d samples acknowledged, %d appends refused as full, %d dropped", seed, d.acked, d.refused,
		d.s.Stats().Integrations["aws"].Dropped)
}

// smallDisk is a store on a small disk, another file beside the store, and the samples that are not settled yet.
type smallDisk struct {
	t         *testing.T
	rnd       *rand.Rand
	s         *store.Store
	neighbour string
	n, acked  uint64
	refused   int
}

// fill writes to the other file until there is no room for a page.
func (d *smallDisk) fill() {
	d.t.Helper()
	f, err := os.Create(d.neighbour)
	must(d.t, err)
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		d.t.Fatalf("the disk does not get full: %v", err)
	}
	must(d.t, f.Close())
}

// work appends a sweep and delivers a few samples. aws takes all of them, gcp takes them in some of the rounds.
func (d *smallDisk) work(full bool) {
	d.t.Helper()
	count := 1 + d.rnd.IntN(200)
	err := d.s.Append(d.t.Context(), storetest.Sweep(d.s.Run(), d.n+1, count, "aws", "gcp"))
	switch {
	case err == nil:
		d.acked += uint64(count)
	case full && errors.Is(err, store.ErrFull):
		d.refused++
	default:
		d.t.Fatalf("append, disk full: %v: %v", full, err)
	}
	d.n += uint64(count)
	d.deliver("aws", 250)
	d.deliver("gcp", d.rnd.IntN(180))
}

// deliver settles samples, and checks that they stay settled.
func (d *smallDisk) deliver(id string, limit int) {
	d.t.Helper()
	before := d.s.Stats().Integrations[id]
	ds := pending(d.t, d.s, id, limit)
	if want := min(uint64(limit), before.Backlog); uint64(len(ds)) < want {
		d.t.Fatalf("%s: %d pending, want at least %d", id, len(ds), want)
	}
	settle(d.t, d.s, id, store.Accepted, ds...)
	if sent := d.s.Stats().Integrations[id].Sent; sent != before.Sent+uint64(len(ds)) {
		d.t.Fatalf("%s: %d sent after %d and %d more", id, sent, before.Sent, len(ds))
	}
}

// account checks that each missing sample was counted, including the refused ones.
func (d *smallDisk) account() {
	d.t.Helper()
	if d.refused == 0 {
		d.t.Log("no append was refused: the drained samples made room for all")
	}
	for _, id := range []string{"aws", "gcp"} {
		is := d.s.Stats().Integrations[id]
		if sum := is.Sent + is.Backlog + is.Dropped; sum != d.n {
			d.t.Errorf("%s: %d offered, %d sent + %d pending + %d dropped", id, d.n, is.Sent, is.Backlog, is.Dropped)
		}
		if n := d.s.Dropped(id); n != is.Dropped {
			d.t.Errorf("%s: %d dropped, the gaps have %d", id, is.Dropped, n)
		}
		seen := map[uint64]bool{}
		for _, delivery := range pending(d.t, d.s, id, 1_000_000) {
			if seen[delivery.Sample.N] {
				d.t.Errorf("%s: sample %d is pending twice", id, delivery.Sample.N)
			}
			seen[delivery.Sample.N] = true
		}
		if uint64(len(seen)) != is.Backlog {
			d.t.Errorf("%s: %d pending, Backlog says %d", id, len(seen), is.Backlog)
		}
	}
}
