package store

import (
	"os"

	"noi-agent/store/internal/record"
)

// A note is a file in memory, in addition to the store on the flash. Samples that are accepted inside the commit window
// are in no commit, so after a kill the next run would count them as missing. The note prevents this. The note costs no
// flash. A power cut deletes the note, and then the gap begins at the last commit. The note also carries the accounts
// from the store on a disk to one in memory, and back.

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
	err := os.WriteFile(w.opts.Note+".new", n.Encode(w.noteNames), 0o600)
	if err == nil {
		err = os.Rename(w.opts.Note+".new", w.opts.Note)
	}
	if err != nil {
		w.opts.Logger.Debug("no note of what is accounted for: after a kill the gap begins at the last commit", "error",
			err)
	}
}

// noteLocked returns the present note.
func (w *writer) noteLocked() record.Note {
	n := record.Note{Run: w.run, Device: w.device, Good: w.times.Good, Accounts: w.accounts.all(),
		Starts: map[uint64]record.Start{}, Integrations: w.configuredLocked()}
	take := func(run uint64) {
		if st, known := w.starts[run]; known {
			n.Starts[run] = st
		}
	}
	take(w.run)
	for _, a := range n.Accounts {
		take(a.Until.Run)
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
func readNote(path string) record.Note {
	if path == "" {
		return record.Note{}
	}
	sealed, err := os.ReadFile(path)
	if err != nil {
		return record.Note{}
	}
	n, _ := record.DecodeNote(sealed)
	return n
}
