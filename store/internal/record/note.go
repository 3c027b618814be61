package record

import "encoding/binary"

// Note has what a store knows and no commit has written. It is a file of its own, and can be read without another
// file.
type Note struct {
	Run      uint64
	Device   string
	Good     int64 // unix ms, as in Times
	Accounts map[Accounted]Account
	Starts   map[uint64]Start // of the runs that the accounts name, and of this run

	Integrations []string // ids in the configuration: a new store in memory cannot know that they are not new
}

const noteVersion byte = 1

var keyNote = []byte("note")

// Encode returns the sealed note. names is for the names of the accounts: the caller keeps it for the next note, which
// then costs little.
func (n *Note) Encode(names *Dictionary) []byte {
	accounts := names.EncodeAccounts(0, n.Accounts)
	dst := make([]byte, 0, 2*len(accounts)+len(keyNote))
	dst = binary.AppendUvarint(append(dst, noteVersion), n.Run)
	dst = binary.AppendVarint(AppendText(dst, n.Device), n.Good)
	dst = binary.AppendUvarint(dst, uint64(len(n.Integrations)))
	for _, id := range n.Integrations {
		dst = AppendText(dst, id)
	}
	dst = binary.AppendUvarint(dst, uint64(len(n.Starts)))
	for run, st := range n.Starts {
		dst = AppendText(binary.AppendUvarint(dst, run), st.Boot)
		dst = binary.AppendVarint(binary.AppendVarint(dst, st.Booted), st.Floor)
	}
	dst = binary.AppendUvarint(dst, uint64(len(names.entries)))
	for i := range names.entries {
		dst = AppendText(dst, names.entries[i].Text)
	}
	return Seal(keyNote, append(dst, accounts...))
}

// DecodeNote is the inverse; false if the note is not readable.
func DecodeNote(sealed []byte) (n Note, ok bool) {
	value, ok := Unseal(keyNote, sealed)
	r := &Reader{B: value}
	if !ok || r.Byte() != noteVersion {
		return Note{}, false
	}
	n = Note{Run: r.Uvarint(), Device: r.Text(), Good: r.varint(), Starts: map[uint64]Start{}}
	for range r.count() {
		n.Integrations = append(n.Integrations, r.Text())
	}
	for range r.count() {
		run := r.Uvarint()
		n.Starts[run] = Start{Boot: r.Text(), Booted: r.varint(), Floor: r.varint()}
	}
	names := make(Names, r.count())
	for i := range names {
		names[i] = Name{Kind: NameText, Text: r.Text()}
	}
	if r.Failed {
		return Note{}, false
	}
	n.Accounts = DecodeAccounts(names, r.B)
	return n, true
}
