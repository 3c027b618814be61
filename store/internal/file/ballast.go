package file

import bolt "go.etcd.io/bbolt"

// The ballast is a bucket of zeros that is deleted when the disk is full. Even a deletion makes bbolt write new copies
// of some pages first. The last commits before a full disk may have used all free pages, and then the file could never
// be written again. To delete a whole bucket changes only one page, and frees enough pages for the commit that makes
// room.
//
// Ballast selects what a commit does with it. 0: nothing.
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

	// Two values per page of 4 KiB, so that no value needs several pages: 16 pages, three times the pages of a commit
	// without rows.
	ballastValues = 32
	ballastSize   = 1900
)

// BallastBytes is the size of the ballast in bytes, exact to a page.
const BallastBytes = ballastValues * ballastSize
