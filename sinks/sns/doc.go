// Package sns publishes to one AWS SNS topic. It is the only package that imports the AWS SDK.
//
// It promises:
//   - New touches nothing but memory: whatever is missing on the gateway or in the cloud shows as
//     a result of Publish, and is looked for again at the next one, without a restart;
//   - one Publish is one PublishBatch of at most ten messages and 256 KiB, with one result per
//     message; the SDK's own retries are off, since the caller's backoff rules;
//   - one request at a time, and on a FIFO topic an order key stands at most once in it: where a
//     request fails in part, no later sample of an object has overtaken an earlier one. A standard
//     topic keeps no order itself, and gets full requests;
//   - nothing waits for ever: connecting, TLS, the answer's head and the whole attempt are bounded;
//   - no secret gets into a result or a log line.
//
// Credentials come from the SDK's default chain (environment, shared profile, credential_process,
// web identity), or for a device's certificate from AWS IoT (Options.IoT); with them a role may be
// assumed (Options.RoleARN). Connections go through the proxy of HTTPS_PROXY, trust the system's
// authorities and those of Options.CAFile and AWS_CA_BUNDLE, and are counted by Options.Meter.
//
// It refuses: a malformed topic ARN (New); a region that is not the topic's (New); redirects; TLS below 1.2; the EC2
// metadata service, which is asked only with Options.IMDS.
//
// How it fails: see the table in classify.go. Credentials that are missing or refused are Wait,
// expired ones Retry, and both are read again before the next attempt. Where the gateway's clock is
// the cause the code is sinks.CodeClock. A message that no request can carry is
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
