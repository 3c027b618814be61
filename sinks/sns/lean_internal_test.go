package sns

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// wire is a connection with one answer. It keeps the last request.
type wire struct {
	status  int
	answer  string
	cut     error // error after the answer; nil: the end of the answer
	request *http.Request
	form    string
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	w.request, w.form = r, string(body)
	answer := readAgain{io.MultiReader(strings.NewReader(w.answer), failing{w.cut}), io.NopCloser(nil)}
	return &http.Response{StatusCode: w.status, Header: http.Header{"X-Amzn-Requestid": {"r"}}, Request: r, Body: answer, ContentLength: -1}, err
}

// publishOver sends a request through the SDK's client over a connection.
func publishOver(w *wire, in *sns.PublishBatchInput, optFns ...func(*sns.Options)) (*sns.PublishBatchOutput, error) {
	client := sns.New(sns.Options{
		Region: "us-east-2", HTTPClient: &http.Client{Transport: w}, Retryer: aws.NopRetryer{}, BaseEndpoint: aws.String("http://127.0.0.1:9/path"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		}),
	})
	return client.PublishBatch(context.Background(), in, optFns...)
}

// Our form has the same content as the SDK's, with the same headers.
func TestFormSaysWhatTheSDKsSays(t *testing.T) {
	text := func(s string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(s)}
	}
	var all []byte
	for c := range 256 {
		all = append(all, byte(c))
	}
	in := &sns.PublishBatchInput{
		TopicArn: aws.String("arn:aws:sns:us-east-2:393221637266:Main_Solar-Data.fifo"),
		PublishBatchRequestEntries: []types.PublishBatchRequestEntry{
			{Id: aws.String("0"), Message: aws.String(`{"data":1.5,"slave":"PS PWM~é€"}`)},
			{Id: aws.String("1"), Message: aws.String(string(all)), MessageGroupId: aws.String("a/b"), MessageDeduplicationId: aws.String("d+d")},
			{Id: aws.String("2"), Message: aws.String(""), MessageAttributes: map[string]types.MessageAttributeValue{
				"object": text("adc&ia"), "slave": text("a b"), "device_id": text("%41"),
			}},
		},
	}
	var own, sdk wire
	_, _ = publishOver(&sdk, in)
	_, _ = publishOver(&own, in, lean)
	ours, err := url.ParseQuery(own.form)
	theirs, err2 := url.ParseQuery(sdk.form)
	if err := errors.Join(err, err2); err != nil || len(theirs) == 0 {
		t.Fatal(err, len(theirs))
	}
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Error(diff)
	}
	if len(own.form) != len(sdk.form) {
		t.Errorf("%d bytes, the SDK's has %d", len(own.form), len(sdk.form))
	}
	for _, name := range []string{"Content-Type", "Content-Length", "User-Agent"} {
		if got, want := own.request.Header.Get(name), sdk.request.Header.Get(name); got != want {
			t.Errorf("%s: %q, the SDK's is %q", name, got, want)
		}
	}
	if got, want := own.request.Method+own.request.URL.String(), sdk.request.Method+sdk.request.URL.String(); got != want {
		t.Errorf("%s, the SDK's is %s", got, want)
	}
}

const (
	usualAnswer = `<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">
  <PublishBatchResult>
    <Failed/>
    <Successful>
      <member>
        <MessageId>93b3e5c8-b6c1-5e2a-9f64-b8a4f5b1d1f3</MessageId>
        <Id>1</Id>
      </member>
      <member>
        <Id>0</Id><SequenceNumber>10000000000000003000</SequenceNumber>
        <MessageId> 93b3e5c8-b6c1-5e2a-9f64-b8a4f5b1d1f4 </MessageId>
      </member>
    </Successful>
  </PublishBatchResult>
  <ResponseMetadata><RequestId>1c0a4ee1</RequestId></ResponseMetadata>
</PublishBatchResponse>
`
	partAnswer = `<PublishBatchResponse><PublishBatchResult><Failed><member><Id>0</Id><Code>InternalError</Code><Message>no</Message><SenderFault>` +
		`false</SenderFault></member></Failed><Successful><member><MessageId>m</MessageId><Id>1</Id></member></Successful></PublishBatchResult>` +
		`</PublishBatchResponse>`
	refusal = `<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>`
)

