// Package pubsub publishes to one Google Pub/Sub topic. It is the only package that imports the Pub/Sub client.
//
// Promises:
//   - New uses only memory. If something is missing on the gateway or in the cloud, a result of Publish shows it, and
//     the next Publish tries again, without a restart.
//   - One Publish is one request of at most 1,000 messages and 9 MB, compressed with gzip. Publish returns when its
//     context ends, and no request continues in the background.
//   - One attempt is one attempt: the client's own endless retries and gRPC's reconnections between attempts are off,
//     because the caller's backoff decides.
//   - The metadata server of Google's machines is used only if GCE_METADATA_HOST is set.
//   - No secret gets into a result or a log line.
//
// Refused: a malformed topic (New); TLS below 1.2; credentials over a plaintext connection (the connection to a
// loopback or http:// endpoint).
//
// Failure: see the table in classify.go. Missing, refused or malformed credentials give Wait, and are read again before
// the next attempt. A message that is too large for any request gives Reject and is not sent. If a request is refused
// because of one message, it is halved until this message is alone.
//
// The package calls Publish of the generated stub (pubsub/v2/apiv1/pubsubpb) and not pubsub.Publisher. A Publisher
// collects messages in a bundler of its own and sends them under a context of its own: it continues after its caller
// has given up, and the next window may share a request with the old one. Here a window is already a request.
// Publisher's ResumePublish is not needed either: no key is paused after an error. The caller sends failed messages
// before later ones.
//
// With Options.Ordering each message has an ordering key (device and order key), and a subscription with ordering gets
// the messages in the order of sampling. This costs uplink: Pub/Sub allows one key in a request, so a sweep of 48
// objects becomes 48 requests instead of one, and a sample costs 460 bytes instead of 32.
//
// Connections use the proxy of HTTPS_PROXY (only http://), trust the system's authorities and those of Options.CAFile,
// and are counted by Options.Meter. This includes connections to token services.
//
// In reading order:
//
//   - pubsub.go: the sink
//   - client.go, credentials.go, identity.go, tokens.go, metadata.go, x509.go: connecting, and credentials
//   - request.go, packer.go: the bytes of a request, and gzip
//   - classify.go: the outcome of each error
//   - probe.go, remedy.go, cost.go: test, remedies, cost
//
// Example:
//
//	sink, err := pubsub.New(pubsub.Options{Topic: "projects/test-project/topics/MainSolarData"})
//	…
//	results := sink.Publish(ctx, msgs)
package pubsub
