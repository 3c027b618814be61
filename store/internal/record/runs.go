package record

import "encoding/binary"

// Start is what the store knows of one run: in which boot it was, and what was known of time.
type Start struct {
	Boot   string
	Booted int64 // unix ms of the boot, by a clock that was right; 0: not known
	Floor  int64 // unix ms; no sample of the run is older
}

// StartKind begins the record of a run, and no other kind of record.
const StartKind byte = 'R'

func (r Start) Encode(key []byte) []byte {
	dst := AppendText([]byte{StartKind}, r.Boot)
	return Seal(key, binary.AppendVarint(binary.AppendVarint(dst, r.Booted), r.Floor))
}

func DecodeStart(key, sealed []byte) (Start, bool) {
	value, ok := Unseal(key, sealed)
	r := &Reader{B: value}
	if !ok || r.Byte() != StartKind {
		return Start{}, false
	}
	s := Start{Boot: r.Text(), Booted: r.varint(), Floor: r.varint()}
	return s, r.Done()
}

// Times are the times that the store keeps, in unix ms; 0: not known.
type Times struct {
	Good  int64 // the last time known to be right
	Wrote int64 // the last commit, by the clock as it was
}

func (t Times) Encode() []byte {
	return Seal(KeyClock, binary.AppendVarint(binary.AppendVarint([]byte{metaVersion}, t.Good), t.Wrote))
}

// DecodeTimes reads the record. An unreadable record gives zero Times.
func DecodeTimes(sealed []byte) Times {
	value, ok := Unseal(KeyClock, sealed)
	r := &Reader{B: value}
	if !ok || r.Byte() != metaVersion {
		return Times{}
	}
	if t := (Times{Good: r.varint(), Wrote: r.varint()}); r.Done() {
		return t
	}
	return Times{}
}
