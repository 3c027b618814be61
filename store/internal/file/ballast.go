package file

import bolt "go.etcd.io/bbolt"

// The ballast is a bucket of zeros that is there to be thrown off. Even to delete, bbolt first
// writes new copies of some pages, and the last commits before a disk is full may have used up
// the free ones: the file could then never be written again. Deleting a whole bucket touches one
// page only, and what that frees is enough for the commit that really makes room.
//
// 0 leaves it as it is.
type Ballast uint8

func (b Ballast) Move(tx *bolt.Tx) error {
	there := tx.Bucket(bucketBallast) != nil
	switch {
	case b == Release && there:
		return tx.DeleteBucket(bucketBallast)
	case b == Restore && !there:
		bucket, err := tx.CreateBucket(bucketBallast)
		if err != nil {
			return err
		}
		bucket.FillPercent = 1
		for i := range byte(ballastValues) {
			if err := bucket.Put([]byte{i}, make([]byte, ballastSize)); err != nil {
				return err
			}
		}
	}
	return nil
}

const (
	Release Ballast = 1
	Restore Ballast = 2

	// Two values to a page of 4 KiB, so that no page needs neighbours: 16 pages, three times
	// what a commit without rows has been seen to need.
	ballastValues = 32
	ballastSize   = 1900
)

// BallastBytes is what the ballast takes, give or take a page.
const BallastBytes = ballastValues * ballastSize
