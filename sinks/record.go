package sinks

import (
	"strconv"
	"strings"

	"noi-agent/objects"
)

// AppendRecord appends a sample in the form of an export: the keys of the message in their order, without published_at
// and integration_id, then sample_id, unit and seq.
func AppendRecord(dst []byte, e Envelope, sampleID string) []byte {
	dst = append(dst, `{"device_id":`...)
	dst = objects.AppendJSONString(dst, e.DeviceID)
	dst = append(dst, `,"data":`...)
	dst = e.Sample.Value.AppendJSON(dst)
	dst = append(dst, `,"sampled_at":"`...)
	dst = e.Sample.SampledAt.UTC().AppendFormat(dst, sampledLayout)
	dst = append(dst, '"')
	for _, field := range []struct{ name, value string }{
		{"object", e.Sample.Object}, {"slave", e.Source.Slave}, {"cc_firmware", e.Source.Firmware},
		{"fw_version", e.Source.FWVersion}, {"sample_id", sampleID}, {"unit", e.Source.Unit()},
	} {
		dst = append(dst, `,"`+field.name+`":`...)
		dst = objects.AppendJSONString(dst, field.value)
	}
	dst = append(dst, `,"seq":`...)
	return append(strconv.AppendUint(dst, e.Sample.Seq, 10), '}')
}

// RecordColumns are the columns of Record.
func RecordColumns() []string {
	return []string{"sampled_at", "device_id", "unit", "slave", "cc_firmware", "fw_version", "object", "data",
		"sample_id", "seq"}
}

// Record returns a sample as a row of a table. A number, a state, true and false are spelt as in the message. A bit
// field is its names joined by "|", which is in no built-in name; it is empty if no bit is set.
func Record(e Envelope, sampleID string) []string {
	data := e.Sample.Value.String()
	if e.Sample.Value.Kind() == objects.KindBits {
		data = strings.Join(e.Sample.Value.Names(), "|")
	}
	return []string{
		e.Sample.SampledAt.UTC().Format(sampledLayout), e.DeviceID, e.Source.Unit(), e.Source.Slave, e.Source.Firmware,
		e.Source.FWVersion, e.Sample.Object, data, sampleID, strconv.FormatUint(e.Sample.Seq, 10),
	}
}
