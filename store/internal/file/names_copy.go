package file

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"noi-agent/store/internal/record"
	"os"
	"path/filepath"
)

// A second copy of the names and the identity is beside the file. They are few and hardly change, and no record can
// be read without them. bbolt keeps them on one or two pages, which are lost if a file is cut short. A salvage and
// RunsAt read the copy. Each start writes the copy again and syncs it, so that no power cut leaves half of it. Later
// names are added without a sync: after a power cut the copy may lack them.
//
// The copy is a list of entries: number, length, and a sealed value. The identity is first. The checksums of the names
// include the store's id, so entries of another store are not valid.
const copySuffix = ".names"

// WriteNamesCopy writes the whole copy.
func WriteNamesCopy(path string, id record.Identity, names *record.Dictionary) error {
	dst := record.AppendText([]byte{0}, string(id.Encode()))
	dst = appendCopy(dst, id.ID, names, 0)
	name := path + copySuffix + staleSuffix
	if err := os.WriteFile(name, dst, 0o600); err != nil {
		return err
	}
	if err := SyncPath(name); err != nil {
		return err
	}
	if err := os.Rename(name, path+copySuffix); err != nil {
		return err
	}
	return SyncPath(filepath.Dir(path))
}

// ExtendNamesCopy adds the names from one number on.
func ExtendNamesCopy(path, store string, names *record.Dictionary, from int) error {
	if from >= names.Size() {
		return nil
	}
	f, err := os.OpenFile(path+copySuffix, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(appendCopy(nil, store, names, from))
	return errors.Join(err, f.Close())
}

func appendCopy(dst []byte, store string, names *record.Dictionary, from int) []byte {
	for id, n := range names.From(from) {
		dst = binary.AppendUvarint(dst, id)
		dst = record.AppendText(dst, string(record.Seal(copyKey(store, id), record.EncodeName(n))))
	}
	return dst
}

func copyKey(store string, id uint64) []byte { return append([]byte(store), record.SeqKey(id)...) }

// readNamesCopy reads the copy beside the file.
func (sv *salvage) readNamesCopy(path string) {
	data, err := os.ReadFile(path + copySuffix)
	if err != nil {
		return
	}
	r := &record.Reader{B: data}
	identity, err := copyIdentity(r)
	if err != nil {
		return
	}
	if sv.identity.ID == "" {
		sv.identity = identity
	}
	if identity.ID != sv.identity.ID {
		return // the copy of an earlier store
	}
	for !r.Done() && !r.Failed {
		id, value := r.Uvarint(), []byte(r.Text())
		if id < record.MostEntries {
			sv.learnName(id, copyKey(identity.ID, id), value)
		}
	}
}

// copyIdentity reads the first entry of the copy.
func copyIdentity(r *record.Reader) (record.Identity, error) {
	r.Byte()
	return record.DecodeIdentity([]byte(r.Text()))
}

// RunsAt returns a number that is not below the run number of any run of the store at path. It is for the Options.Runs
// of a store in memory that replaces this store. RunsAt also works if the store does not open. 0: there is no store.
func RunsAt(path string) uint64 {
	if data, err := os.ReadFile(path + copySuffix); err == nil {
		if id, err := copyIdentity(&record.Reader{B: data}); err == nil {
			return id.Run + copyLag
		}
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	return unreadRuns
}

const (
	// copyLag is how many runs the second copy of the identity may lag behind the file: writing the copy may fail, and
	// does not end a start.
	copyLag = 100
	// unreadRuns is the result for a disk of which nothing can be read. It is larger than any real number of runs.
	unreadRuns = 1 << 20
)
