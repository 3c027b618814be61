package store

import bolt "go.etcd.io/bbolt"

// CompactNow makes the writer commit and then replace the file by a copy, whatever the size of the file. It returns
// when both are done.
func CompactNow(s *Store) error {
	s.mu.Lock()
	s.update = func(fn func(*bolt.Tx) error) error {
		err := s.db.Update(fn)
		if err == nil {
			(&writer{Store: s}).compact() // compact also restores update
		}
		return err
	}
	b := s.hurryLocked()
	s.mu.Unlock()
	return b.waitState()
}
