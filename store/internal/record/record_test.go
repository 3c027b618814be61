package record

import (
	"fmt"
	"noi-agent/objects"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sweepOf is a sweep of one slave, full of half precision numbers as the slave sends them.
func sweepOf(n0 uint64, count int, routes ...string) objects.Sweep {
	at := time.Date(2022, 6, 28, 8, 20, 29, 0, time.UTC)
	sw := objects.Sweep{Source: objects.Source{Line: "rs485", UnitID: 1, Slave: "PS-PWM-30M"}, Run: 7}
	var all []int
	for i := range count {
		at = at.Add(time.Duration(i%5/4) * 83 * time.Millisecond) // five to a read
		sw.Samples = append(sw.Samples, objects.Sample{
			Object: fmt.Sprintf("object_%02d", i), N: n0 + uint64(i), SampledAt: at,
			Value: objects.Number(12.1171875 + float64(n0)/1024 + float64(i)/128),
		})
		all = append(all, i)
	}
	for _, id := range routes {
		sw.Routes = append(sw.Routes, objects.Route{Integration: id, Picked: all})
	}
	return sw
}

func TestSweepTakesFewBytes(t *testing.T) {
	d := newDictionary()
	const count = 48
	key := SeqKey(1 << 20)
	value := d.EncodeSweep(key, sweepOf(20_000_000, count, "FFjU28MMaL3W9B9hhhhH", "8a1FJGQMsxw3kbjnmQeh"))
	mean := float64(Size(key, value)) / count
	t.Logf("%.1f bytes a sample", mean)
	if mean > 12 {
		t.Errorf("%.1f bytes a sample, want at most 12", mean)
	}
}

func TestRowTakesFewBytes(t *testing.T) {
	d := newDictionary()
	at := time.Date(2022, 6, 28, 8, 20, 29, 502e6, time.UTC)
	sw := sweepOf(20_000_000, 1)
	w := &Row{Place: Place{1 << 20, 3}, Trigger: Trigger{
		Topic: "arn:aws:sns:us-east-2:393221637266:MainSolarData", Success: true, Attempts: 1, PublishedAt: at,
		CompletedAt: at.Add(120 * time.Millisecond), MessageID: "5b1f7b0e-8c5e-5b6c-9f5d-2f1f9c1c7d11",
		Run: 7, Source: sw.Source, Sample: sw.Samples[0],
	}}
	if n := len(d.EncodeRow(SeqKey(1), w)); n > 64 {
		t.Errorf("a row takes %d bytes, want a few dozen", n)
	}
}

func TestMessageIDsComeBackExactly(t *testing.T) {
	for id, form := range map[string]byte{
		"": messageNone, "5b1f7b0e-8c5e-5b6c-9f5d-2f1f9c1c7d11": messageUUID, "00000000-0000-0000-0000-000000000000": messageUUID,
		"5B1F7B0E-8C5E-5B6C-9F5D-2F1F9C1C7D11": messageText, "5b1f7b0e-8c5e-5b6c-9f5d-2f1f9c1c7d1g": messageText,
		"5b1f7b0e08c5e05b6c09f5d02f1f9c1c7d11": messageText, "5b1f7b0e-8c5e-5b6c-9f5d-2f1f9c1c7d1": messageText,
		"0": messageNumber, "4985640066378276": messageNumber, "18446744073709551615": messageNumber,
		"18446744073709551616": messageText, "007": messageText, "-1": messageText, "+1": messageText, "1e3": messageText,
		"1_000": messageText, " 1": messageText, "id": messageText,
	} {
		b := appendMessageID([]byte("x"), id)
		r := &Reader{B: b[1:]}
		if got := readMessageID(r); got != id || !r.Done() || b[1] != form {
			t.Errorf("%q has form %d and comes back as %q, want form %d", id, b[1], got, form)
		}
	}
}

// Rows that are appended to one buffer equal rows that are encoded alone, and many of them cost one allocation.
func TestRowsAreAppended(t *testing.T) {
	d, alone := newDictionary(), newDictionary()
	rows := make([]*Row, 12)
	for i := range rows {
		rows[i] = &Row{Place: Place{Seq: 7, Index: i}, Trigger: Trigger{
			ID: uint64(i + 1), Attempts: 1, MessageID: "5b1f7b0e-8c5e-5b6c-9f5d-2f1f9c1c7d11", Run: 7,
			Sample: objects.Sample{Object: "adc_ia", Value: objects.Number(float64(i))},
		}}
	}
	b := make([]byte, 0, 300) // too small: it must grow
	for _, w := range rows {
		from := len(b)
		b = d.AppendRow(b, SeqKey(w.ID), w)
		if diff := cmp.Diff(alone.EncodeRow(SeqKey(w.ID), w), b[from:]); diff != "" {
			t.Errorf("row %d: %s", w.ID, diff)
		}
	}
	key := SeqKey(1)
	if n := testing.AllocsPerRun(100, func() { b = d.AppendRow(b[:0], key, rows[0]) }); n > 0 {
		t.Errorf("%.0f allocations for a row in a buffer", n)
	}
}

func newDictionary() *Dictionary {
	return &Dictionary{texts: map[string]uint64{}, sources: map[objects.Source]uint64{}}
}

var compareSweeps = cmp.Options{
	cmp.Comparer(func(a, b objects.Value) bool {
		return a.Kind() == b.Kind() && a.Float() == b.Float() && a.String() == b.String() &&
			len(a.Names()) == len(b.Names())
	}),
}

func TestValuesComeBackExactly(t *testing.T) {
	long := string(make([]byte, 200))
	sw := sweepOf(1, 14, "aws", "gcp")
	sw.Routes[1].Picked = []int{0, 7, 8, 11}
	sw.Samples[13].Alarm = true
	for i, v := range []objects.Value{
		objects.Number(0), objects.Number(-1), objects.Number(1 << 52), objects.Number(1e300), objects.Number(0.1),
		objects.Number(-12.1171875), objects.Number(1 << 60), objects.Text(""), objects.Text(long),
		objects.Text("FLOAT"),
		objects.Bits(nil), objects.Bits([]string{"hvd", "overcurrent"}), objects.Bool(true), objects.Bool(false),
	} {
		sw.Samples[i].Value = v
	}
	sw.Samples[4].N = 3 // numbers and times need not ascend
	sw.Samples[5].SampledAt = time.Unix(-5, 0).UTC()
	d := newDictionary()
	value := d.EncodeSweep(SeqKey(9), sw)
	d.Keep()
	got, ok := DecodeSweep(d.Published(), SeqKey(9), value)
	if diff := cmp.Diff(sw, got, compareSweeps); !ok || diff != "" {
		t.Errorf("%v (-want +got):\n%s", ok, diff)
	}
	if _, ok := DecodeSweep(d.Published(), SeqKey(8), value); ok {
		t.Error("a record under another key was accepted")
	}
}

func TestFullDictionaryWritesTextsInline(t *testing.T) {
	d := newDictionary()
	for i := range maxNames {
		d.text(fmt.Sprint(i))
	}
	sw := sweepOf(1, 1, "17")
	sw.Samples[0].Value = objects.Text("one too many")
	value := d.EncodeSweep(SeqKey(1), sw)
	d.Keep()
	got, ok := DecodeSweep(d.Published(), SeqKey(1), value)
	if !ok || got.Samples[0].Value.String() != "one too many" {
		t.Errorf("got %+v", got)
	}
	if _, known := d.texts["one too many"]; known {
		t.Error("it became a name")
	}
}

// FuzzRecord looks for a value that makes decoding panic, or that decodes to a sweep which is not equal after it is
// encoded and decoded again.
func FuzzRecord(f *testing.F) {
	d := newDictionary()
	key := SeqKey(1)
	for _, sw := range []objects.Sweep{sweepOf(1, 1, "aws"), sweepOf(1000, 48, "aws", "gcp")} {
		value := d.EncodeSweep(key, sw)
		f.Add(value[:len(value)-sumLen])
	}
	f.Add([]byte{})
	f.Add([]byte{recordVersion, 0, 1, 1, 2, 0, 1, 1, formBits | tagNextN | tagSameT, 2, 1, 1})
	f.Add([]byte{recordVersion, 0, 1, 1, 2, 0, 1, 1, formTextInline | tagNextN | tagSameT, 2, 1, 1})
	d.Keep()
	f.Fuzz(func(t *testing.T, input []byte) {
		_, _ = Peek(d.Published(), key, input)
		_, _ = DecodeRow(d.Published(), "aws", key, Seal(key, append([]byte(nil), input...)))
		_, _ = DecodeCursor(key, Seal(key, append([]byte(nil), input...)))
		_, _ = DecodeName(key, Seal(key, append([]byte(nil), input...)))
		sw, ok := DecodeSweep(d.Published(), key, Seal(key, append([]byte(nil), input...)))
		if _, reads := Inspect(d.Published(), key, Seal(key, append([]byte(nil), input...))); reads != ok {
			t.Errorf("inspect says %v, decodeSweep %v", reads, ok)
		}
		if !ok {
			return
		}
		// A text that was stored inline may become a name now. The name counts when its transaction is committed.
		value := d.EncodeSweep(key, sw)
		names := append([]Name(nil), d.entries...)
		d.Undo()
		again, ok := DecodeSweep(names, key, value)
		if diff := cmp.Diff(sw, again, compareSweeps); !ok || diff != "" {
			t.Errorf("%v (-first +second):\n%s", ok, diff)
		}
	})
}

// A controller whose firmware register changes with each sweep makes a new source for each sweep. After a restart all
// sources are readable, however many there are.
func TestSourcesReadHoweverManyThereAre(t *testing.T) {
	const n = 2*maxNames + 100
	d := newDictionary()
	source := func(i int) objects.Source {
		return objects.Source{Line: "rs485", UnitID: 1, Slave: "OWN", Firmware: fmt.Sprint(i), FWVersion: "OWN 1"}
	}
	for i := range n {
		d.source(source(i))
	}
	var keys, values [][]byte
	if err := d.Put(func(key, value []byte) error {
		keys, values = append(keys, key), append(values, value)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	read := &Dictionary{}
	damaged := read.Load(func(yield func(k, v []byte) bool) {
		for i := range keys {
			if !yield(keys[i], values[i]) {
				return
			}
		}
	}, n)
	if damaged != 0 || len(read.entries) != n || read.entries[n-1].source != source(n-1) {
		t.Errorf("%d of %d entries, %d damaged", len(read.entries), n, damaged)
	}
}
