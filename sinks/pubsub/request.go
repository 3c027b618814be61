package pubsub

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"noi-agent/sinks"
)

// request is a PublishRequest in its form on the wire. The library encodes the map of attributes by reflection, which
// costs 60 allocations for each message, and keeps 0.25 MB of descriptions for this.
type request []byte

// The numbers of the fields (google/pubsub/v1/pubsub.proto).
const (
	fieldTopic    = 1 // of PublishRequest
	fieldMessages = 2

	fieldData       = 1 // of PubsubMessage
	fieldAttributes = 2
	fieldOrdering   = 5

	fieldName  = 1 // of an entry of the attributes
	fieldValue = 2
)

// size returns the number of bytes of a message on the wire, without its length.
func (s *Sink) size(m sinks.Message) int {
	n := textSize(len(m.Body)) + textSize(len(s.key(m)))
	for _, a := range m.Attributes {
		n += textSize(attributeSize(a))
	}
	return n
}

// textSize returns the size of a field with so many bytes: tag, length, bytes. An empty field is left out.
func textSize(n int) int {
	if n == 0 {
		return 0
	}
	return 1 + protowire.SizeBytes(n)
}

func attributeSize(a sinks.Attribute) int {
	return textSize(len(a.Name)) + textSize(len(valid(a.Value)))
}

// appendMessage appends a message to a request.
func (s *Sink) appendMessage(b request, m sinks.Message) request {
	b = appendLength(b, fieldMessages, s.size(m))
	b = appendText(b, fieldData, m.Body)
	for _, a := range m.Attributes {
		b = appendLength(b, fieldAttributes, attributeSize(a))
		b = appendText(b, fieldName, a.Name)
		b = appendText(b, fieldValue, valid(a.Value))
	}
	return appendText(b, fieldOrdering, s.key(m))
}

// appendLength begins a field of n bytes, which the caller appends next.
func appendLength(b request, field protowire.Number, n int) request {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(n))
}

// appendText appends a field. An empty one is left out.
func appendText[T string | []byte](b request, field protowire.Number, text T) request {
	if len(text) == 0 {
		return b
	}
	return append(appendLength(b, field, len(text)), text...)
}

const codecName = proto.Name

// codec sends requests that are already encoded. For everything else it is gRPC's own codec.
type codec struct{ encoding.CodecV2 }

// Marshal is part of encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if body, ok := v.(request); ok {
		return mem.BufferSlice{mem.SliceBuffer(body)}, nil
	}
	return c.CodecV2.Marshal(v)
}
