package store

import (
	"errors"
	"noi-agent/store/internal/file"
	"testing"
)

// TestALargerMaxSizeRaisesTheLimitOfTheFile fills a file to bbolt's own limit, which is fixed when it is opened.
func TestALargerMaxSizeRaisesTheLimitOfTheFile(t *testing.T) {
	s := openForTest(t, Options{Limits: Limits{MaxSize: 1 << 30, RejectNewest: true}})
	s.mu.Lock()
	s.db.MaxSize = 2 << 20 // the writer is idle, and takes the lock before it commits
	s.mu.Unlock()
	n := uint64(1)
	fill := func(bytes int64) (err error) {
		for err == nil && s.Stats().RecordBytes < bytes {
			err = s.Append(t.Context(), sweepOf(n, 4000, "aws"))
			n += 4000
		}
		return err
	}
	if err := fill(3 << 20); !errors.Is(err, ErrFull) {
		t.Fatalf("append at the limit of the file: %v", err)
	}
	if err := s.SetLimits(Limits{MaxSize: 32 << 20, RejectNewest: true}); err != nil {
		t.Fatal(err)
	}
	if s.db.MaxSize != file.Limit(32<<20) {
		t.Errorf("the file's limit is %d bytes", s.db.MaxSize)
	}
	if err := fill(3 << 20); err != nil {
		t.Errorf("at the larger limit: %v", err)
	}
	if err := s.SetLimits(Limits{MaxSize: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	if s.db.MaxSize != file.Limit(32<<20) {
		t.Errorf("the file's limit is %d bytes, and deletions need more pages", s.db.MaxSize)
	}
	if err := CompactNow(s); err != nil {
		t.Fatal(err)
	}
	if s.db.MaxSize != file.Limit(1<<20) || s.Stats().RecordBytes > 1<<20 {
		t.Errorf("the limit of the new file is %d bytes, with %d bytes of records", s.db.MaxSize, s.Stats().RecordBytes)
	}
}
