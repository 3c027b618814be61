package record

import (
	"iter"
	"sync/atomic"

	"noi-agent/objects"
)

const (
	NameText   byte = 1 // an object, a state, a bit, an integration, a topic
	nameSource byte = 2 // line, unit id, slave, firmware and fw_version as one entry

	// maxNames is the number of entries after which texts are no longer made names: a source that always sends new
	// texts must not fill the memory. A gateway with all families needs about 3,000.
	maxNames = 1 << 16
	// MostEntries is how many entries a dictionary may have when it is read. A source always gets one: a controller
	// whose firmware register shows another number each time that it is identified, every ten minutes, needs 50,000 a
	// year.
	MostEntries = 1 << 20
	// maxNameLen is the longest text that becomes an entry, in bytes. Longer texts are written into the record.
	maxNameLen = 96
)

// Name is one entry of the dictionary. Kind 0 is an entry that was lost to damage.
type Name struct {
	Kind   byte
	Text   string
	source objects.Source
}

// Dictionary gives names small numbers that never change: entries are only added, each in the transaction of the first
// record that uses it. The writer's goroutine owns the Dictionary. Other goroutines use Published.
type Dictionary struct {
	entries []Name
	texts   map[string]uint64
	sources map[objects.Source]uint64
	Stored  int // entries in finished transactions

	live atomic.Pointer[[]Name]
}

// Published returns the names of every committed record. The slice never changes.
func (d *Dictionary) Published() []Name {
	if p := d.live.Load(); p != nil {
		return *p
	}
	return nil
}

func (d *Dictionary) text(s string) uint64 {
	id, ok := d.texts[s]
	if !ok {
		id = uint64(len(d.entries))
		d.texts[s] = id
		d.entries = append(d.entries, Name{Kind: NameText, Text: s})
	}
	return id
}

func (d *Dictionary) source(s objects.Source) uint64 {
	id, ok := d.sources[s]
	if !ok {
		id = uint64(len(d.entries))
		d.sources[s] = id
		d.entries = append(d.entries, Name{Kind: nameSource, source: s})
	}
	return id
}

// worthy reports whether a free text should become a name; otherwise it is written into the record.
func (d *Dictionary) worthy(s string) bool {
	if _, known := d.texts[s]; known {
		return true
	}
	return len(s) <= maxNameLen && len(d.entries) < maxNames
}

// Put writes the entries that this transaction added, in ascending order of their keys.
func (d *Dictionary) Put(write func(key, value []byte) error) error {
	return d.PutFrom(d.Stored, write)
}

// PutFrom writes the entries from a number on. Lost ones are left out, and their numbers are never given again.
func (d *Dictionary) PutFrom(first int, write func(key, value []byte) error) error {
	for id, n := range d.From(first) {
		key := SeqKey(id)
		if err := write(key, Seal(key, EncodeName(n))); err != nil {
			return err
		}
	}
	return nil
}

// From goes through the entries from a number on, without those that are lost.
func (d *Dictionary) From(first int) iter.Seq2[uint64, Name] {
	return func(yield func(uint64, Name) bool) {
		for id := first; id < len(d.entries); id++ {
			if n := d.entries[id]; n.Kind != 0 && !yield(uint64(id), n) {
				return
			}
		}
	}
}

// All returns the names of every record, with those of the running transaction.
func (d *Dictionary) All() Names { return d.entries }

// Size is how many numbers were given.
func (d *Dictionary) Size() int { return len(d.entries) }

// Skip leaves out numbers of which it is not known whether they were given.
func (d *Dictionary) Skip(n int) {
	d.entries = append(d.entries, make([]Name, n)...)
	d.Keep()
}

// Take continues with the entries of another dictionary.
func (d *Dictionary) Take(other *Dictionary) {
	d.entries, d.texts, d.sources = other.entries, other.texts, other.sources
	d.Keep()
}

