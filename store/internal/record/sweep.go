package record

import (
	"encoding/binary"
	"math"
	"time"

	"noi-agent/objects"
)

// A sweep's record: version, flags, source, run, number of samples, time of the first in unix ms and in ms since the
// boot, routes, number of the first sample, samples, CRC-32C. The routes are before the samples, so that a search for
// the sweeps of one integration decodes no values. No other kind of record begins with this number, so that a salvage
// can distinguish them.
const recordVersion byte = 3

// Flags of a record.
const (
	flagUnsure byte = 1 << 0 // the clock was not known to be right
	flagUptime byte = 1 << 1 // the time since the boot is known

	flagsKnown = flagUnsure | flagUptime
)

// MaxSamples is the most samples in one sweep. A Modbus slave has 65,536 registers, and no plan reads a tenth of them
// in one sweep.
const MaxSamples = 8192

// The forms of a stored value, in the low half of the tag byte. Never renumber them.
const (
	formInt        byte = 1 // zigzag varint
	formFloat32    byte = 2 // exact in 32 bits, as every half precision register is
	formFloat64    byte = 3
	formText       byte = 4 // a name
	formTextInline byte = 5 // a text that is no name: too long, or too many
	formBits       byte = 6 // count and names
	formFalse      byte = 7 // a bit without names
	formTrue       byte = 8

	formMask   byte = 0x0F
	tagAlarm   byte = 0x20 // the object is marked as an alarm
	tagSameSeq byte = 0x10 // as many samples of its object as of the one before it, and of the first: 0
	tagNextN   byte = 0x40 // the sample's number follows the one before it: no delta stored
	tagSameT   byte = 0x80 // sampled at the same millisecond as the one before it
)

// Routes in a record.
const (
	routeAll  byte = 0 // every sample
	routeSome byte = 1 // a bitmap follows
)

// Heading is the part of a record before its samples.
type Heading struct {
	source  objects.Source
	Run     uint64
	Samples int
	At      int64 // unix ms of the first sample
	Uptime  int64 // ms from the boot to the first sample; -1: not known
	unsure  bool
	Routes  []Picks
}

// Instant is when the first sample was taken.
func (h Heading) Instant() Instant {
	uptime := time.Duration(-1)
	if h.Uptime >= 0 {
		uptime = time.Duration(h.Uptime) * time.Millisecond
	}
	return Instant{Run: h.Run, At: FromMilli(h.At), Uptime: uptime, Unsure: h.unsure}
}

// bootedAt returns the time of the boot, by the clock at that time.
func (h Heading) bootedAt() time.Time {
	if h.Uptime < 0 {
		return time.Time{}
	}
	return time.UnixMilli(h.At - h.Uptime).UTC()
}

type Picks struct {
	Integration string
	Set         Bitset
}

// Of returns the samples that the integration gets; nil: none.
func (h Heading) Of(integration string) Bitset {
	for _, p := range h.Routes {
		if p.Integration == integration {
			return p.Set
		}
	}
	return nil
}

// EncodeSweep returns the sealed record. The store has checked the sweep (integrations.check).
func (d *Dictionary) EncodeSweep(key []byte, sw objects.Sweep) []byte {
	n := len(sw.Samples)
	dst := make([]byte, 0, 64+12*n)
	at := sw.Samples[0].SampledAt.UnixMilli()
	dst = append(dst, recordVersion, flagsOf(sw))
	dst = binary.AppendUvarint(dst, d.source(sw.Source))
	dst = binary.AppendUvarint(dst, sw.Run)
	dst = binary.AppendUvarint(dst, uint64(n))
	dst = binary.AppendVarint(dst, at)
	if up := uptimeOf(sw); up >= 0 {
		dst = binary.AppendUvarint(dst, uint64(up))
	}
	dst = binary.AppendUvarint(dst, uint64(len(sw.Routes)))
	for _, route := range sw.Routes {
		dst = d.appendRoute(dst, route, n)
	}
	before := running{number: sw.Samples[0].N, at: at}
	dst = binary.AppendUvarint(dst, before.number)
	for _, s := range sw.Samples {
		dst = d.appendSample(dst, s, before)
		before = after(s)
	}
	return Seal(key, dst)
}

func flagsOf(sw objects.Sweep) (flags byte) {
	if sw.Unsure {
		flags |= flagUnsure
	}
	if uptimeOf(sw) >= 0 {
		flags |= flagUptime
	}
	return flags
}

// uptimeOf returns the time from the boot to the first sample, in ms; -1: not known, or not possible.
func uptimeOf(sw objects.Sweep) int64 {
	if sw.BootedAt.IsZero() {
		return -1
	}
	return max(-1, sw.Samples[0].SampledAt.UnixMilli()-sw.BootedAt.UnixMilli())
}

