package record

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"time"
)

// castagnoli is the CRC-32C polynomial: most CPUs have an instruction for it. bbolt has no checksum for the content
// of a page.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const sumLen = 4 // bytes of CRC-32C at the end of every stored value

// Seal appends the checksum of key and value. The checksum includes the key, so that a value under a wrong key, for
// example after a half-written page, is found too.
func Seal(key, value []byte) []byte {
	return binary.BigEndian.AppendUint32(value, checksum(key, value))
}

// Unseal returns the value without its checksum, or false when the checksum is wrong.
func Unseal(key, sealed []byte) ([]byte, bool) {
	if len(sealed) < sumLen {
		return nil, false
	}
	value, sum := sealed[:len(sealed)-sumLen], sealed[len(sealed)-sumLen:]
	return value, binary.BigEndian.Uint32(sum) == checksum(key, value)
}

func checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

// SeqKey is the key of sequence numbers, row ids and name ids. It is big-endian, so that bbolt has them in their
// numeric order.
func SeqKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// KeySeq is the inverse of SeqKey; false if the key is not valid.
func KeySeq(key []byte) (uint64, bool) {
	if len(key) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(key), true
}

func AppendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// Reader decodes a stored value. After the first fault everything reads as zero and Failed stays set, so that decoders
// check only once, at the end.
type Reader struct {
	B      []byte
	Failed bool
}

func (r *Reader) fail() { r.Failed, r.B = true, nil }

// Done reports whether everything was read and nothing was wrong.
func (r *Reader) Done() bool { return !r.Failed && len(r.B) == 0 }

func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.B)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.B = r.B[n:]
	return v
}

func (r *Reader) varint() int64 {
	v, n := binary.Varint(r.B)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.B = r.B[n:]
	return v
}

func (r *Reader) Byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// take returns the next n bytes, which are a part of the stored value: copy bytes that are needed longer.
func (r *Reader) take(n uint64) []byte {
	if n > uint64(len(r.B)) {
		r.fail()
		return nil
	}
	b := r.B[:n]
	r.B = r.B[n:]
	return b
}

func (r *Reader) Text() string { return string(r.take(r.Uvarint())) }

// count reads the number of items that follow. Each item has at least one byte, so a damaged count cannot allocate more
// memory than the length of the value.
func (r *Reader) count() int {
	n := r.Uvarint()
	if n > uint64(len(r.B)) {
		r.fail()
		return 0
	}
	return int(n)
}

// Bitset is a set of sample indexes, lowest bit first.
type Bitset []byte

func NewBitset(n int) Bitset { return make(Bitset, (n+7)/8) }

// fullBitset holds 0 to n-1.
func fullBitset(n int) Bitset {
	b := NewBitset(n)
	for i := range n {
		b.Set(i)
	}
	return b
}

func (b Bitset) Has(i int) bool { return i >= 0 && i/8 < len(b) && b[i/8]&(1<<(i%8)) != 0 }
func (b Bitset) Set(i int)      { b[i/8] |= 1 << (i % 8) }

func (b Bitset) Count() int {
	n := 0
	for _, x := range b {
		n += bits.OnesCount8(x)
	}
	return n
}

// And returns what both sets hold, as long as b.
func (b Bitset) And(c Bitset) Bitset {
	out := make(Bitset, len(b))
	for i := range min(len(b), len(c)) {
		out[i] = b[i] & c[i]
	}
	return out
}

// fits reports whether no index of n or above is set and the length is that of n.
func (b Bitset) fits(n int) bool {
	return len(b) == (n+7)/8 && (n%8 == 0 || b[len(b)-1]>>(n%8) == 0)
}

// appendTime writes a time to the millisecond, or nothing but a zero for the zero time.
func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, 0)
	}
	return binary.AppendVarint(append(dst, 1), t.UnixMilli())
}

func readTime(r *Reader) time.Time {
	if r.Byte() == 0 {
		return time.Time{}
	}
	return time.UnixMilli(r.varint()).UTC()
}

func UnixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func FromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// ToMilli drops what the file does not keep, so that a row reads the same before and after it was
// written.
func ToMilli(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

func Size(key, value []byte) int64 { return int64(len(key) + len(value)) }
