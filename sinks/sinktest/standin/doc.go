// Package standin is the two clouds on loopback: an SNS that speaks the Query protocol, and the
// official in-memory Pub/Sub server behind a door of ours. Tests and noi-sim talk to them with
// the real SDK clients.
//
// It promises:
//   - what a cloud checks is checked here: the SigV4 signature (recomputed, not only its shape),
//     topics, the rules of a batch, empty and oversized messages;
//   - refusals are worded as the clouds word them, since the trigger log quotes them;
//   - faults are put in from outside (SetFault, SetDown), request by request, and each is exact:
//     a message is either taken or not, and Messages returns which.
//
// It refuses to listen anywhere but on loopback. It never gets into the daemon: only tests and
// noi-sim import it.
//
// How it fails: an address that cannot be listened on is an error of StartSNS, StartPubSub
// and SetDown(false).
//
// Example:
//
//	cloud, err := standin.StartSNS(standin.SNSOptions{Topics: []string{arn}})
//	…
//	defer cloud.Close()
//	cloud.SetFault(standin.Always(standin.SNSDenied(arn)))
package standin
