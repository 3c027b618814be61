// Package sns publishes to one AWS SNS topic. It is the only package that imports the AWS SDK.
//
// It promises:
//   - New touches nothing but memory: whatever is missing on the gateway or in the cloud shows as
//     a result of Publish, and is looked for again at the next one, without a restart;
//   - one Publish is one PublishBatch of at most ten messages and 256 KiB, with one result per
//     message; the SDK's own retries are off, since the caller's backoff rules;
//   - one order key stands at most once in a request: where a request fails in part, no later
//     sample of an object has overtaken an earlier one;
//   - nothing waits for ever: connecting, TLS, the answer's head and the whole attempt are bounded;
//   - no secret gets into a result or a log line.
//
// It refuses: a malformed topic ARN (New); redirects; TLS below 1.2; the EC2 metadata service, which
// is asked only with Options.IMDS.
//
// How it fails: see the table in classify.go. Credentials that are missing, refused or expired
// are Wait, and are read anew before the next attempt. A message that no request can carry is
// Reject without being sent; a request refused as a whole for one message is cut in half until
// that message stands alone.
//
// On a FIFO topic the group is device and order key, and the deduplication id is the sample's:
// the topic's own content-based deduplication would not do, since published_at changes.
//
// Example:
//
//	sink, err := sns.New(sns.Options{TopicARN: "arn:aws:sns:us-east-2:393221637266:MainSolarData"})
//	…
//	results := sink.Publish(ctx, msgs)
package sns