// DictionaryOf makes a dictionary of single entries. The next new number is size.
func DictionaryOf(found map[uint64]Name, size uint64) *Dictionary {
	d := &Dictionary{entries: make([]Name, min(size, MostEntries))}
	for id, n := range found {
		if id < uint64(len(d.entries)) {
			d.entries[id] = n
		}
	}
	d.index()
	d.Keep()
	return d
}

// index finds the numbers by their names.
func (d *Dictionary) index() {
	d.texts, d.sources = map[string]uint64{}, map[objects.Source]uint64{}
	for id, n := range d.entries {
		switch n.Kind {
		case NameText:
			d.texts[n.Text] = uint64(id)
		case nameSource:
			d.sources[n.source] = uint64(id)
		}
	}
}

// Keep makes the additions final after a commit. Undo removes them after a failed commit, because otherwise a later
// record would refer to names that the file does not have.
func (d *Dictionary) Keep() {
	d.Stored = len(d.entries)
	live := d.entries[:d.Stored:d.Stored]
	d.live.Store(&live)
}

func (d *Dictionary) Undo() {
	for _, n := range d.entries[d.Stored:] {
		if n.Kind == nameSource {
			delete(d.sources, n.source)
		} else {
			delete(d.texts, n.Text)
		}
	}
	d.entries = d.entries[:d.Stored]
}

// Load reads all records. next is the first number that was never given, by the totals. Numbers below it are never
// given again, even if their entries are lost: a number with a second name would turn old samples into samples of
// another object. Load returns how many entries are damaged.
func (d *Dictionary) Load(records iter.Seq2[[]byte, []byte], next uint64) (damaged int) {
	entries := make([]Name, min(next, MostEntries))
	for k, v := range records {
		id, ok := KeySeq(k)
		n, sound := DecodeName(k, v)
		switch {
		case !ok, !sound, id >= MostEntries: // the checksum includes the number, so a damaged number adds nothing
			damaged++
		default:
			if grown := int(id) + 1 - len(entries); grown > 0 {
				entries = append(entries, make([]Name, grown)...)
			}
			entries[id] = n
		}
	}
	d.entries = entries
	d.index()
	d.Keep()
	return damaged
}

func EncodeName(n Name) []byte {
	dst := []byte{n.Kind}
	if n.Kind == NameText {
		return append(dst, n.Text...)
	}
	dst = append(dst, n.source.UnitID)
	for _, s := range []string{n.source.Line, n.source.Slave, n.source.Firmware, n.source.FWVersion} {
		dst = AppendText(dst, s)
	}
	return dst
}

func DecodeName(key, sealed []byte) (Name, bool) {
	value, ok := Unseal(key, sealed)
	if !ok || len(value) == 0 {
		return Name{}, false
	}
	r := Reader{B: value[1:]}
	switch value[0] {
	case NameText:
		return Name{Kind: NameText, Text: string(value[1:])}, true
	case nameSource:
		s := objects.Source{UnitID: r.Byte(), Line: r.Text(), Slave: r.Text(), Firmware: r.Text(), FWVersion: r.Text()}
		return Name{Kind: nameSource, source: s}, r.Done()
	}
	return Name{}, false
}

// Names is a published dictionary, for decoding.
type Names []Name

// text returns the text of a reference. The reader fails if the reference is not valid.
func (ns Names) text(r *Reader) string {
	id := r.Uvarint()
	if id >= uint64(len(ns)) || ns[id].Kind != NameText {
		r.fail()
		return ""
	}
	return ns[id].Text
}

// Skip is Text for a caller that does not need the text.
func (ns Names) skip(r *Reader) {
	if id := r.Uvarint(); id >= uint64(len(ns)) || ns[id].Kind != NameText {
		r.fail()
	}
}

func (ns Names) source(r *Reader) objects.Source {
	id := r.Uvarint()
	if id >= uint64(len(ns)) || ns[id].Kind != nameSource {
		r.fail()
		return objects.Source{}
	}
	return ns[id].source
}
