package store

import (
	"testing"
	"time"
)

func TestWhatIsRetainedGivesWay(t *testing.T) {
	s := openForTest(t, Options{Limits: Limits{MaxSize: 4 << 10, RetainAfterAck: 1000 * time.Hour,
		MaxAge: 2000 * time.Hour}})
	for n := range uint64(100) {
		if err := s.Append(t.Context(), sweepOf(1+10*n, 10, "aws")); err != nil {
			t.Fatal(err)
		}
		ds, err := s.Pending("aws", 100, nil)
		if err != nil {
			t.Fatal(err)
		}
		var rs []Result
		for _, d := range ds {
			rs = append(rs, Result{Seq: d.Seq, Index: d.Index, Outcome: Accepted})
		}
		if err := s.Settle("aws", rs); err != nil {
			t.Fatal(err)
		}
		if n := s.Stats().RecordBytes; n > 4<<10 {
			t.Fatalf("%d bytes", n)
		}
	}
}
