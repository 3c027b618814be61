package store

import (
	"encoding/binary"
	"errors"
	"noi-agent/store/internal/record"
	"os"
	"path/filepath"
)

// Beside the file lies a second copy of its names and its identity. They are few, hardly change,
// and all the records mean nothing without them; bbolt keeps them on one or two pages, which a
// file that is cut short loses as a whole. A salvage reads the copy, and RunsAt. It is written anew and synced at
// each start, so that no power cut leaves half of it. Names that come later are added and not synced: after a power cut the
// copy may lack them.
//
// It is a row of entries: number, length, and a sealed value, that of the identity first. The
// checksums of the names take in the store's id, so that entries of another store are none.
const spareSuffix = ".names"

// writeSpare begins the copy anew.
func (s *Store) writeSpare() {
	id := record.Identity{Id: s.id, Run: s.run, Device: s.device, Origins: s.origins}
	dst := record.AppendText([]byte{0}, string(id.Encode()))
	dst = s.appendSpare(dst, 0)
	name := s.path + spareSuffix + staleSuffix
	err := os.WriteFile(name, dst, 0o600)
	if err == nil {
		err = syncPath(name)
	}
	if err == nil {
		err = os.Rename(name, s.path+spareSuffix)
	}
	if err == nil {
		err = syncPath(filepath.Dir(s.path))
	}
	if err != nil {
		s.opts.Logger.Warn("the store's names have no second copy", "error", err)
	}
}

// extendSpare adds the names from one number on.
func (s *Store) extendSpare(from int) {
	if from >= s.names.Size() {
		return
	}
	f, err := os.OpenFile(s.path+spareSuffix, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = f.Write(s.appendSpare(nil, from))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		s.opts.Logger.Warn("the store's names have no second copy", "error", err)
	}
}

func (s *Store) appendSpare(dst []byte, from int) []byte {
	for id, n := range s.names.From(from) {
		dst = binary.AppendUvarint(dst, id)
		dst = record.AppendText(dst, string(record.Seal(spareKey(s.id, id), record.EncodeName(n))))
	}
	return dst
}

func spareKey(store string, id uint64) []byte { return append([]byte(store), record.SeqKey(id)...) }

// readSpare learns what the copy beside the file tells.
func (sv *salvage) readSpare(path string) {
	data, err := os.ReadFile(path + spareSuffix)
	if err != nil {
		return
	}
	r := &record.Reader{B: data}
	identity, err := spareIdentity(r)
	if err != nil {
		return
	}
	if sv.identity.Id == "" {
		sv.identity = identity
	}
	if identity.Id != sv.identity.Id {
		return // of the store that was here before
	}
	for !r.Done() && !r.Failed {
		id, value := r.Uvarint(), []byte(r.Text())
		if id < record.MostEntries {
			sv.learnName(id, spareKey(identity.Id, id), value)
		}
	}
}

// spareIdentity reads the first entry of the copy.
func spareIdentity(r *record.Reader) (record.Identity, error) {
	r.Byte()
	return record.DecodeIdentity([]byte(r.Text()))
}
