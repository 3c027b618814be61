package store

import (
	"bytes"
	"encoding/gob"
	"errors"
	"os"

	bolt "go.etcd.io/bbolt"
)

// A note is a file in memory, beside the store on the flash: what is accepted inside the commit window is in no commit, and after a
// kill the next run would count it as missing. The note costs no flash. A power cut takes it, and then the gap begins at the last commit.
type note struct {
	Run      uint64
	Boot     string
	Booted   int64 // unix ms, as in start
	Floor    int64
	Accounts map[Accounted]Account

	Integrations []string // that the configuration names: a new store in memory cannot know that they are not new
}

var keyNote = []byte("note")

// writeNote renews the note when a sample has been accounted for. The writer calls it.
func (s *Store) writeNote() {
	if s.opts.Note == "" {
		return
	}
	s.mu.Lock()
	b := &s.accounts
	b.ripen(s)
	if b.version == b.noted {
		s.mu.Unlock()
		return
	}
	b.noted = b.version
	st := s.starts[s.run]
	n := note{Run: s.run, Boot: st.boot, Booted: st.booted, Floor: st.floor, Accounts: b.all(), Integrations: s.configured()}
	s.mu.Unlock()
	var text bytes.Buffer
	err := gob.NewEncoder(&text).Encode(n)
	if err == nil {
		err = os.WriteFile(s.opts.Note+".new", seal(keyNote, text.Bytes()), 0o600)
	}
	if err == nil {
		err = os.Rename(s.opts.Note+".new", s.opts.Note)
	}
	if err != nil {
		s.opts.Logger.Debug("no note of what is accounted for: after a kill the gap begins at the last commit", "error", err)
	}
}

// configured are the integrations that the configuration names. s.mu is held.
func (s *Store) configured() (ids []string) {
	for _, it := range s.ordered() {
		if it.main == nil && it.orphanedAt.IsZero() {
			ids = append(ids, it.id)
		}
	}
	return ids
}

// readNote returns the note of an earlier run; one that is not there, or does not read, is empty.
func readNote(path string) (n note) {
	sealed, err := os.ReadFile(path)
	if path == "" || err != nil {
		return note{}
	}
	value, ok := unseal(keyNote, sealed)
	if !ok || gob.NewDecoder(bytes.NewReader(value)).Decode(&n) != nil {
		return note{}
	}
	return n
}

// adoptNote takes over what the note knows beyond the file, which may be that of another store: the numbers of runs are never used twice. It
// goes into the file at once: a power cut in this run deletes the note.
func (m *image) adoptNote(tx *bolt.Tx, n note) error {
	if len(n.Accounts) == 0 || n.Run > m.identity.run {
		return nil
	}
	news := put(m.accounts, n.Accounts)
	m.known = n.Integrations
	if _, known := m.starts[n.Run]; !known {
		m.starts[n.Run] = start{boot: n.Boot, booted: n.Booted, floor: n.Floor}
		m.noted = n.Run
	}
	if !news {
		return nil
	}
	record := m.names.encodeAccounts(tx.ID(), m.accounts)
	m.totals.names = uint64(len(m.names.entries))
	return errors.Join(m.names.put(tx.Bucket(bucketNames)), tx.Bucket(bucketMeta).Put(keyAccounts, record))
}
