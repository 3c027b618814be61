package sns

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// lean has the client use formWriter and answerReader for a PublishBatch. All else is the SDK's: endpoint, signature,
// errors.
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

// formWriter writes the form of a PublishBatch into one buffer. The SDK's own writer collects its fields in a map, at
// the price of 17 allocations for each message and three copies of all bodies.
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
		request.URL.Path = "/" // that of the endpoint comes before it
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if in.Request, err = request.SetStream(bytes.NewReader(form(input))); err != nil {
		return out, metadata, &smithy.SerializationError{Err: err}
	}
	return next.HandleSerialize(ctx, in)
}

// form is the body of a request. The names are those of the SNS API reference, PublishBatch.
func form(in *sns.PublishBatchInput) []byte {
	room := 256
	for i := range in.PublishBatchRequestEntries {
		room += 2*len(*in.PublishBatchRequestEntries[i].Message) + 256
	}
	b := append(make([]byte, 0, room), "Action=PublishBatch&Version=2010-03-31&TopicArn="...)
	b = appendEscaped(b, *in.TopicArn)
	var prefix [64]byte
	for i := range in.PublishBatchRequestEntries {
		member := strconv.AppendInt(append(prefix[:0], "&PublishBatchRequestEntries.member."...), int64(i+1), 10)
		b = appendEntry(b, append(member, '.'), &in.PublishBatchRequestEntries[i])
	}
	return b
}

// appendEntry appends the fields of one message.
func appendEntry(b, prefix []byte, e *types.PublishBatchRequestEntry) []byte {
	b = appendField(b, prefix, "Id=", e.Id)
	b = appendField(b, prefix, "Message=", e.Message)
	b = appendField(b, prefix, "MessageGroupId=", e.MessageGroupId)
	b = appendField(b, prefix, "MessageDeduplicationId=", e.MessageDeduplicationId)
	if len(e.MessageAttributes) == 0 {
		return b
	}
	for i, name := range slices.Sorted(maps.Keys(e.MessageAttributes)) {
		value := e.MessageAttributes[name]
		at := fmt.Appendf(nil, "%sMessageAttributes.entry.%d.", prefix, i+1)
		b = appendField(b, at, "Name=", &name)
		b = appendField(b, at, "Value.DataType=", value.DataType)
		b = appendField(b, at, "Value.StringValue=", value.StringValue)
	}
	return b
}

// appendField appends a field, unless value is nil. The name is as it is on the wire.
func appendField(b, prefix []byte, name string, value *string) []byte {
	if value == nil {
		return b
	}
	return appendEscaped(append(append(b, prefix...), name...), *value)
}

// appendEscaped appends a value as url.QueryEscape has it.
func appendEscaped(b []byte, value string) []byte {
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
