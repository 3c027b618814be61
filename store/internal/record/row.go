package record

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"noi-agent/objects"
)

// rowVersion begins the record of a row, and no other kind of record, so that a salvage can distinguish them.
const rowVersion byte = 4

// Flags of a row.
const (
	rowSuccess byte = 1 << 0
	rowOpen    byte = 1 << 1
	rowGap     byte = 1 << 2 // about missing samples: a gap follows instead of a delivery
	rowReplay  byte = 1 << 3 // of a replay
	rowGuessed byte = 1 << 4 // it is not known when exactly the sample was taken
	rowUndated byte = 1 << 6 // about a gap whose times are not known yet: its span follows
	rowDead    byte = 1 << 5 // a dead letter, and not the log's copy of it: the id of the sample's store follows
	rowSeen    byte = 1 << 7 // about a gap that an operator has acknowledged
)

// The forms of a message id. Never renumber them.
const (
	messageNone   byte = 0
	messageUUID   byte = 1 // SNS: 16 bytes for 36 characters
	messageNumber byte = 2 // Pub/Sub: a decimal number
	messageText   byte = 3
)

// maxErrorLen limits a cloud's error text: an HTML page from a captive portal must not fill the log. Real errors,
// ARNs included, are shorter than 500 bytes.
const maxErrorLen = 1024

const (
	// KeepGaps is how many rows about gaps are kept per integration. They are few, and rows of publications do not
	// remove them: people look for missing data weeks later.
	KeepGaps = 4096
	// KeepDead is how many dead letters are kept per integration. They are in memory too, with some 500 bytes each. An
	// integration with more has a fault in its set-up, which rejects everything.
	KeepDead = 1024
)

// Place is one delivery's place in the outbox.
type Place struct {
	Seq   uint64
	Index int
}

// Row is one row of the trigger log. It does not change after other goroutines can see it: an update is a new Row with
// the same id.
type Row struct {
	Trigger
	Place
	Store     string // of a dead letter: id of the store that took the sample; "": the row is the log's
	Estimated bool   // the sample's time is a guess
	Undated   *Span  // of a gap that waits for the clock; nil: it has its times
	Void      bool   // of a gap without missing samples: the row must be deleted
	Before    uint64 // about a gap: how many such rows the integration had made before it, as far as known
}

// IsGap reports whether a row is about samples that are missing.
func (t *Trigger) IsGap() bool { return t.Gap.Reason != "" }

// Shown reports whether the log shows a row: a gap without its times is not shown.
func (w *Row) Shown() bool { return w.Undated == nil && !w.Void }

// EncodeRow returns the sealed record of a row, a few dozen bytes: references and the result. The record has the
// integration, although the bucket shows it, because a salvage finds rows without a bucket.
func (d *Dictionary) EncodeRow(key []byte, w *Row) []byte {
	return d.AppendRow(make([]byte, 0, UsualRow), key, w)
}

// UsualRow is enough bytes for most records of a row. Without an error they have about 60.
const UsualRow = 96

// AppendRow appends what EncodeRow returns. The seal is of the row alone, so the row begins a slice of its own, in the
// room of b where it fits.
func (d *Dictionary) AppendRow(b, key []byte, w *Row) []byte {
	return append(b, d.encodeRow(b[len(b):], key, w)...)
}

func (d *Dictionary) encodeRow(dst, key []byte, w *Row) []byte {
	dst = append(dst, rowVersion, w.flags())
	dst = binary.AppendUvarint(dst, d.text(w.Integration))
	dst = binary.AppendUvarint(dst, d.text(w.Topic))
	dst = binary.AppendUvarint(dst, uint64(w.Attempts))
	dst = appendTime(dst, w.CompletedAt)
	dst = appendTime(dst, w.PublishedAt)
	if w.Store != "" {
		dst = binary.AppendUvarint(dst, d.text(w.Store))
	}
	if w.IsGap() {
		dst = appendMessageID(d.appendGap(dst, w.Gap), w.MessageID)
		if sp := w.Undated; sp != nil {
			dst = appendInstant(appendInstant(dst, sp.Begins), sp.Ends)
			dst = binary.AppendUvarint(dst, uint64(sp.Every.Milliseconds()))
		}
		return Seal(key, dst)
	}
	dst = binary.AppendUvarint(dst, w.Seq)
	dst = binary.AppendUvarint(dst, uint64(w.Index))
	dst = binary.AppendUvarint(dst, w.Run)
	dst = binary.AppendUvarint(dst, d.source(w.Source))
	dst = d.appendSample(dst, w.Sample, running{at: w.PublishedAt.UnixMilli()})
	dst = appendMessageID(dst, w.MessageID)
	return Seal(key, AppendText(dst, w.Error))
}

