package store

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"noi-agent/objects"
)

// rowVersion begins the record of a row, and no other kind of record, so that a salvage can tell them apart.
const rowVersion byte = 4

// Flags of a row.
const (
	rowSuccess byte = 1 << 0
	rowOpen    byte = 1 << 1
	rowGap     byte = 1 << 2 // about samples that are missing: no delivery follows, but a gap
	rowReplay  byte = 1 << 3 // of a replay
	rowGuessed byte = 1 << 4 // nobody knows when exactly the sample was taken
	rowUndated byte = 1 << 6 // about a gap whose times are not known yet: its span follows
	rowDead    byte = 1 << 5 // a dead letter, and not the log's copy of it: the id of the sample's store follows
)

// The forms of a message id. Never renumber them.
const (
	messageNone   byte = 0
	messageUUID   byte = 1 // SNS: 16 bytes for 36 characters
	messageNumber byte = 2 // Pub/Sub: a decimal number
	messageText   byte = 3
)

// maxErrorLen cuts a cloud's error text: an HTML page sent by a captive portal must not fill the
// log. Real ones, ARNs included, stay below 500 bytes.
const maxErrorLen = 1024

const (
	// keepGaps is how many rows about gaps are kept per integration. They are few, and rows of publications do not remove them: people look
	// for missing data weeks later.
	keepGaps = 4096
	// keepDead is how many dead letters are kept per integration. They are in memory too, with some 500 bytes each. An integration with more
	// has a fault in its set-up, which rejects everything.
	keepDead = 1024
)

// place is one delivery's place in the outbox.
type place struct {
	seq   uint64
	index int
}

// row is one line of the trigger log. It is never changed once others can see it: an update is a
// new row with the same id.
type row struct {
	Trigger
	place
	store     string // of a dead letter: id of the store that took the sample; "": the row is the log's
	estimated bool   // the sample's time is a guess
	undated   *Span  // of a gap that waits for the clock; nil: it has its times
	void      bool   // of a gap that missed nothing: the row is to go
	before    uint64 // about a gap: how many such rows the integration had made before it, as far as known
}

// isGap reports whether a row is about samples that are missing.
func (t *Trigger) isGap() bool { return t.Gap.Reason != "" }

// shown reports whether the log shows a row: a gap without its times is not shown.
func (w *row) shown() bool { return w.undated == nil && !w.void }

// encodeRow returns the sealed record of a row, a few dozen bytes: references and the result. It says whose row it is, though the
// bucket does: where a salvage finds it, there is no bucket.
func (d *dictionary) encodeRow(key []byte, w *row) []byte {
	dst := append(make([]byte, 0, 96), rowVersion, w.flags())
	dst = binary.AppendUvarint(dst, d.text(w.Integration))
	dst = binary.AppendUvarint(dst, d.text(w.Topic))
	dst = binary.AppendUvarint(dst, uint64(w.Attempts))
	dst = appendTime(dst, w.CompletedAt)
	dst = appendTime(dst, w.PublishedAt)
	if w.store != "" {
		dst = binary.AppendUvarint(dst, d.text(w.store))
	}
	if w.isGap() {
		dst = appendMessageID(d.appendGap(dst, w.Gap), w.MessageID)
		if sp := w.undated; sp != nil {
			dst = appendInstant(appendInstant(dst, sp.Begins), sp.Ends)
			dst = binary.AppendUvarint(dst, uint64(sp.Every.Milliseconds()))
		}
		return seal(key, dst)
	}
	dst = binary.AppendUvarint(dst, w.seq)
	dst = binary.AppendUvarint(dst, uint64(w.index))
	dst = binary.AppendUvarint(dst, w.Run)
	dst = binary.AppendUvarint(dst, d.source(w.Source))
	dst = d.appendSample(dst, w.Sample, running{at: w.PublishedAt.UnixMilli()})
	dst = appendMessageID(dst, w.MessageID)
	return seal(key, appendText(dst, w.Error))
}

func (w *row) flags() byte {
	var f byte
	if w.Success {
		f |= rowSuccess
	}
	if w.Open {
		f |= rowOpen
	}
	if w.isGap() {
		f |= rowGap
	}
	if w.Replayed {
		f |= rowReplay
	}
	if w.estimated {
		f |= rowGuessed
	}
	if w.undated != nil {
		f |= rowUndated
	}
	if w.store != "" {
		f |= rowDead
	}
	return f
}

