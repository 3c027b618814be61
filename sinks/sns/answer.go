package sns

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// answerReader reads the usual answer to a PublishBatch: every message is accepted. The SDK's own reader makes 32
// allocations for each message. It gets all other answers, and those that look unusual.
type answerReader struct {
	sdk middleware.DeserializeMiddleware
}

// ID is part of middleware.DeserializeMiddleware. It is the SDK's.
func (answerReader) ID() string { return "OperationDeserializer" }

// HandleDeserialize is part of middleware.DeserializeMiddleware.
func (a answerReader) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput,
	next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	response, ok := out.RawResponse.(*smithyhttp.Response)
	if err == nil && ok {
		if output, ok := usual(response.Response); ok {
			out.Result = output
			return out, metadata, nil
		}
	}
	return a.sdk.HandleDeserialize(ctx, in, middleware.DeserializeHandlerFunc(func(context.Context,
		middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
		return out, metadata, err
	}))
}

// usual reads an answer in which every message is accepted. Any other answer can be read again.
func usual(r *http.Response) (output *sns.PublishBatchOutput, ok bool) {
	if r.StatusCode != http.StatusOK {
		return nil, false
	}
	body, err := readBody(r)
	if output, ok = parseAnswer(body); ok && err == nil {
		_ = r.Body.Close() // read to its end
		return output, true
	}
	r.Body = readAgain{io.MultiReader(strings.NewReader(body), failing{err}), r.Body}
	return nil, false
}

// readBody reads an answer. ownBody limits its length.
func readBody(r *http.Response) (string, error) {
	var b strings.Builder
	if r.ContentLength > 0 && r.ContentLength < maxBytes {
		b.Grow(int(r.ContentLength))
	}
	_, err := io.CopyBuffer(&b, r.Body, make([]byte, 512))
	return b.String(), err
}

// readAgain is a body that was read already. It can be read again from its begin.
type readAgain struct {
	io.Reader
	io.Closer
}

// failing is the end of a body: an error, or nil for none.
type failing struct{ err error }

// Read is part of io.Reader.
func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

// taken is one accepted message of an answer.
type taken struct{ id, messageID string }

// parseAnswer reads an answer in which every message is accepted. usual is false for any other text.
func parseAnswer(text string) (answer *sns.PublishBatchOutput, usual bool) {
	if strings.ContainsAny(text, "&!?") { // references, comments, instructions
		return nil, false
	}
	root, response, ok := element(&text)
	if !ok || root != "PublishBatchResponse" {
		return nil, false
	}
	first, result, ok := element(&response)
	if !ok || first != "PublishBatchResult" {
		return nil, false
	}
	entries := make([]taken, 0, maxEntries)
	for result != "" {
		name, list, ok := element(&result)
		if !ok || name == "Failed" && list != "" || name != "Failed" && name != "Successful" {
			return nil, false
		}
		for list != "" {
			entry, ok := parseEntry(&list)
			if !ok {
				return nil, false
			}
			entries = append(entries, entry)
		}
	}
	return outputOf(entries), len(entries) > 0
}

// outputOf returns an answer in the SDK's type.
func outputOf(entries []taken) *sns.PublishBatchOutput {
	out := &sns.PublishBatchOutput{Successful: make([]types.PublishBatchResultEntry, len(entries))}
	for i := range entries {
		out.Successful[i].Id, out.Successful[i].MessageId = &entries[i].id, &entries[i].messageID
	}
	return out
}

// parseEntry reads one accepted message of an answer, and moves list to the text after it.
func parseEntry(list *string) (entry taken, usual bool) {
	name, member, ok := element(list)
	if !ok || name != "member" {
		return entry, false
	}
	for member != "" {
		name, text, ok := element(&member)
		switch {
		case !ok || strings.Contains(text, "<"):
			return entry, false
		case name == "Id":
			entry.id = text
		case name == "MessageId":
			entry.messageID = text
		}
	}
	return entry, entry.id != "" && entry.messageID != ""
}

// element reads the element at the begin of text, and moves text to the text after it. inner has no spaces around it.
// ok is false if text does not begin with an element. An element must not contain another one with its own name.
func element(text *string) (name, inner string, ok bool) {
	tag, rest, ok := strings.Cut(strings.TrimSpace(*text), ">")
	if !ok || !strings.HasPrefix(tag, "<") {
		return "", "", false
	}
	name, _, _ = strings.Cut(tag[1:], " ")
	if empty, ok := strings.CutSuffix(tag[1:], "/"); ok {
		*text = strings.TrimSpace(rest)
		return strings.TrimSpace(empty), "", true
	}
	for at := 0; ; at++ { // finds the end tag without allocating a search text
		next := strings.Index(rest[at:], "</")
		if next < 0 {
			return "", "", false
		}
		at += next
		if after, ok := strings.CutPrefix(rest[at+2:], name); ok && strings.HasPrefix(after, ">") {
			*text = strings.TrimSpace(after[1:])
			return name, strings.TrimSpace(rest[:at]), true
		}
	}
}
