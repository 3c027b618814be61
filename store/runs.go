package store

import (
	"errors"
	"io/fs"
	"noi-agent/store/internal/record"
	"os"
)

const (
	// spareLag is how many runs the second copy of the identity may lag behind the file: writing the copy may fail, and does not end a start.
	spareLag = 100
	// unreadRuns is more than any disk of which nothing can be read has counted.
	unreadRuns = 1 << 20
)

// RunsAt returns a number that no run of the store at path is above, for the Options.Runs of a store that stands in for it. The store
// itself may not open. 0: there is none.
func RunsAt(path string) uint64 {
	if data, err := os.ReadFile(path + spareSuffix); err == nil {
		if id, err := spareIdentity(&record.Reader{B: data}); err == nil {
			return id.Run + spareLag
		}
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	return unreadRuns
}
