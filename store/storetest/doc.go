// Package storetest has a store for tests: a real store in a real directory, with a full check when the test ends, and
// sweeps to put into the store.
//
// Promise: a test that leaves a damaged file fails. The package has no fake store, because the real one is fast enough.
//
// The code is in storetest.go. raced.go and unraced.go say whether the race detector is on.
//
//	s := storetest.MustOpen(t, store.Options{})
//	err := s.SetIntegrations([]store.Integration{{ID: "aws", Topic: "arn:…"}})
//	err = s.Append(t.Context(), storetest.Sweep(s.Run(), 1, 48, "aws"))
package storetest
