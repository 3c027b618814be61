package store

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"time"
)

// castagnoli is the CRC-32C polynomial: most CPUs have an instruction for it, and bbolt itself
// keeps no checksum of what is inside a page.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const sumLen = 4 // bytes of CRC-32C at the end of every stored value

// seal appends the checksum of key and value. The key takes part so that a value that turns up
// under another key, as after a torn page, is found out too.
func seal(key, value []byte) []byte {
	return binary.BigEndian.AppendUint32(value, checksum(key, value))
}

// unseal returns the value without its checksum, or false when the checksum is wrong.
func unseal(key, sealed []byte) ([]byte, bool) {
	if len(sealed) < sumLen {
		return nil, false
	}
	value, sum := sealed[:len(sealed)-sumLen], sealed[len(sealed)-sumLen:]
	return value, binary.BigEndian.Uint32(sum) == checksum(key, value)
}

func checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

// seqKey is how sequence numbers, row ids and name ids are keyed: big-endian, so that bbolt's
// order is theirs.
func seqKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// keySeq is the inverse of seqKey; false when the key is none of ours.
func keySeq(key []byte) (uint64, bool) {
	if len(key) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(key), true
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// reader takes a stored value apart. After the first fault everything reads as zero and failed
// stays set, so that decoders look once, at the end.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) fail() { r.failed, r.b = true, nil }

// done reports whether everything was read and nothing was wrong.
func (r *reader) done() bool { return !r.failed && len(r.b) == 0 }

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// take returns the next n bytes, still part of the stored value: copy what outlives it.
func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) text() string { return string(r.take(r.uvarint())) }

// count reads how many items follow. Each takes a byte at least, so that a damaged count cannot
// make us allocate more than the value is long.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	return int(n)
}

// bitset is a set of sample indexes, lowest bit first.
type bitset []byte

func newBitset(n int) bitset { return make(bitset, (n+7)/8) }

// fullBitset holds 0 to n-1.
func fullBitset(n int) bitset {
	b := newBitset(n)
	for i := range n {
		b.set(i)
	}
	return b
}

func (b bitset) has(i int) bool { return i >= 0 && i/8 < len(b) && b[i/8]&(1<<(i%8)) != 0 }
func (b bitset) set(i int)      { b[i/8] |= 1 << (i % 8) }

func (b bitset) count() int {
	n := 0
	for _, x := range b {
		n += bits.OnesCount8(x)
	}
	return n
}

// and returns what both sets hold, as long as b.
func (b bitset) and(c bitset) bitset {
	out := make(bitset, len(b))
	for i := range min(len(b), len(c)) {
		out[i] = b[i] & c[i]
	}
	return out
}

// fits reports whether no index of n or above is set and the length is that of n.
func (b bitset) fits(n int) bool {
	return len(b) == (n+7)/8 && (n%8 == 0 || b[len(b)-1]>>(n%8) == 0)
}

// appendTime writes a time to the millisecond, or nothing but a zero for the zero time.
func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, 0)
	}
	return binary.AppendVarint(append(dst, 1), t.UnixMilli())
}

func readTime(r *reader) time.Time {
	if r.byte() == 0 {
		return time.Time{}
	}
	return time.UnixMilli(r.varint()).UTC()
}

func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// toMilli drops what the file does not keep, so that a row reads the same before and after it was
// written.
func toMilli(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

func recordSize(key, value []byte) int64 { return int64(len(key) + len(value)) }
