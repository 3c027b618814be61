// Package pubsub publishes to one Google Pub/Sub topic. It is the only package that imports the
// Pub/Sub client.
//
// It promises:
//   - New touches nothing but memory: whatever is missing on the gateway or in the cloud shows as
//     a result of Publish, and is looked for again at the next one, without a restart;
//   - one Publish is one request of at most 1,000 messages and 9 MB, packed with gzip, and it is
//     back when its context ends: there is no window in the background that outlives it;
//   - one attempt is one attempt: the client's own endless retries are off, and so are gRPC's
//     reconnections between attempts, since the caller's backoff rules;
//   - the metadata server of Google's machines is not looked for unless GCE_METADATA_HOST is set;
//   - no secret gets into a result or a log line.
//
// It refuses: a malformed topic (New); TLS below 1.2; credentials over a plaintext connection,
// which is what a loopback or http:// endpoint gets.
//
// How it fails: see the table in classify.go. Credentials that are missing, refused or malformed
// are Wait, and are read again before the next attempt. A message that no request can carry is
// Reject without being sent; a request refused for one message is cut in half until that
// message stands alone.
//
// It calls Publish of the generated stub (pubsub/v2/apiv1/pubsubpb) and not pubsub.Publisher. The latter
// collects messages in a bundler of its own and sends them under a context of its own: a call
// that its caller gave up goes on, and the next window may share a request with it. Here a window
// is a request already. So there is no Publisher.ResumePublish to call either: a key is not paused
// after an error here, the caller simply sends what failed before what follows.
//
// With Options.Ordering each message has an ordering key, device and order key, and a subscription
// with ordering gets them in the order of sampling. It is not free: Pub/Sub wants one key in a
// request, so a sweep of 48 objects becomes 48 requests instead of one, and a sample costs 460 bytes
// of uplink in place of 35.
//
// Connections go through the proxy of HTTPS_PROXY (an http:// one), trust the system's authorities
// and those of Options.CAFile, and are counted by Options.Meter, token services included.
//
// Example:
//
//	sink, err := pubsub.New(pubsub.Options{Topic: "projects/test-project/topics/MainSolarData"})
//	…
//	results := sink.Publish(ctx, msgs)
package pubsub
