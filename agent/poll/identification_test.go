package poll

import (
	"testing"
	"time"

	"noi-agent/modbus"
)

var controllerA = modbus.Identity{ProductCode: "PS-PWM-30M"}

// fail makes a whole round of identification fail.
func (id *identification) fail(refused bool) {
	for !id.failed(refused, identifyTries) {
	}
}

func TestASlaveThatReportsNothingIsAskedAtGrowingIntervals(t *testing.T) {
	var id identification
	now := time.Duration(1)
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		if !id.due(now) {
			t.Fatalf("at %v no identification is due", now)
		}
		id.fail(true)
		id.inVain(now)
		id.doubt() // a missed reply does not change what the slave can report
		if again := id.again - now; again != want*time.Minute || id.due(id.again-1) {
			t.Errorf("after %v, want %v", again, want*time.Minute)
		}
		now = id.again
	}
}

func TestLaterRoundsHaveOneTryEach(t *testing.T) {
	var id identification
	tries := func() (n int) {
		for n = 1; !id.failed(true, identifyTries); n++ {
		}
		id.inVain(0)
		return n
	}
	if first, second := tries(), tries(); first != 3*len(identityWays()) || second != len(identityWays()) {
		t.Errorf("%d tries in the first round, %d in the second", first, second)
	}
}

func TestWhatProvesAnotherDevice(t *testing.T) {
	for _, c := range []struct {
		name            string
		missed, refused bool
		kept            bool
	}{
		{"refused, and a reply was missed", true, true, false},
		{"refused, and every read was answered", false, true, true},
		{"no answer, and a reply was missed", true, false, true},
		{"no answer", false, false, true},
	} {
		var id identification
		id.answered(controllerA, 0)
		if c.missed {
			id.doubt()
		}
		id.fail(c.refused)
		id.inVain(time.Second)
		if kept := id.known == controllerA; kept != c.kept {
			t.Errorf("%s: kept %v", c.name, kept)
		}
		if !id.settled {
			t.Errorf("%s: the samples still wait for the identity", c.name)
		}
	}
}

// The way by which the known device was identified is refused once; all other tries are not answered.
func TestSilenceInARoundDoesNotHideThatTheDeviceIsAnother(t *testing.T) {
	for way := range identityWays() {
		var id identification
		id.way = way
		id.answered(controllerA, 0)
		id.doubt()
		for over := false; !over; {
			over = id.failed(id.way == way && id.tries == 1, identifyTries)
		}
		id.inVain(time.Second)
		if id.known == controllerA {
			t.Errorf("way %d: the identity of the device before is kept", way)
		}
	}
}

func TestAKnownSlaveIsAskedAfterAMissedReplyEvenIfItFailedBefore(t *testing.T) {
	var id identification
	id.answered(controllerA, 0)
	id.fail(false)
	id.inVain(time.Second)
	if id.due(2 * time.Second) {
		t.Error("an identification is due at once")
	}
	id.doubt()
	if !id.due(2 * time.Second) {
		t.Error("no identification is due after a missed reply")
	}
	id.answered(controllerA, 3*time.Second)
	if id.due(10*time.Minute+2*time.Second) || !id.due(10*time.Minute+3*time.Second) {
		t.Error("no identification is due after ten minutes")
	}
}
