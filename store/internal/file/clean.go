package file

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"
)

// A clean stop leaves a note beside the file. The note describes the file: its size, its time and the checksum of its
// first two pages, one of which every commit rewrites. If a start finds the file in this state, it need not check the
// file. The note costs no commit. It is not synced: without the note the next start only makes one more check. The
// note need not be deleted, because it no longer fits the file after the first commit.
const cleanSuffix = ".clean"

// headPages are the pages that bbolt writes in turn, one with each commit.
const headPages = 2

// fingerprint is different after any write to the file. It does not detect a disk that changes its content by itself.
func fingerprint(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	head := make([]byte, headPages*os.Getpagesize())
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	return fmt.Sprintf("noi-agent left noi.db complete: %d bytes, %s, %08x\n",
		info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano),
		crc32.Checksum(head[:n], crc32.MakeTable(crc32.Castagnoli))), nil
}

// LeaveClean writes the note. The caller still has the lock of the file, so that the next agent finds both or neither.
func LeaveClean(path string) error {
	print, err := fingerprint(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path+cleanSuffix, []byte(print), 0o600)
}

// leftClean reports whether the file is as a clean stop has left it.
func leftClean(path string) bool {
	note, err := os.ReadFile(path + cleanSuffix)
	if err != nil {
		return false
	}
	print, err := fingerprint(path)
	return err == nil && print == string(note)
}

// TakeClean removes the note before the file is opened: if bbolt ends the process while opening the file, the next
// start checks the file.
func TakeClean(path string) { _ = os.Remove(path + cleanSuffix) }
