package sinks_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"noi-agent/objects"
	"noi-agent/sinks"
)

// sweepOf is a batch of n samples like those of a ProStar.
func sweepOf(n int) sinks.Batch {
	e := envelope()
	b := sinks.Batch{
		PublishedAt: e.PublishedAt, DeviceID: e.DeviceID, IntegrationID: e.IntegrationID, Store: "00c0ffee", Run: 3, Source: e.Source,
	}
	states, faults := []string{"START", "NIGHT_CHECK", "BULK"}, []string{"overcurrent", "fets_shorted"}
	for i := range n {
		s := objects.Sample{Object: fmt.Sprintf("adc_vbterm_%d", i), Value: objects.Number(12 + float64(i)/256), N: uint64(17 + i), SampledAt: e.Sample.SampledAt}
		switch i % 6 {
		case 4:
			s.Object, s.Value = fmt.Sprintf("charge_state_%d", i), objects.Text(states[i%3])
		case 5:
			s.Object, s.Value = fmt.Sprintf("array_fault_%d", i), objects.Bits(faults[:i%3])
		}
		b.Samples = append(b.Samples, s)
	}
	return b
}

// singles returns the messages and ids that the samples of a batch would have alone.
func singles(b *sinks.Batch) (bodies, ids []string) {
	for _, s := range b.Samples {
		bodies = append(bodies, string(sinks.AppendBody(nil, sinks.Envelope{
			PublishedAt: b.PublishedAt, DeviceID: b.DeviceID, IntegrationID: b.IntegrationID, Source: b.Source, Sample: s,
		})))
		ids = append(ids, objects.SampleID(b.DeviceID, b.Store, b.Run, s.N))
	}
	return bodies, ids
}

func TestBatchIsTheContractsExample(t *testing.T) {
	b := sweepOf(3)
	b.Samples[0].Object = "adc_vbterm"
	b.Samples[1] = objects.Sample{Object: "charge_state", Value: objects.Text("FLOAT"), N: 18, SampledAt: b.Samples[0].SampledAt.Add(1999 * time.Millisecond)}
	b.Samples[2] = objects.Sample{Object: "array_fault", Value: objects.Bits(nil), N: 21, SampledAt: b.Samples[0].SampledAt}
	const want = `[{"batch":1,"published_at":"2022-06-28T08:20:29.502Z","device_id":"5300520006504b5957343920","integration_id":"FFjU28MMaL3W9B9hhhhH",` +
		`"sampled_at":"2022-06-28T08:20:29Z","slave":"PS-PWM-30M","cc_firmware":"v01.04.06","fw_version":"PSPWM 1.0.10","first_sample":"00c0ffee-3-17"},` +
		`["adc_vbterm",12],["charge_state","FLOAT",1],["array_fault",[],0,3]]`
	if got := string(sinks.AppendBatch([]byte("> "), b)); got != "> "+want {
		t.Errorf("\n got %s\nwant > %s", got, want)
	}
}

// randomBatch has times that go back and forth, missing numbers, and texts with escapes.
func randomBatch(r *rand.Rand) sinks.Batch {
	b := sweepOf(1 + r.IntN(60))
	odd := []string{"T_ind[U]", `quote " \`, "Übergang°", "a\tb", "\u2028"}
	b.Source.Slave = odd[r.IntN(len(odd))]
	n := r.Uint64N(1 << 40)
	for i := range b.Samples {
		s := &b.Samples[i]
		n += 1 + r.Uint64N(2)*r.Uint64N(1000)
		s.N, s.SampledAt = n, s.SampledAt.Add(time.Duration(r.Int64N(int64(20*time.Second)))-10*time.Second)
		switch r.IntN(4) {
		case 0:
			s.Object = odd[r.IntN(len(odd))]
		case 1:
			s.Value = objects.Number((r.Float64() - 0.5) * float64(uint64(1)<<r.IntN(33)))
		case 2:
			s.Value = objects.Text(odd[r.IntN(len(odd))])
		}
	}
	return b
}

// TestBatchHoldsWhatItsSamplesWouldSayAlone splits batches as docs/messages.md describes, and compares the parts with
// single messages.
func TestBatchHoldsWhatItsSamplesWouldSayAlone(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		b := randomBatch(r)
		var parts []json.RawMessage
		if err := json.Unmarshal(sinks.AppendBatch(nil, b), &parts); err != nil {
			t.Fatal(err)
		}
		var head struct {
			SampledAt   time.Time `json:"sampled_at"`
			FirstSample string    `json:"first_sample"`
		}
		if err := json.Unmarshal(parts[0], &head); err != nil {
			t.Fatal(err)
		}
		var run, n uint64
		if _, err := fmt.Sscanf(head.FirstSample, "00c0ffee-%d-%d", &run, &n); err != nil {
			t.Fatal(err)
		}
		n--
		bodies, ids := singles(&b)
		for i, part := range parts[1:] {
			row := []json.RawMessage{nil, nil, []byte("0"), []byte("1")}
			var given []json.RawMessage
			if err := json.Unmarshal(part, &given); err != nil || len(given) > 4 {
				t.Fatalf("%s: %v", part, err)
			}
			copy(row, given)
			var later int64
			var step uint64
			if _, err := fmt.Sscan(string(row[2])+" "+string(row[3]), &later, &step); err != nil {
				t.Fatal(err)
			}
			n += step
			at := head.SampledAt.Add(time.Duration(later) * time.Second).Format("2006-01-02T15:04:05Z")
			for _, piece := range []string{`"object":` + string(row[0]), `"data":` + string(row[1]) + ",", `"sampled_at":"` + at} {
				if !strings.Contains(bodies[i], piece) {
					t.Fatalf("sample %d: no %s in %s", i, piece, bodies[i])
				}
			}
			if id := objects.SampleID(b.DeviceID, "00c0ffee", run, n); id != ids[i] {
				t.Fatalf("sample %d is %s, not %s", i, id, ids[i])
			}
		}
		if len(parts)-1 != len(b.Samples) {
			t.Fatalf("%d rows for %d samples", len(parts)-1, len(b.Samples))
		}
	}
}

