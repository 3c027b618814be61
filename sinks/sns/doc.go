// Package sns publishes to one AWS SNS topic. It is the only package that imports the AWS SDK.
//
// Promises:
//   - New uses only memory. If something is missing on the gateway or in the cloud, a result of Publish shows it, and
//     the next Publish tries again, without a restart.
//   - One Publish is one PublishBatch of at most ten messages and 256 KiB, with one result per message. The SDK's own
//     retries are off, because the caller's backoff decides.
//   - On a FIFO topic an order key is at most once in a request: if a part of the request fails, no later sample of an
//     object overtakes an earlier one. A standard topic keeps no order itself, and gets full requests.
//   - No wait is endless: connecting, TLS, the head of the answer and the whole attempt have time limits.
//   - No secret gets into a result or a log line.
//
// Credentials come from the SDK's default chain (environment, shared profile, credential_process, web identity), or
// from AWS IoT for a device's certificate (Options.IoT). With these credentials the sink may assume a role
// (Options.RoleARN). Connections use the proxy of HTTPS_PROXY, trust the system's authorities and those of
// Options.CAFile and AWS_CA_BUNDLE, and are counted by Options.Meter.
//
// Refused: a malformed topic ARN (New); a region that is not the topic's (New); redirects; TLS below 1.2; the EC2
// metadata service without Options.IMDS.
//
// Failure: see the table in classify.go. Missing or refused credentials give Wait, expired credentials give Retry. Both
// are read again before the next attempt. If the gateway's clock is the cause, the code is sinks.CodeClock. A message
// that is too large for any request gives Reject and is not sent. If a whole request is refused because of one message,
// it is halved until this message is alone.
//
// On a FIFO topic the group is device and order key, and the deduplication id is the sample id. The topic's own
// content-based deduplication would not recognise a repeat, because published_at changes.
//
// In reading order:
//
//   - sns.go, fifo.go: the sink
//   - client.go, own.go, steady.go, iot.go, process.go: connecting, and credentials
//   - endpoint.go, transport.go: address and connections
//   - form.go, pattern.go, answer.go: requests and answers without the SDK's maps
//   - classify.go: the outcome of each error
//   - probe.go, remedy.go, cost.go: test, remedies, cost
//
// Example:
//
//	sink, err := sns.New(sns.Options{TopicARN: "arn:aws:sns:us-east-2:393221637266:MainSolarData"})
//	…
//	results := sink.Publish(ctx, msgs)
package sns
