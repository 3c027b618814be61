// Package storetest helps tests that need a store: a real one, on a real directory, fully
// checked when the test ends, and honest sweeps to put into it.
//
// It promises that a test which leaves an unsound file fails, whatever else it looked at. It has
// no fake: the store is fast enough to be itself.
//
//	s := storetest.MustOpen(t, store.Options{})
//	err := s.SetIntegrations([]store.Integration{{ID: "aws", Topic: "arn:…"}})
//	err = s.Append(t.Context(), storetest.Sweep(s.Run(), 1, 48, "aws"))
package storetest
