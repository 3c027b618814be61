package store

import "encoding/binary"

// start is what the store knows of one run: in which boot it was, and what was known of time.
type start struct {
	boot   string
	booted int64 // unix ms of the boot, by a clock that was right; 0: not known
	floor  int64 // unix ms; no sample of the run is older
}

// startKind begins the record of a run, and no other kind of record.
const startKind byte = 'R'

func (r start) encode(key []byte) []byte {
	dst := appendText([]byte{startKind}, r.boot)
	return seal(key, binary.AppendVarint(binary.AppendVarint(dst, r.booted), r.floor))
}

func decodeStart(key, sealed []byte) (start, bool) {
	value, ok := unseal(key, sealed)
	r := &reader{b: value}
	if !ok || r.byte() != startKind {
		return start{}, false
	}
	s := start{boot: r.text(), booted: r.varint(), floor: r.varint()}
	return s, r.done()
}

// times are what the store keeps of time itself, unix ms; 0: not known.
type times struct {
	good  int64 // the last time known to be right
	wrote int64 // the last commit, by the clock as it was
}

func (t times) encode() []byte {
	return seal(keyClock, binary.AppendVarint(binary.AppendVarint([]byte{metaVersion}, t.good), t.wrote))
}

// decodeTimes reads the record; one that does not read is not known.
func decodeTimes(sealed []byte) times {
	value, ok := unseal(keyClock, sealed)
	r := &reader{b: value}
	if !ok || r.byte() != metaVersion {
		return times{}
	}
	if t := (times{good: r.varint(), wrote: r.varint()}); r.done() {
		return t
	}
	return times{}
}
