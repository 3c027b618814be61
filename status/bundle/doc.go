// Package bundle makes a zip file for remote support: configuration, state, log and counters of a gateway, without
// secrets. A list in the file names each removed text with its place.
//
// Promise: no part has a comment, the value of a key that names a secret, a password in an address, an AWS key id or a
// private key. The package cannot know other secrets, so the operator must look into the file before sending it.
//
// In reading order: bundle.go, redact.go.
package bundle