// running has the values that a sample's record leaves out, because they follow from the sample before.
type running struct {
	number uint64 // expected
	seq    uint64
	at     int64 // unix ms
}

// after returns the values that are expected for the next sample.
func after(s objects.Sample) running {
	return running{number: s.N + 1, seq: s.Seq, at: s.SampledAt.UnixMilli()}
}

func (d *Dictionary) appendRoute(dst []byte, route objects.Route, n int) []byte {
	dst = binary.AppendUvarint(dst, d.text(route.Integration))
	if len(route.Picked) == n {
		return append(dst, routeAll)
	}
	set := NewBitset(n)
	for _, i := range route.Picked {
		set.Set(i)
	}
	return append(append(dst, routeSome), set...)
}

// appendSample writes object, tag and value. If number, time or sequence number are not as expected, it also writes
// their differences from the expected values.
func (d *Dictionary) appendSample(dst []byte, s objects.Sample, before running) []byte {
	dst = binary.AppendUvarint(dst, d.text(s.Object))
	tag := len(dst)
	dst = d.appendValue(dst, s.Value)
	if s.Alarm {
		dst[tag] |= tagAlarm
	}
	if s.N == before.number {
		dst[tag] |= tagNextN
	} else {
		// the difference wraps around, and wraps back when it is read
		dst = binary.AppendVarint(dst, int64(s.N-before.number))
	}
	if ms := s.SampledAt.UnixMilli(); ms == before.at {
		dst[tag] |= tagSameT
	} else {
		dst = binary.AppendVarint(dst, ms-before.at)
	}
	if s.Seq == before.seq {
		dst[tag] |= tagSameSeq
	} else {
		dst = binary.AppendVarint(dst, int64(s.Seq-before.seq))
	}
	return dst
}

// appendValue writes the form byte and the value in its shortest exact form.
func (d *Dictionary) appendValue(dst []byte, v objects.Value) []byte {
	switch v.Kind() {
	case objects.KindText:
		if s := v.String(); !d.worthy(s) {
			return AppendText(append(dst, formTextInline), s)
		}
		return binary.AppendUvarint(append(dst, formText), d.text(v.String()))
	case objects.KindBits:
		dst = binary.AppendUvarint(append(dst, formBits), uint64(len(v.Names())))
		for _, n := range v.Names() {
			dst = binary.AppendUvarint(dst, d.text(n))
		}
		return dst
	case objects.KindBool:
		if v.Float() != 0 {
			return append(dst, formTrue)
		}
		return append(dst, formFalse)
	default:
		return appendNumber(dst, v.Float())
	}
}

func appendNumber(dst []byte, f float64) []byte {
	const exact = 1 << 53 // integers below it are exact in a float64
	negativeZero := f == 0 && math.Signbit(f)
	switch {
	case f == math.Trunc(f) && math.Abs(f) < exact && !negativeZero:
		return binary.AppendVarint(append(dst, formInt), int64(f))
	case float64(float32(f)) == f:
		return binary.BigEndian.AppendUint32(append(dst, formFloat32), math.Float32bits(float32(f)))
	default:
		return binary.BigEndian.AppendUint64(append(dst, formFloat64), math.Float64bits(f))
	}
}

// Peek reads a record's heading and checks its CRC, but not its samples.
func Peek(ns Names, key, sealed []byte) (Heading, bool) {
	h, r := readHeading(ns, key, sealed)
	return h, !r.Failed
}

func readHeading(ns Names, key, sealed []byte) (Heading, *Reader) {
	r := &Reader{}
	value, ok := Unseal(key, sealed)
	if !ok {
		r.fail()
		return Heading{}, r
	}
	r.B = value
	version, flags := r.Byte(), r.Byte()
	if version != recordVersion || flags&^flagsKnown != 0 {
		r.fail()
		return Heading{}, r
	}
	h := Heading{source: ns.source(r), Run: r.Uvarint(), Samples: r.count(), At: r.varint(), Uptime: -1,
		unsure: flags&flagUnsure != 0}
	if flags&flagUptime != 0 {
		h.Uptime = readUptime(r)
	}
	if h.Samples < 1 || h.Samples > MaxSamples {
		r.fail()
		return Heading{}, r
	}
	n := r.count()
	h.Routes = make([]Picks, 0, n)
	for range n {
		h.Routes = append(h.Routes, readRoute(ns, r, h.Samples))
	}
	return h, r
}

// readUptime reads a time since the boot, in ms.
func readUptime(r *Reader) int64 {
	up := r.Uvarint()
	if up > math.MaxInt64>>1 {
		r.fail()
		return -1
	}
	return int64(up)
}