// For every answer, the SDK's client returns the same result with our reader as with its own.
func TestAnswerIsReadAsTheSDKReadsIt(t *testing.T) {
	in := &sns.PublishBatchInput{TopicArn: aws.String("arn:aws:sns:us-east-2:393221637266:T"),
		PublishBatchRequestEntries: []types.PublishBatchRequestEntry{{Id: aws.String("0"), Message: aws.String("m")}}}
	replace := func(old, with string) string { return strings.Replace(usualAnswer, old, with, 1) }
	for name, w := range map[string]wire{
		"usual":                {status: 200, answer: usualAnswer},
		"usual, in one line":   {status: 200, answer: strings.ReplaceAll(strings.ReplaceAll(usualAnswer, "\n", ""), "  ", "")},
		"Failed behind":        {status: 200, answer: strings.Replace(replace("<Failed/>", ""), "</Successful>", "</Successful><Failed></Failed>", 1)},
		"part":                 {status: 200, answer: partAnswer},
		"none":                 {status: 200, answer: replace("<Successful>", "<Successful/><Other>")},
		"XML's head":           {status: 200, answer: `<?xml version="1.0"?>` + "\n" + usualAnswer},
		"reference":            {status: 200, answer: replace("93b3e5c8", "9&amp;3")},
		"comment":              {status: 200, answer: replace("93b3e5c8", "9<!-- <Id>7</Id> -->3")},
		"CDATA":                {status: 200, answer: replace("93b3e5c8", "<![CDATA[<x>]]>")},
		"element in element":   {status: 200, answer: replace("93b3e5c8", "9<b>3</b>")},
		"attribute":            {status: 200, answer: replace("<member>", `<member type="a">`)},
		"end tag with a space": {status: 200, answer: replace("</member>", "</member >")},
		"no id":                {status: 200, answer: replace("<Id>1</Id>", "")},
		"two ids":              {status: 200, answer: replace("<Id>1</Id>", "<Id>1</Id><Id>2</Id>")},
		"lists twice":          {status: 200, answer: replace("</Successful>", "</Successful><Successful><member><Id>4</Id></member></Successful>")},
		"short":                {status: 200, answer: usualAnswer[:len(usualAnswer)/2]},
		"short by the end tag": {status: 200, answer: usualAnswer[:len(usualAnswer)-4]},
		"text behind":          {status: 200, answer: usualAnswer + "x"},
		"cut":                  {status: 200, answer: usualAnswer[:300], cut: io.ErrUnexpectedEOF},
		"cut at its end":       {status: 200, answer: usualAnswer, cut: io.ErrUnexpectedEOF},
		"portal":               {status: 200, answer: "<html><body>Log in</body></html>"},
		"empty":                {status: 200},
		"refused":              {status: 400, answer: refusal},
		"refused without text": {status: 503},
		"another 2xx":          {status: 202, answer: usualAnswer},
	} {
		own, sdk := w, w
		want, wantErr := publishOver(&sdk, in)
		got, gotErr := publishOver(&own, in, lean)
		trimIDs(want)
		trimIDs(got)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(sns.PublishBatchOutput{}, "ResultMetadata"), cmpopts.IgnoreFields(
			types.PublishBatchResultEntry{}, "SequenceNumber"), cmpopts.IgnoreUnexported(sns.PublishBatchOutput{}, types.PublishBatchResultEntry{},
			types.BatchResultErrorEntry{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if (gotErr == nil) != (wantErr == nil) || gotErr != nil && gotErr.Error() != wantErr.Error() {
			t.Errorf("%s: error %v, the SDK's is %v", name, gotErr, wantErr)
		}
	}
}

// trimIDs removes spaces around ids, which SNS does not send and Publish removes.
func trimIDs(out *sns.PublishBatchOutput) {
	if out == nil {
		return
	}
	for i := range out.Successful {
		if id := out.Successful[i].MessageId; id != nil {
			out.Successful[i].MessageId = aws.String(strings.TrimSpace(*id))
		}
	}
}

// The usual answer is read by our reader, which costs less than the SDK's.
func TestUsualAnswerIsOurs(t *testing.T) {
	out, usual := parseAnswer(usualAnswer)
	if !usual || len(out.Successful) != 2 || *out.Successful[0].Id != "1" || *out.Successful[1].MessageId != "93b3e5c8-b6c1-5e2a-9f64-b8a4f5b1d1f4" {
		t.Errorf("%t %+v", usual, out)
	}
}
