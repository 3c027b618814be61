package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/sinks"
	"noi-agent/store"
)

// sweepsOf returns deliveries of sweeps of these sizes, with consecutive numbers.
func sweepsOf(sizes ...int) (out []store.Delivery) {
	n := uint64(0)
	for seq, size := range sizes {
		for i := range size {
			n++
			out = append(out, store.Delivery{
				Seq: uint64(seq + 1), Index: i, Store: "00c0ffee", Run: 1, Source: objects.Source{Line: "a", UnitID: 1},
				Sample: objects.Sample{Object: fmt.Sprintf("adc_%d", i), Value: objects.Number(1), N: n, SampledAt: time.Unix(1656404429, 0)},
			})
		}
	}
	return out
}

func outgoingOf(d []store.Delivery) []outgoing {
	out := make([]outgoing, len(d))
	for i := range d {
		out[i] = outgoing{Delivery: &d[i]}
	}
	return out
}

// rows returns the objects of a batch's message, separated by commas.
func rows(t *testing.T, body []byte) string {
	t.Helper()
	var parts []any
	if err := json.Unmarshal(body, &parts); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	var names []string
	for _, row := range parts[1:] {
		names = append(names, row.([]any)[0].(string))
	}
	return strings.Join(names, ",")
}

// narrow is a sink with this window.
type narrow int

func (n narrow) Publish(context.Context, []sinks.Message) []sinks.Result { return nil }
func (n narrow) Window() int                                             { return int(n) }
func (n narrow) Close() error                                            { return nil }

// filled returns messages with their own memory.
func filled(f *Forwarder, published time.Time, batch []outgoing) (out parcels) {
	f.fill(&out, published, batch)
	return out
}