func (w *Row) flags() byte {
	var f byte
	if w.Success {
		f |= rowSuccess
	}
	if w.Open {
		f |= rowOpen
	}
	if w.IsGap() {
		f |= rowGap
	}
	if w.Replayed {
		f |= rowReplay
	}
	if w.Estimated {
		f |= rowGuessed
	}
	if w.Undated != nil {
		f |= rowUndated
	}
	if w.Store != "" {
		f |= rowDead
	}
	if w.Gap.Acknowledged {
		f |= rowSeen
	}
	return f
}

func (d *Dictionary) appendGap(dst []byte, g objects.Gap) []byte {
	dst = d.appendValue(dst, objects.Text(g.Unit))
	dst = d.appendValue(dst, objects.Text(g.Object))
	dst = d.appendValue(dst, objects.Text(g.Reason))
	dst = appendTime(appendTime(dst, g.From), g.To)
	for _, n := range []uint64{g.Run, g.First, g.Last, g.Count} {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

func readGap(ns Names, r *Reader) objects.Gap {
	text := func() string { return readValue(ns, r, r.Byte()).String() }
	return objects.Gap{
		Unit: text(), Object: text(), Reason: text(), From: readTime(r), To: readTime(r),
		Run: r.Uvarint(), First: r.Uvarint(), Last: r.Uvarint(), Count: r.Uvarint(),
	}
}

// DecodeRow reads a row; false when it is damaged, refers to names that are lost, or is not the integration's. With ""
// the integration does not matter.
func DecodeRow(ns Names, integration string, key, sealed []byte) (*Row, bool) {
	w := new(Row)
	if !w.Decode(ns, integration, key, sealed) {
		return nil, false
	}
	return w, true
}

// Decode is DecodeRow into a row that is there already. After false the row is not to be used.
func (w *Row) Decode(ns Names, integration string, key, sealed []byte) bool {
	value, ok := Unseal(key, sealed)
	id, isKey := KeySeq(key)
	r := &Reader{B: value}
	if !ok || !isKey || r.Byte() != rowVersion {
		return false
	}
	flags := r.Byte()
	*w = Row{Estimated: flags&rowGuessed != 0, Trigger: Trigger{
		ID: id, Integration: ns.text(r),
		Success: flags&rowSuccess != 0, Open: flags&rowOpen != 0, Replayed: flags&rowReplay != 0,
		Topic: ns.text(r), Attempts: int(r.Uvarint()), CompletedAt: readTime(r), PublishedAt: readTime(r),
	}}
	if flags&rowDead != 0 {
		w.Store = ns.text(r)
	}
	if integration != "" && w.Integration != integration {
		return false
	}
	if flags&rowGap != 0 {
		w.Gap = readGap(ns, r)
		w.Gap.Acknowledged = flags&rowSeen != 0
		w.MessageID = readMessageID(r)
		w.Error = GapText(w.Gap)
		if flags&rowUndated != 0 {
			w.Undated = &Span{Gap: w.Gap, Begins: readInstant(r), Ends: readInstant(r),
				Every: time.Duration(r.Uvarint()) * time.Millisecond}
		}
		return r.Done() && w.IsGap()
	}
	w.Place = Place{Seq: r.Uvarint(), Index: int(r.Uvarint())}
	w.Run, w.Source = r.Uvarint(), ns.source(r)
	w.Sample = readSample(ns, r, running{at: w.PublishedAt.UnixMilli()})
	w.MessageID, w.Error = readMessageID(r), r.Text()
	return r.Done()
}

func appendMessageID(dst []byte, id string) []byte {
	if id == "" {
		return append(dst, messageNone)
	}
	if raw, ok := packUUID(id); ok {
		return append(append(dst, messageUUID), raw[:]...)
	}
	if n, ok := packNumber(id); ok {
		return binary.AppendUvarint(append(dst, messageNumber), n)
	}
	return AppendText(append(dst, messageText), id)
}

func readMessageID(r *Reader) string {
	switch r.Byte() {
	case messageNone:
		return ""
	case messageUUID:
		return unpackUUID(r.take(16))
	case messageNumber:
		return strconv.FormatUint(r.Uvarint(), 10)
	case messageText:
		return r.Text()
	}
	r.fail()
	return ""
}

// packNumber returns a decimal number in its one canonical spelling. The check comes first: an error of the parser
// costs two allocations, and most message ids are no numbers.
func packNumber(s string) (n uint64, ok bool) {
	if len(s) > 20 || strings.Trim(s, "0123456789") != "" || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil
}

// packUUID returns the 16 bytes of a UUID in its one canonical spelling: 8-4-4-4-12, lower case.
func packUUID(s string) (raw [16]byte, ok bool) {
	if len(s) != 36 {
		return raw, false
	}
	var digits [32]byte
	at := 0
	for _, part := range [...]string{s[:8], s[9:13], s[14:18], s[19:23], s[24:]} {
		at += copy(digits[at:], part)
	}
	_, err := hex.Decode(raw[:], digits[:])
	spelt := spellUUID(raw)
	return raw, err == nil && string(spelt[:]) == s
}

func unpackUUID(raw []byte) string {
	if len(raw) != 16 {
		return ""
	}
	spelt := spellUUID([16]byte(raw))
	return string(spelt[:])
}

func spellUUID(raw [16]byte) (s [36]byte) {
	var digits [32]byte
	hex.Encode(digits[:], raw[:])
	parts := append(append(s[:0], digits[:8]...), '-')
	parts = append(append(parts, digits[8:12]...), '-')
	parts = append(append(parts, digits[12:16]...), '-')
	parts = append(append(parts, digits[16:20]...), '-')
	copy(s[len(parts):], digits[20:])
	return s
}

// CutError shortens an error text to maxErrorLen bytes, not inside a character.
func CutError(s string) string {
	if len(s) <= maxErrorLen {
		return s
	}
	end := maxErrorLen
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// Trigger is one row of the trigger log. It is about one sample for one integration and the result of its delivery,
// or about a gap: samples that the integration will never get. Times are UTC, to the millisecond.
type Trigger struct {
	ID          uint64 // from 1, ascending, never used twice; a retry keeps its row's
	Integration string
	Topic       string // as it was at the last attempt
	Success     bool
	Open        bool      // not settled: it will be tried again
	Dead        bool      // set aside as a dead letter now; as queries return it, not kept with the row
	Replayed    bool      // sent again because the operator asked for a replay; has a row of its own, never Open
	CompletedAt time.Time // when the last attempt's answer came
	PublishedAt time.Time // when the last attempt left; zero for a gap
	Attempts    int       // tries so far; 0 for a gap that is not announced
	MessageID   string    // the cloud's, empty without success; a gap has it once it is announced
	Error       string    // "Code: message", empty with success; cut at about 1 KiB
	Run         uint64
	Source      objects.Source
	Sample      objects.Sample // as it was published; zero for a gap
	Gap         objects.Gap    // with a Reason: the row is about this gap, and Error says it in words
}

// CutRows removes the rows that the log would not keep, the oldest of each kind, and returns their number.
func CutRows[R any](rows map[uint64]R, isGap func(R) bool, keep int) (cut int) {
	ids := slices.AppendSeq(make([]uint64, 0, len(rows)), maps.Keys(rows))
	slices.Sort(ids)
	left := map[bool]int{false: keep, true: KeepGaps}
	for _, id := range slices.Backward(ids) {
		gap := isGap(rows[id])
		if left[gap]--; left[gap] < 0 {
			delete(rows, id)
			cut++
		}
	}
	return cut
}

// GapText is a gap in one sentence, in the form of a cloud's errors.
func GapText(g objects.Gap) string {
	text := "Gap: "
	switch g.Count {
	case 0:
		text += "samples"
	case 1:
		text += "1 sample"
	default:
		text += fmt.Sprintf("%d samples", g.Count)
	}
	switch {
	case g.Object != "":
		text += " of " + g.Unit + " " + g.Object
	case g.Unit != "":
		text += " of " + g.Unit
	}
	if !g.From.IsZero() {
		text += fmt.Sprintf(" from %s to %s", formatTime(g.From), formatTime(g.To))
	}
	return text + " missing: " + g.Reason
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// IsRow reports whether a record begins like a row. No other kind of record begins like this.
func IsRow(value []byte) bool { return len(value) > 0 && value[0] == rowVersion }

// Further reports whether a row is newer than another of the same number. Clocks jump, so it compares only values that
// always grow.
func (w *Row) Further(than *Row) bool {
	one := map[bool]int{true: 1}
	return cmp.Or(cmp.Compare(w.Gap.Count, than.Gap.Count), cmp.Compare(w.Attempts, than.Attempts),
		one[!w.Open]-one[!than.Open], one[w.Gap.Acknowledged]-one[than.Gap.Acknowledged]) > 0
}
