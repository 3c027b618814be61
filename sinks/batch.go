package sinks

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"sync"
	"time"

	"noi-agent/objects"
)

// Batch is the content of a message with the samples of a sweep.
type Batch struct {
	PublishedAt   time.Time
	DeviceID      string
	IntegrationID string
	Store         string // id of the store that numbered the samples
	Run           uint64
	Source        objects.Source
	Samples       []objects.Sample // at least one, by ascending N
}

// batchVersion is the first item of a batch. Each layout has its own number.
const batchVersion = 1

// AppendBatch appends a batch's JSON (docs/messages.md, docs/batch.schema.json): one array without spaces, first an
// object with the keys that the samples share, then an array for each sample: object, value, seconds after sampled_at,
// and the step from the number of the sample before. At the end of the array a step of 1 is left out, and then seconds
// of 0 too. Each sample's own message, byte by byte, and its id can be rebuilt.
func AppendBatch(dst []byte, b Batch) []byte {
	first := &b.Samples[0]
	dst = append(dst, `[{"batch":`...)
	dst = strconv.AppendInt(dst, batchVersion, 10)
	dst = append(dst, `,"published_at":"`...)
	dst = b.PublishedAt.UTC().AppendFormat(dst, publishedLayout)
	dst = append(dst, `","device_id":`...)
	dst = objects.AppendJSONString(dst, b.DeviceID)
	dst = append(dst, `,"integration_id":`...)
	dst = objects.AppendJSONString(dst, b.IntegrationID)
	dst = append(dst, `,"sampled_at":"`...)
	dst = first.SampledAt.UTC().AppendFormat(dst, sampledLayout)
	dst = append(dst, `","slave":`...)
	dst = objects.AppendJSONString(dst, b.Source.Slave)
	dst = append(dst, `,"cc_firmware":`...)
	dst = objects.AppendJSONString(dst, b.Source.Firmware)
	dst = append(dst, `,"fw_version":`...)
	dst = objects.AppendJSONString(dst, b.Source.FWVersion)
	dst = fmt.Appendf(dst, `,"first_sample":"%s-%d-%d"}`, b.Store, b.Run, first.N)
	n := first.N - 1
	for i := range b.Samples {
		s := &b.Samples[i]
		dst = appendRow(dst, s, s.SampledAt.Unix()-first.SampledAt.Unix(), s.N-n)
		n = s.N
	}
	return append(dst, ']')
}

func appendRow(dst []byte, s *objects.Sample, later int64, step uint64) []byte {
	dst = append(dst, ",["...)
	dst = objects.AppendJSONString(dst, s.Object)
	dst = append(dst, ',')
	dst = s.Value.AppendJSON(dst)
	if later != 0 || step != 1 {
		dst = append(dst, ',')
		dst = strconv.AppendInt(dst, later, 10)
	}
	if step != 1 {
		dst = append(dst, ',')
		dst = strconv.AppendUint(dst, step, 10)
	}
	return append(dst, ']')
}

// ID returns the deduplication id of a batch on FIFO topics: the id of its first sample, and a digest of the other
// samples in it. The digest is needed because a batch may have other samples in the next attempt.
func (b *Batch) ID() string {
	digest := fnv.New64a()
	for i := range b.Samples {
		fmt.Fprintf(digest, "%d ", b.Samples[i].N) // writing to a hash never fails
	}
	return fmt.Sprintf("%s-%016x", objects.SampleID(b.DeviceID, b.Store, b.Run, b.Samples[0].N), digest.Sum64())
}

// Attributes returns the attributes of a batch: first envelope=batch, then those of names that are the same for all
// samples. Without any of these names the batch has no attribute: the body shows the format too.
func (b *Batch) Attributes(names []string) []Attribute {
	names = slices.DeleteFunc(slices.Clone(names),
		func(name string) bool { return name == "object" || name == "sample_id" })
	if len(names) == 0 {
		return nil
	}
	e := Envelope{DeviceID: b.DeviceID, Source: b.Source}
	return append([]Attribute{{Name: "envelope", Value: "batch"}}, Attributes(names, e, "")...)
}

// Packer packs bodies. It keeps its gzip writers, of 0.8 MB each, until the garbage collector frees them: an
// integration that packs a batch each minute has none most of the time. The zero Packer is ready to use. Several
// goroutines may use it.
type Packer struct {
	writers sync.Pool // of *gzip.Writer
}

// Pack returns a body in gzip and base64url without padding (RFC 4648 §5). Form encoding, which SNS needs, does not
// change this variant of base64. The result begins with H4sI, unlike any JSON.
func (p *Packer) Pack(body []byte) []byte {
	var packed bytes.Buffer
	w, ok := p.writers.Get().(*gzip.Writer)
	if !ok {
		w, _ = gzip.NewWriterLevel(nil, gzip.BestCompression) // the level is valid
	}
	w.Reset(&packed)
	_, _ = w.Write(body) // writing to a buffer never fails
	_ = w.Close()
	p.writers.Put(w)
	out := make([]byte, base64.RawURLEncoding.EncodedLen(packed.Len()))
	base64.RawURLEncoding.Encode(out, packed.Bytes())
	return out
}

// Pack packs one body, as a Packer does.
func Pack(body []byte) []byte { return new(Packer).Pack(body) }
