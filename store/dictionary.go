package store

import (
	"iter"
	"sync/atomic"

	"noi-agent/objects"
)

const (
	nameText   byte = 1 // an object, a state, a bit, an integration, a topic
	nameSource byte = 2 // line, unit id, slave, firmware and fw_version as one entry

	// maxNames ends the taking in of texts as names: whatever writes ever new texts must not
	// fill memory with them. A gateway with every family there is needs about 3,000.
	maxNames = 1 << 16
	// mostEntries is how many entries a dictionary may have when it is read. A source always gets one: a controller whose
	// firmware register shows another number each time that it is identified, every ten minutes, needs 50,000 a year.
	mostEntries = 1 << 20
	// maxNameLen is the longest text worth an entry; serial numbers and the like go inline.
	maxNameLen = 96
)

// name is one entry of the dictionary. Kind 0 is an entry that was lost to damage.
type name struct {
	kind   byte
	text   string
	source objects.Source
}

// dictionary gives names small numbers, for ever: entries are only added, each in the
// transaction of the first record that uses it. The writer's goroutine owns it; others read what
// published returns.
type dictionary struct {
	entries []name
	texts   map[string]uint64
	sources map[objects.Source]uint64
	stored  int // entries that a finished transaction holds

	live atomic.Pointer[[]name]
}

// published returns the names of every committed record. The slice never changes.
func (d *dictionary) published() []name {
	if p := d.live.Load(); p != nil {
		return *p
	}
	return nil
}

func (d *dictionary) text(s string) uint64 {
	id, ok := d.texts[s]
	if !ok {
		id = uint64(len(d.entries))
		d.texts[s] = id
		d.entries = append(d.entries, name{kind: nameText, text: s})
	}
	return id
}

func (d *dictionary) source(s objects.Source) uint64 {
	id, ok := d.sources[s]
	if !ok {
		id = uint64(len(d.entries))
		d.sources[s] = id
		d.entries = append(d.entries, name{kind: nameSource, source: s})
	}
	return id
}

// worthy reports whether a free text should become a name, or be written where it stands.
func (d *dictionary) worthy(s string) bool {
	if _, known := d.texts[s]; known {
		return true
	}
	return len(s) <= maxNameLen && len(d.entries) < maxNames
}

// put writes the entries this transaction brought, in ascending order of their keys.
func (d *dictionary) put(write func(key, value []byte) error) error {
	return d.putFrom(d.stored, write)
}

// putFrom writes the entries from a number on. Lost ones are left out, and their numbers are never given again.
func (d *dictionary) putFrom(first int, write func(key, value []byte) error) error {
	for id, n := range d.from(first) {
		key := seqKey(id)
		if err := write(key, seal(key, encodeName(n))); err != nil {
			return err
		}
	}
	return nil
}

// from goes through the entries from a number on, without those that are lost.
func (d *dictionary) from(first int) iter.Seq2[uint64, name] {
	return func(yield func(uint64, name) bool) {
		for id := first; id < len(d.entries); id++ {
			if n := d.entries[id]; n.kind != 0 && !yield(uint64(id), n) {
				return
			}
		}
	}
}

// all are the names of every record, those of the running transaction included.
func (d *dictionary) all() names { return d.entries }

// size is how many numbers were given.
func (d *dictionary) size() int { return len(d.entries) }

// skip leaves numbers out: nobody knows any more whether they were given.
func (d *dictionary) skip(n int) {
	d.entries = append(d.entries, make([]name, n)...)
	d.keep()
}

// take goes on with the entries of another dictionary.
func (d *dictionary) take(other *dictionary) {
	d.entries, d.texts, d.sources = other.entries, other.texts, other.sources
	d.keep()
}

// dictionaryOf makes a dictionary of single entries. The next new number is size.
func dictionaryOf(found map[uint64]name, size uint64) *dictionary {
	d := &dictionary{entries: make([]name, min(size, mostEntries))}
	for id, n := range found {
		if id < uint64(len(d.entries)) {
			d.entries[id] = n
		}
	}
	d.index()
	d.keep()
	return d
}

// index finds the numbers by their names.
func (d *dictionary) index() {
	d.texts, d.sources = map[string]uint64{}, map[objects.Source]uint64{}
	for id, n := range d.entries {
		switch n.kind {
		case nameText:
			d.texts[n.text] = uint64(id)
		case nameSource:
			d.sources[n.source] = uint64(id)
		}
	}
}

// keep makes the additions final after the commit; undo takes them back after a failed one,
// since a later record would else refer to names that the file does not have.
func (d *dictionary) keep() {
	d.stored = len(d.entries)
	live := d.entries[:d.stored:d.stored]
	d.live.Store(&live)
}

func (d *dictionary) undo() {
	for _, n := range d.entries[d.stored:] {
		if n.kind == nameSource {
			delete(d.sources, n.source)
		} else {
			delete(d.texts, n.text)
		}
	}
	d.entries = d.entries[:d.stored]
}

// load reads all records. next is the first number that was never given, by the totals: numbers
// below it are never given again even if their entries are lost, for a name given twice would
// turn old samples into samples of another object. It returns how many entries are damaged.
func (d *dictionary) load(records iter.Seq2[[]byte, []byte], next uint64) (damaged int) {
	entries := make([]name, min(next, mostEntries))
	for k, v := range records {
		id, ok := keySeq(k)
		n, sound := decodeName(k, v)
		switch {
		case !ok, !sound, id >= mostEntries: // the seal covers the number: a damaged one grows nothing
			damaged++
		default:
			if grown := int(id) + 1 - len(entries); grown > 0 {
				entries = append(entries, make([]name, grown)...)
			}
			entries[id] = n
		}
	}
	d.entries = entries
	d.index()
	d.keep()
	return damaged
}

func encodeName(n name) []byte {
	dst := []byte{n.kind}
	if n.kind == nameText {
		return append(dst, n.text...)
	}
	dst = append(dst, n.source.UnitID)
	for _, s := range []string{n.source.Line, n.source.Slave, n.source.Firmware, n.source.FWVersion} {
		dst = appendText(dst, s)
	}
	return dst
}

func decodeName(key, sealed []byte) (name, bool) {
	value, ok := unseal(key, sealed)
	if !ok || len(value) == 0 {
		return name{}, false
	}
	r := reader{b: value[1:]}
	switch value[0] {
	case nameText:
		return name{kind: nameText, text: string(value[1:])}, true
	case nameSource:
		s := objects.Source{UnitID: r.byte(), Line: r.text(), Slave: r.text(), Firmware: r.text(), FWVersion: r.text()}
		return name{kind: nameSource, source: s}, r.done()
	}
	return name{}, false
}

// names is a published dictionary, for decoding.
type names []name

// text resolves a reference; the reader fails when it leads nowhere.
func (ns names) text(r *reader) string {
	id := r.uvarint()
	if id >= uint64(len(ns)) || ns[id].kind != nameText {
		r.fail()
		return ""
	}
	return ns[id].text
}

// skip is text for who does not need it.
func (ns names) skip(r *reader) {
	if id := r.uvarint(); id >= uint64(len(ns)) || ns[id].kind != nameText {
		r.fail()
	}
}

func (ns names) source(r *reader) objects.Source {
	id := r.uvarint()
	if id >= uint64(len(ns)) || ns[id].kind != nameSource {
		r.fail()
		return objects.Source{}
	}
	return ns[id].source
}
