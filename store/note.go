package store

import (
	"bytes"
	"encoding/gob"
	"noi-agent/store/internal/record"
	"os"
)

// A note is a file in memory, in addition to the store on the flash. Samples that are accepted inside the commit window
// are in no commit, so after a kill the next run would count them as missing. The note prevents this. The note costs no
// flash. A power cut deletes the note, and then the gap begins at the last commit. The note also carries the accounts
// from the store on a disk to one in memory, and back.
type note struct {
	Run      uint64
	Device   string
	Good     int64 // unix ms, as in times
	Accounts map[record.Accounted]record.Account
	Runs     map[uint64]notedRun // the runs that the accounts name, and this run

	Integrations []string // ids in the configuration: a new store in memory cannot know that they are not new
}

// notedRun is a start for gob, which needs exported fields.
type notedRun struct {
	Boot          string
	Booted, Floor int64
}

var keyNote = []byte("note")

// writeNote writes the note again if the accounts have changed, and with the last commit. The writer calls it.
func (w *writer) writeNote(last bool) {
	if w.opts.Note == "" {
		return
	}
	w.mu.Lock()
	b := &w.accounts
	b.ripen(w.Store)
	if b.version == b.noted && !last {
		w.mu.Unlock()
		return
	}
	b.noted = b.version
	n := w.noteLocked()
	w.mu.Unlock()
	var text bytes.Buffer
	err := gob.NewEncoder(&text).Encode(n)
	if err == nil {
		err = os.WriteFile(w.opts.Note+".new", record.Seal(keyNote, text.Bytes()), 0o600)
	}
	if err == nil {
		err = os.Rename(w.opts.Note+".new", w.opts.Note)
	}
	if err != nil {
		w.opts.Logger.Debug("no note of what is accounted for: after a kill the gap begins at the last commit", "error",
			err)
	}
}

// noteLocked returns the present note.
func (w *writer) noteLocked() note {
	n := note{Run: w.run, Device: w.device, Good: w.times.Good, Accounts: w.accounts.all(), Runs: map[uint64]notedRun{},
		Integrations: w.configuredLocked()}
	runs := []uint64{w.run}
	for _, a := range n.Accounts {
		runs = append(runs, a.Until.Run)
	}
	for _, run := range runs {
		if st, known := w.starts[run]; known {
			n.Runs[run] = notedRun{st.Boot, st.Booted, st.Floor}
		}
	}
	return n
}

// configuredLocked returns the ids of the integrations in the configuration.
func (w *writer) configuredLocked() (ids []string) {
	for _, it := range w.integrations.ordered() {
		if it.main == nil && it.OrphanedAt.IsZero() {
			ids = append(ids, it.ID)
		}
	}
	return ids
}

// readNote returns the note of an earlier run. If there is no readable note, it returns an empty one.
func readNote(path string) (n note) {
	sealed, err := os.ReadFile(path)
	if path == "" || err != nil {
		return note{}
	}
	value, ok := record.Unseal(keyNote, sealed)
	if !ok || gob.NewDecoder(bytes.NewReader(value)).Decode(&n) != nil {
		return note{}
	}
	return n
}
