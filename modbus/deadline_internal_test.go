package modbus

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestADeadlineThatIsOverIsSetAgain: half of the shortest timeout is zero. A read with the present moment as its
// deadline returns at once, and in virtual time it would do so for ever.
func TestADeadlineThatIsOverIsSetAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var set []time.Duration
		deadline := time.Now()
		for _, d := range []time.Duration{1, time.Second, time.Second} {
			if err := renew(&deadline, d, func(by time.Time) error {
				set = append(set, time.Until(by))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if len(set) != 2 || set[0] != 1 || set[1] != time.Second {
			t.Errorf("set %v, want 1ns and 1s", set)
		}
	})
}