func readRoute(ns Names, r *Reader, samples int) Picks {
	p := Picks{Integration: ns.text(r)}
	switch r.Byte() {
	case routeAll:
		p.Set = fullBitset(samples)
	case routeSome:
		p.Set = append(Bitset(nil), r.take(uint64(samples+7)/8)...)
		if !p.Set.fits(samples) || p.Set.Count() == 0 {
			r.fail()
		}
	default:
		r.fail()
	}
	return p
}

// DecodeSweep reads a whole record. It returns false when the record is damaged, has an unknown version, or refers to
// names that are lost. The result shares no memory with the stored value.
func DecodeSweep(ns Names, key, sealed []byte) (objects.Sweep, bool) {
	h, r := readHeading(ns, key, sealed)
	if r.Failed {
		return objects.Sweep{}, false
	}
	sw := objects.Sweep{Source: h.source, Run: h.Run, BootedAt: h.bootedAt(), Unsure: h.unsure}
	for _, p := range h.Routes {
		sw.Routes = append(sw.Routes, objects.Route{Integration: p.Integration, Picked: p.Indexes(h.Samples)})
	}
	before := running{number: r.Uvarint(), at: h.At}
	sw.Samples = make([]objects.Sample, 0, h.Samples)
	for i := range h.Samples {
		s := readSample(ns, r, before)
		sw.Samples = append(sw.Samples, s)
		before = after(s)
		if i == 0 && before.at != h.At {
			r.fail() // the heading is of another sweep, which no writer makes
		}
	}
	return sw, r.Done()
}

// Inspect is decodeSweep for a caller that needs only whether a record is readable, and its heading: it makes no
// samples, and is ten times as fast.
func Inspect(ns Names, key, sealed []byte) (Heading, bool) {
	h, r := readHeading(ns, key, sealed)
	r.Uvarint() // the number of the first sample
	for i := range h.Samples {
		if r.Failed {
			break
		}
		ns.skip(r)
		tag := r.Byte()
		skipValue(ns, r, tag&formMask)
		if tag&tagNextN == 0 {
			r.varint()
		}
		if tag&tagSameT == 0 && r.varint() != 0 && i == 0 {
			r.fail()
		}
		if tag&tagSameSeq == 0 {
			r.varint()
		}
	}
	return h, r.Done()
}

func skipValue(ns Names, r *Reader, form byte) {
	switch form {
	case formInt:
		r.varint()
	case formFloat32, formFloat64:
		readValue(ns, r, form) // has rules of its own
	case formText:
		ns.skip(r)
	case formTextInline:
		r.take(r.Uvarint())
	case formBits:
		for range r.count() {
			ns.skip(r)
		}
	case formFalse, formTrue:
	default:
		r.fail()
	}
}

func (p Picks) Indexes(n int) []int {
	out := make([]int, 0, p.Set.Count())
	for i := range n {
		if p.Set.Has(i) {
			out = append(out, i)
		}
	}
	return out
}

func readSample(ns Names, r *Reader, before running) objects.Sample {
	s := objects.Sample{Object: ns.text(r)}
	tag := r.Byte()
	s.Value = readValue(ns, r, tag&formMask)
	if tag&tagNextN == 0 {
		before.number += uint64(r.varint())
	}
	if tag&tagSameT == 0 {
		before.at += r.varint()
	}
	if tag&tagSameSeq == 0 {
		before.seq += uint64(r.varint())
	}
	s.Alarm = tag&tagAlarm != 0
	s.N, s.Seq, s.SampledAt = before.number, before.seq, time.UnixMilli(before.at).UTC()
	return s
}

func readValue(ns Names, r *Reader, form byte) objects.Value {
	switch form {
	case formInt:
		return objects.Number(float64(r.varint()))
	case formFloat32:
		if b := r.take(4); b != nil {
			return finite(r, float64(math.Float32frombits(binary.BigEndian.Uint32(b))))
		}
	case formFloat64:
		if b := r.take(8); b != nil {
			return finite(r, math.Float64frombits(binary.BigEndian.Uint64(b)))
		}
	case formText:
		return objects.Text(ns.text(r))
	case formTextInline:
		return objects.Text(r.Text())
	case formBits:
		return readBits(ns, r)
	case formFalse, formTrue:
		return objects.Bool(form == formTrue)
	default:
		r.fail()
	}
	return objects.Value{}
}

// finite makes sure that objects.Number gets a finite number, because it panics otherwise.
func finite(r *Reader, f float64) objects.Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		r.fail()
		return objects.Value{}
	}
	return objects.Number(f)
}

func readBits(ns Names, r *Reader) objects.Value {
	set := make([]string, 0, 4)
	for range r.count() {
		set = append(set, ns.text(r))
	}
	return objects.Bits(set)
}
