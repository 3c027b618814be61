package modbus

import "testing"

// TestWhatAnIDProves: on a port without ids, an id proves nothing. With ids, an id proves that a reply is ours until
// a reply for another program comes. A new connection does not restore the proof.
func TestWhatAnIDProves(t *testing.T) {
	var ids transactions
	check := func(when string, proven, ambiguous bool) {
		t.Helper()
		if ids.proven() != proven || ids.ambiguous() != ambiguous {
			t.Errorf("%s: proven %v, ambiguous %v", when, ids.proven(), ids.ambiguous())
		}
	}
	check("closed", false, true)
	ids.connect(true)
	check("with ids", true, false)
	ids.cross(false)
	check("a reply for another program", false, false)
	ids.cross(true)
	check("with our id", false, true)
	ids.cross(false)
	ids.connect(true)
	check("connected again", false, true)
	ids = transactions{}
	ids.connect(false)
	check("without ids", false, true)
}