func TestEachSweepIsAMessageAndEstimatedSamplesAreApart(t *testing.T) {
	f := &Forwarder{cfg: &configs.Integration{Envelope: configs.EnvelopeBatch, Attributes: configs.Attributes{"unit"}}, deviceID: "d"}
	batch := outgoingOf(sweepsOf(3, 2))
	batch[2].estimated = true
	parcels := filled(f, time.Unix(0, 0), batch)
	var got []string
	for i, m := range parcels.messages {
		got = append(got, fmt.Sprintf("%s %d %s %v", rows(t, m.Body), parcels.counts[i], m.Key, m.Attributes))
	}
	want := []string{
		"adc_0,adc_1 2 a/1 [{envelope batch} {unit a/1}]", "adc_2 1 a/1 [{envelope batch} {unit a/1} {clock estimated}]",
		"adc_0,adc_1 2 a/1 [{envelope batch} {unit a/1}]",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
	f.cfg.Envelope = configs.EnvelopeSingle
	if n := len(filled(f, time.Unix(0, 0), batch).messages); n != 5 {
		t.Errorf("%d messages of 5 samples", n)
	}
}

// Dead letters come in the order of their rows. Faults and alarms may come before the other samples of their sweep.
// Two sweeps with the same number may come from two stores.
func TestBatchIsOfOneSweepAndByAscendingNumbers(t *testing.T) {
	f := &Forwarder{cfg: &configs.Integration{Envelope: configs.EnvelopeBatch}, deviceID: "d"}
	batch := outgoingOf(sweepsOf(4))
	batch = append(batch[3:], batch[:3]...)
	batch[2].Store, batch[3].Run = "deadbeef", 2
	var got []string
	for _, m := range filled(f, time.Unix(0, 0), batch).messages {
		_, first, _ := strings.Cut(string(m.Body), `"first_sample":`)
		got = append(got, first)
	}
	want := []string{`"00c0ffee-1-4"},["adc_3",1]]`, `"00c0ffee-1-1"},["adc_0",1]]`, `"deadbeef-1-2"},["adc_1",1]]`, `"00c0ffee-2-3"},["adc_2",1]]`}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

func TestBatchThatIsTooLargeIsSplit(t *testing.T) {
	f := &Forwarder{cfg: &configs.Integration{Envelope: configs.EnvelopeBatch}, deviceID: "d"}
	items := outgoingOf(sweepsOf(40))
	items[7].Sample.Value = objects.Text(strings.Repeat("x", 5000)) // alone longer than a message may be
	var out parcels
	f.pack(&out, time.Unix(0, 0), items, 500)
	at := 0
	for i, m := range out.messages {
		n := out.counts[i]
		if len(m.Body) > 500 && n > 1 {
			t.Errorf("%d samples in %d bytes", n, len(m.Body))
		}
		if got := strings.Count(rows(t, m.Body), ",") + 1; got != n {
			t.Errorf("%d samples in a message that settles %d", got, n)
		}
		for _, it := range items[at : at+n] {
			if first := fmt.Sprintf("%q", it.Sample.Object); !strings.Contains(string(m.Body), first) {
				t.Errorf("sample %d is not in its message", it.Index)
			}
		}
		at += n
	}
	if at != 40 || len(out.messages) < 3 {
		t.Errorf("%d samples in %d messages", at, len(out.messages))
	}
}

// The messages of a request share memory. Appending to one message does not change another.
func TestMessagesOfARequestAreApart(t *testing.T) {
	f := &Forwarder{cfg: &configs.Integration{Attributes: configs.Attributes{"object", "sample_id"}}, deviceID: "d"}
	batch := outgoingOf(sweepsOf(60))
	batch[7].Sample.Value = objects.Text(strings.Repeat("x", 5000)) // longer than the room for it
	batch[3].estimated, batch[8].estimated = true, true
	together := filled(f, time.Unix(0, 0), batch)
	for i := range together.messages {
		m := &together.messages[i]
		_ = append(m.Body, "end"...)
		_ = append(m.Attributes, sinks.Attribute{Name: "replayed", Value: "true"})
	}
	for i := range batch {
		alone := filled(f, time.Unix(0, 0), batch[i:i+1])
		if diff := cmp.Diff(alone.messages[0], together.messages[i]); diff != "" || together.counts[i] != 1 {
			t.Errorf("message %d: %s", i, diff)
		}
		if want := objects.SampleID("d", batch[i].Store, batch[i].Run, batch[i].Sample.N); together.messages[i].SampleID != want {
			t.Errorf("message %d has the id %s, want %s", i, together.messages[i].SampleID, want)
		}
	}
}

// The messages of a request use the memory of those before. Only their ids are allocated.
func TestMessagesUseTheMemoryOfThoseBefore(t *testing.T) {
	f := &Forwarder{cfg: &configs.Integration{Attributes: configs.Attributes{"object", "sample_id"}}, deviceID: "d"}
	var out parcels
	batch := outgoingOf(sweepsOf(52))
	if n := testing.AllocsPerRun(10, func() { f.fill(&out, time.Unix(0, 0), batch) }); n > 1 {
		t.Errorf("%.0f allocations for the messages of 52 samples", n)
	}
	f.fill(&out, time.Unix(0, 0), batch[1:2])
	if len(out.messages) != 1 || out.messages[0].SampleID != "d-00c0ffee-1-2" {
		t.Errorf("%d messages, the first is %s", len(out.messages), out.messages[0].Body)
	}
}

func TestSweepsAreNotCutByWindowsAndRates(t *testing.T) {
	for _, c := range []struct {
		name   string
		sweeps []int
		window int
		rate   int
		want   int
	}{
		{"all fit", []int{48, 48, 3}, 1000, 0, 99},
		{"the look ended within the last", []int{500, 400, 100}, 1000, 0, 900},
		{"one alone", []int{1000}, 1000, 0, 1000},
		{"a sink of two messages", []int{48, 3, 48}, 2, 0, 51},
		{"a rate of whole sweeps", []int{4, 4, 4}, 1000, 1, 8},
		{"a rate below a sweep", []int{48, 48}, 1000, 1, 48},
	} {
		f := &Forwarder{cfg: &configs.Integration{Envelope: configs.EnvelopeBatch}, sink: narrow(c.window)}
		f.cfg.CatchUp.Rate = c.rate
		if f.window() != BatchWindow {
			t.Fatalf("a window of %d", f.window())
		}
		if got := len(f.whole(sweepsOf(c.sweeps...))); got != c.want {
			t.Errorf("%s: %d samples are sent, want %d", c.name, got, c.want)
		}
		f.cfg.Envelope = configs.EnvelopeSingle
		if got := f.whole(sweepsOf(c.sweeps...)); len(got) != len(sweepsOf(c.sweeps...)) {
			t.Errorf("%s: single messages are left out", c.name)
		}
	}
}
