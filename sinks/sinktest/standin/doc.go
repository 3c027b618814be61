// Package standin simulates the two clouds on loopback: an SNS server with the Query protocol, and the official
// in-memory Pub/Sub server behind a proxy of our own. Tests and noi-sim use them with the real SDK clients.
//
// Promises:
//   - The simulated clouds check what the clouds check: the SigV4 signature (computed again, not only its form),
//     topics, the rules of a batch, empty and oversized messages.
//   - A refusal has the wording of the cloud, because the trigger log quotes it.
//   - The caller sets faults (SetFault, SetDown) for each request, and each fault is exact: a message is either
//     accepted or not, and Messages returns the accepted messages.
//
// Refused: any address but loopback. The package is never linked into the daemon: only tests and noi-sim import it.
//
// Failure: StartSNS, StartPubSub and SetDown(false) return an error if they cannot listen on the address.
//
// In reading order:
//
//   - standin.go: what both simulated clouds share
//   - sns.go, snsxml.go, sigv4.go, look.go: SNS, and the actions that only read
//   - pubsub.go, pubsublook.go: Pub/Sub, and the methods that only read
//
// Example:
//
//	cloud, err := standin.StartSNS(standin.SNSOptions{Topics: []string{arn}})
//	…
//	defer cloud.Close()
//	cloud.SetFault(standin.Always(standin.SNSDenied(arn)))
package standin
