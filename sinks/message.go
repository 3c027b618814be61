package sinks

import (
	"fmt"
	"slices"
	"time"

	"noi-agent/objects"
)

// Envelope is the content of a message: the sample and the other keys.
type Envelope struct {
	PublishedAt   time.Time // time of this attempt; printed in UTC with milliseconds
	DeviceID      string    // 24 lower-case hex digits
	IntegrationID string    // 20 letters and digits
	Source        objects.Source
	Run           uint64 // run of the agent in which the sample was taken
	Sample        objects.Sample
}

// The two spellings of time in a message. Formatting cuts and never rounds, so that no time in a message is in the
// future.
const (
	publishedLayout = "2006-01-02T15:04:05.000Z"
	sampledLayout   = "2006-01-02T15:04:05Z"
)

// UsualBody is room for most bodies, in bytes: the example in docs/messages.md has 279.
const UsualBody = 320

// AppendBody appends the message's JSON: nine keys in a fixed order, no spaces, UTF-8. Consumers compare bodies as
// text, so the order and the spelling of every value are part of the contract. AppendBody cannot fail; bytes that are
// not UTF-8 become U+FFFD.
func AppendBody(dst []byte, e Envelope) []byte {
	dst = append(slices.Grow(dst, UsualBody), `{"published_at":"`...)
	dst = e.PublishedAt.UTC().AppendFormat(dst, publishedLayout)
	dst = append(dst, `","device_id":`...)
	dst = objects.AppendJSONString(dst, e.DeviceID)
	dst = append(dst, `,"data":`...)
	dst = e.Sample.Value.AppendJSON(dst)
	dst = append(dst, `,"integration_id":`...)
	dst = objects.AppendJSONString(dst, e.IntegrationID)
	dst = append(dst, `,"sampled_at":"`...)
	dst = e.Sample.SampledAt.UTC().AppendFormat(dst, sampledLayout)
	dst = append(dst, `","object":`...)
	dst = objects.AppendJSONString(dst, e.Sample.Object)
	dst = append(dst, `,"slave":`...)
	dst = objects.AppendJSONString(dst, e.Source.Slave)
	dst = append(dst, `,"cc_firmware":`...)
	dst = objects.AppendJSONString(dst, e.Source.Firmware)
	dst = append(dst, `,"fw_version":`...)
	dst = objects.AppendJSONString(dst, e.Source.FWVersion)
	return append(dst, '}')
}

// Attribute is one message attribute: a name and a text. Neither is empty.
type Attribute struct{ Name, Value string }

// attributeSeq is the run and the number of the sample among those of its object in that run. A consumer that
// searches for gaps requests it by name.
const attributeSeq = "seq"

// AttributeNames returns the attribute names that `all` stands for, in the order in which they are sent.
func AttributeNames() []string {
	return []string{"object", "slave", "unit", "device_id", "sample_id"}
}

// Attributes returns the attributes called names, in that order. An attribute with an empty value is left out, because
// SNS would refuse the message. A name that is neither in AttributeNames nor seq is left out too; the configuration
// does not allow it.
func Attributes(names []string, e Envelope, sampleID string) []Attribute {
	if len(names) == 0 {
		return nil
	}
	return AppendAttributes(make([]Attribute, 0, len(names)+1), names, e, sampleID) // and one for a mark of the message
}

// AppendAttributes appends what Attributes returns.
func AppendAttributes(dst []Attribute, names []string, e Envelope, sampleID string) []Attribute {
	for _, name := range names {
		if v := attribute(name, e, sampleID); v != "" {
			dst = append(dst, Attribute{Name: name, Value: v})
		}
	}
	return dst
}

func attribute(name string, e Envelope, sampleID string) string {
	switch name {
	case "object":
		return e.Sample.Object
	case "slave":
		return e.Source.Slave
	case "unit":
		return e.Source.Unit()
	case "device_id":
		return e.DeviceID
	case "sample_id":
		return sampleID
	case attributeSeq:
		if e.Sample.Seq == 0 {
			return ""
		}
		return fmt.Sprintf("%d-%d", e.Run, e.Sample.Seq)
	default:
		return ""
	}
}

// Message is one message, ready to be sent.
type Message struct {
	Body       []byte      // see AppendBody
	Attributes []Attribute // as the integration is configured; usually none on SNS
	SampleID   string      // the same in each attempt, another one in a replay; consumers deduplicate by it
	Key        string      // "line/unit/object": messages of one key are sent in order. Empty: no order is needed
	Kind       Kind        // see KindOf; zero: the message is no single sample
}
