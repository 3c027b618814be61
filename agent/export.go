package agent

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"

	"noi-agent/agent/publish"
	"noi-agent/sinks"
	"noi-agent/store"
)

// Formats of an export.
const (
	FormatJSONL = "jsonl" // one line per sample, as sinks.AppendRecord writes it
	FormatCSV   = "csv"   // RFC 4180, except that lines end with \n; the first line is a header
)

// Export writes all samples of a range that are in the outbox, sent or not, in the order of their reading. It returns
// the number of samples, and the number of unreadable records. It needs the same memory for each range, and w may be
// slow. Errors are those of the store, of w and of ctx.
func (a *Agent) Export(ctx context.Context, r store.Range, format string, w io.Writer) (samples, damaged uint64,
	err error) {
	return Export(ctx, a.store.Scan(r), r, format, a.deviceID, w)
}

// Export is Agent.Export for any scan, for example of a store that no agent uses.
func Export(ctx context.Context, scan *store.Scan, r store.Range, format, deviceID string, w io.Writer) (samples,
	damaged uint64, err error) {
	table, err := newTable(format, w)
	if err != nil {
		return 0, 0, err
	}
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return samples, scan.Damaged(), err
		}
		var found []store.Kept
		if found, more, err = scan.Step(); err != nil {
			return samples, scan.Damaged(), fmt.Errorf("read the outbox: %w", err)
		}
		for i := range found {
			for j := range found[i].Sweep.Samples {
				d := found[i].Delivery(j)
				if d.Sample.SampledAt = publish.SampledAt(&d); !r.Has(d.Sample.SampledAt) {
					continue
				}
				samples++
				if err := table.row(sinks.Envelope{DeviceID: deviceID, Source: d.Source, Sample: d.Sample},
					publish.SampleID(deviceID, &d)); err != nil {
					return samples, scan.Damaged(), fmt.Errorf("write the export: %w", err)
				}
			}
		}
	}
	if err := table.flush(); err != nil {
		return samples, scan.Damaged(), fmt.Errorf("write the export: %w", err)
	}
	return samples, scan.Damaged(), nil
}

// table writes samples in one of the formats.
type table struct {
	row   func(e sinks.Envelope, sampleID string) error
	flush func() error
}

func newTable(format string, w io.Writer) (table, error) {
	switch format {
	case FormatJSONL:
		out, line := bufio.NewWriter(w), []byte(nil)
		row := func(e sinks.Envelope, id string) error {
			line = append(sinks.AppendRecord(line[:0], e, id), '\n')
			_, err := out.Write(line)
			return err
		}
		return table{row, out.Flush}, nil
	case FormatCSV:
		out := csv.NewWriter(w)
		row := func(e sinks.Envelope, id string) error { return out.Write(sinks.Record(e, id)) }
		flush := func() error { out.Flush(); return out.Error() }
		return table{row, flush}, out.Write(sinks.RecordColumns())
	default:
		return table{}, fmt.Errorf("no format %q: there are %s and %s", format, FormatJSONL, FormatCSV)
	}
}