// On a FIFO topic, two batches that begin with the same sample and have different other samples must have different
// ids. A repeated batch must have the same id.
func TestBatchIDGoesByAllSamples(t *testing.T) {
	ids := map[string]bool{}
	for _, ns := range [][]uint64{{17}, {17, 18}, {17, 18, 19}, {17, 19}, {17, 20}, {18}, {1, 2, 34}, {1, 234}} {
		b := sweepOf(len(ns))
		for i, n := range ns {
			b.Samples[i].N = n
		}
		again := b
		again.PublishedAt = again.PublishedAt.Add(time.Hour)
		if ids[b.ID()] || b.ID() != again.ID() || len(b.ID()) > 128 {
			t.Errorf("%v has the id %s", ns, b.ID())
		}
		ids[b.ID()] = true
	}
	b := sweepOf(2)
	if id := b.ID(); !strings.HasPrefix(id, "5300520006504b5957343920-00c0ffee-3-17-") {
		t.Error(id)
	}
}

func TestAttributesOfABatch(t *testing.T) {
	b := sweepOf(2)
	for _, c := range []struct {
		names []string
		want  string
	}{
		{sinks.AttributeNames(), "[{envelope batch} {slave PS-PWM-30M} {unit rs485/1} {device_id 5300520006504b5957343920}]"},
		{[]string{"unit"}, "[{envelope batch} {unit rs485/1}]"},
		{nil, "[]"},
		{[]string{"object", "sample_id"}, "[]"},
	} {
		before := fmt.Sprint(c.names)
		if got := fmt.Sprint(b.Attributes(c.names)); got != c.want || fmt.Sprint(c.names) != before {
			t.Errorf("%v gives %s, want %s", before, got, c.want)
		}
	}
}

func TestPackedBatchIsGzipThatFormEncodingLeavesAlone(t *testing.T) {
	for _, n := range []int{1, 2, 3, 48} {
		body := sinks.AppendBatch(nil, sweepOf(n))
		packed := sinks.Pack(body)
		if !bytes.HasPrefix(packed, []byte("H4sI")) || bytes.ContainsAny(packed, "+/=") {
			t.Errorf("packed %s", packed)
		}
		raw, err := base64.RawURLEncoding.DecodeString(string(packed))
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(z)
		if d := cmp.Diff(string(body), string(got)); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
	}
}

// A packer packs each body as if it were the first, and needs no new writer of 0.8 MB each time.
func TestPackerIsUsedAgain(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a garbage collection would empty the pool
	var p sinks.Packer
	var bodies, wants [][]byte
	for n := range 20 {
		bodies = append(bodies, bytes.Repeat([]byte(`["adc_ia",1.5],`), 10+7*n))
		wants = append(wants, sinks.Pack(bodies[n]))
	}
	used := func(pack func([]byte) []byte) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for n, body := range bodies {
			if got := pack(body); !bytes.Equal(got, wants[n]) {
				t.Fatalf("%d bytes are packed as %s, want %s", len(body), got, wants[n])
			}
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	kept, fresh := used(p.Pack), used(sinks.Pack)
	if t.Logf("%d kB with a writer that is kept, %d kB with fresh ones", kept>>10, fresh>>10); kept > fresh*4/5 {
		t.Errorf("%d bytes, with fresh writers %d", kept, fresh)
	}
}