func (d *dictionary) appendGap(dst []byte, g objects.Gap) []byte {
	dst = d.appendValue(dst, objects.Text(g.Unit))
	dst = d.appendValue(dst, objects.Text(g.Object))
	dst = d.appendValue(dst, objects.Text(g.Reason))
	dst = appendTime(appendTime(dst, g.From), g.To)
	for _, n := range []uint64{g.Run, g.First, g.Last, g.Count} {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

func readGap(ns names, r *reader) objects.Gap {
	text := func() string { return readValue(ns, r, r.byte()).String() }
	return objects.Gap{
		Unit: text(), Object: text(), Reason: text(), From: readTime(r), To: readTime(r),
		Run: r.uvarint(), First: r.uvarint(), Last: r.uvarint(), Count: r.uvarint(),
	}
}

// decodeRow reads a row; false when it is damaged, refers to names that are lost, or is not the integration's. Of "" it is whoever's.
func decodeRow(ns names, integration string, key, sealed []byte) (*row, bool) {
	value, ok := unseal(key, sealed)
	id, isKey := keySeq(key)
	r := &reader{b: value}
	if !ok || !isKey || r.byte() != rowVersion {
		return nil, false
	}
	flags := r.byte()
	w := &row{estimated: flags&rowGuessed != 0, Trigger: Trigger{
		ID: id, Integration: ns.text(r),
		Success: flags&rowSuccess != 0, Open: flags&rowOpen != 0, Replayed: flags&rowReplay != 0,
		Topic: ns.text(r), Attempts: int(r.uvarint()), CompletedAt: readTime(r), PublishedAt: readTime(r),
	}}
	if flags&rowDead != 0 {
		w.store = ns.text(r)
	}
	if integration != "" && w.Integration != integration {
		return nil, false
	}
	if flags&rowGap != 0 {
		w.Gap = readGap(ns, r)
		w.MessageID = readMessageID(r)
		w.Error = gapText(w.Gap)
		if flags&rowUndated != 0 {
			w.undated = &Span{Gap: w.Gap, Begins: readInstant(r), Ends: readInstant(r), Every: time.Duration(r.uvarint()) * time.Millisecond}
		}
		return w, r.done() && w.isGap()
	}
	w.place = place{seq: r.uvarint(), index: int(r.uvarint())}
	w.Run, w.Source = r.uvarint(), ns.source(r)
	w.Sample = readSample(ns, r, running{at: w.PublishedAt.UnixMilli()})
	w.MessageID, w.Error = readMessageID(r), r.text()
	return w, r.done()
}

func appendMessageID(dst []byte, id string) []byte {
	if id == "" {
		return append(dst, messageNone)
	}
	if raw, ok := packUUID(id); ok {
		return append(append(dst, messageUUID), raw...)
	}
	if n, err := strconv.ParseUint(id, 10, 64); err == nil && strconv.FormatUint(n, 10) == id {
		return binary.AppendUvarint(append(dst, messageNumber), n)
	}
	return appendText(append(dst, messageText), id)
}

func readMessageID(r *reader) string {
	switch r.byte() {
	case messageNone:
		return ""
	case messageUUID:
		return unpackUUID(r.take(16))
	case messageNumber:
		return strconv.FormatUint(r.uvarint(), 10)
	case messageText:
		return r.text()
	}
	r.fail()
	return ""
}

// packUUID returns the 16 bytes of a UUID in its one canonical spelling: 8-4-4-4-12, lower case.
func packUUID(s string) ([]byte, bool) {
	if len(s) != 36 {
		return nil, false
	}
	raw, err := hex.DecodeString(s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:])
	return raw, err == nil && unpackUUID(raw) == s
}

func unpackUUID(raw []byte) string {
	if len(raw) != 16 {
		return ""
	}
	h := hex.EncodeToString(raw)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// cutError shortens an error text to maxErrorLen bytes, not inside a character.
func cutError(s string) string {
	if len(s) <= maxErrorLen {
		return s
	}
	end := maxErrorLen
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// Trigger is one row of the trigger log: one sample handed to one integration and how it ended,
// or a gap: samples that it will never get. Times are UTC, to the millisecond.
type Trigger struct {
	ID          uint64 // from 1, ascending, never used twice; a retry keeps its row's
	Integration string
	Topic       string // as it was at the last attempt
	Success     bool
	Open        bool      // not settled: it will be tried again
	Replayed    bool      // sent again because somebody asked for a replay; has a row of its own, never Open
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

// cutRows removes what the logs would not keep, the oldest of each kind, and returns how many went.
func cutRows(rows map[uint64]*row, keep int) (cut int) {
	ids := slices.Sorted(maps.Keys(rows))
	left := map[bool]int{false: keep, true: keepGaps}
	for _, id := range slices.Backward(ids) {
		gap := rows[id].isGap()
		if left[gap]--; left[gap] < 0 {
			delete(rows, id)
			cut++
		}
	}
	return cut
}

// gapText is a gap in one sentence, in the form of a cloud's errors.
func gapText(g objects.Gap) string {
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
		text += fmt.Sprintf(" from %s to %s", stamp(g.From), stamp(g.To))
	}
	return text + " missing: " + g.Reason
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// isRow reports whether a record says of itself that it is a row. No other kind of record begins so.
func isRow(value []byte) bool { return len(value) > 0 && value[0] == rowVersion }

// further reports whether a row is newer than another of the same number. Clocks jump, so what counts is what only grows.
func (w *row) further(than *row) bool {
	closed := func(w *row) int {
		if w.Open {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(w.Gap.Count, than.Gap.Count), cmp.Compare(w.Attempts, than.Attempts), closed(w)-closed(than)) > 0
}
