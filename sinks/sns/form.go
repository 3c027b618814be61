package sns

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"noi-agent/sinks"
)

// lean makes the client use formWriter and answerReader for a PublishBatch. The SDK does everything else: endpoint,
// signature, errors.
func lean(o *sns.Options) {
	o.APIOptions = append(slices.Clip(o.APIOptions), func(stack *middleware.Stack) error {
		if _, err := stack.Serialize.Swap(formWriter{}.ID(), formWriter{}); err != nil {
			return fmt.Errorf("put another writer into the SDK's client: %w", err)
		}
		sdk, ok := stack.Deserialize.Get(answerReader{}.ID())
		if !ok {
			return nil // the SDK reads its answers in another way
		}
		if _, err := stack.Deserialize.Swap(answerReader{}.ID(), answerReader{sdk}); err != nil {
			return fmt.Errorf("put another reader into the SDK's client: %w", err)
		}
		return nil
	})
}

// formWriter writes the form of a PublishBatch into one buffer. The SDK's own writer collects its fields in a map,
// which costs 17 allocations for each message and three copies of all bodies.
type formWriter struct{}

// ID is part of middleware.SerializeMiddleware. It is the SDK's.
func (formWriter) ID() string { return "OperationSerializer" }

// HandleSerialize is part of middleware.SerializeMiddleware.
func (formWriter) HandleSerialize(ctx context.Context, in middleware.SerializeInput,
	next middleware.SerializeHandler) (out middleware.SerializeOutput, metadata middleware.Metadata, err error) {
	request, isHTTP := in.Request.(*smithyhttp.Request)
	input, isBatch := in.Parameters.(*sns.PublishBatchInput)
	if !isHTTP || !isBatch {
		return out, metadata, &smithy.SerializationError{Err: fmt.Errorf("unknown types %T, %T", in.Request,
			in.Parameters)}
	}
	request.Method = http.MethodPost
	if request.URL.Path == "" {
		request.URL.Path = "/" // the path of the endpoint comes before it
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if in.Request, err = request.SetStream(bytes.NewReader(form(input))); err != nil {
		return out, metadata, &smithy.SerializationError{Err: err}
	}
	return next.HandleSerialize(ctx, in)
}

// formHead is the begin of each form. The names are those of the SNS API reference, PublishBatch.
const formHead = "Action=PublishBatch&Version=2010-03-31&TopicArn="

// room returns how many bytes of a form a message of so many bytes needs: a half more for escaped characters of JSON,
// and the names of the fields.
func room(message int) int { return message*3/2 + 112 }

// form returns the body of a request of the SDK's client.
func form(in *sns.PublishBatchInput) []byte {
	n := room(len(*in.TopicArn))
	for i := range in.PublishBatchRequestEntries {
		n += room(len(*in.PublishBatchRequestEntries[i].Message))
	}
	b := appendEscaped(append(make([]byte, 0, n), formHead...), *in.TopicArn)
	for i := range in.PublishBatchRequestEntries {
		e := &in.PublishBatchRequestEntries[i]
		b = appendField(b, i, "Id=", aws.ToString(e.Id))
		b = appendField(b, i, "Message=", aws.ToString(e.Message))
		if e.MessageGroupId != nil {
			b = appendField(b, i, "MessageGroupId=", *e.MessageGroupId)
		}
		if e.MessageDeduplicationId != nil {
			b = appendField(b, i, "MessageDeduplicationId=", *e.MessageDeduplicationId)
		}
		for k, name := range slices.Sorted(maps.Keys(e.MessageAttributes)) {
			value := e.MessageAttributes[name]
			b = appendAttribute(b, i, k, name, aws.ToString(value.DataType), aws.ToString(value.StringValue))
		}
	}
	return b
}

// formOf returns the body of a request with msgs. It equals that of form for the SDK's client, except for the order
// of attributes.
func (s *Sink) formOf(msgs []sinks.Message) []byte {
	n := room(len(s.o.TopicARN))
	for i := range msgs {
		n += room(len(msgs[i].Body)) + len(msgs[i].Attributes)*room(128)
	}
	b := appendEscaped(append(make([]byte, 0, n), formHead...), s.o.TopicARN)
	for i := range msgs {
		m := &msgs[i]
		b = appendField(b, i, "Id=", entryID(i))
		b = appendField(b, i, "Message=", validBody(m.Body))
		if s.topic.fifo {
			b = appendField(b, i, "MessageGroupId=", groupID(s.o.Device, m.Key))
			b = appendField(b, i, "MessageDeduplicationId=", m.SampleID)
		}
		for k, a := range m.Attributes {
			b = appendAttribute(b, i, k, a.Name, attributeType, valid(a.Value))
		}
	}
	return b
}

// appendAttribute appends the fields of an attribute of a message, with their numbers.
func appendAttribute(b []byte, message, at int, name, kind, value string) []byte {
	for _, field := range [...][2]string{{".Name=", name}, {".Value.DataType=", kind}, {".Value.StringValue=", value}} {
		b = appendField(b, message, "MessageAttributes.entry.", "")
		b = append(strconv.AppendInt(b, int64(at+1), 10), field[0]...)
		b = appendEscaped(b, field[1])
	}
	return b
}

// appendField appends a field of a message, with the number of the message in the request. The name has its form on
// the wire.
func appendField[T string | []byte](b []byte, message int, name string, value T) []byte {
	b = strconv.AppendInt(append(b, "&PublishBatchRequestEntries.member."...), int64(message+1), 10)
	return appendEscaped(append(append(b, '.'), name...), value)
}

// appendEscaped appends a value in the form of url.QueryEscape.
func appendEscaped[T string | []byte](b []byte, value T) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(value) {
		switch c := value[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~':
			b = append(b, c)
		case c == ' ':
			b = append(b, '+')
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}
