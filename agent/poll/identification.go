package poll

import (
	"time"

	"noi-agent/modbus"
)

// When a slave is asked for its identification: at start, after any missed reply and every ten minutes. One
// that does not report it is asked again after againFirst, then after twice as long each time, up to againLimit.
const (
	identifyEvery = 10 * time.Minute
	identifyTries = 3 // in vain, before another way is tried; one in the rounds that follow
	againFirst    = time.Minute
	againLimit    = time.Hour
)

// identification is what is known of the identity of a slave, and when the slave is asked again. It is pure logic: its
// poller asks and waits (identify.go). The zero value knows nothing and is due. A round tries the ways of asking one
// after the other.
type identification struct {
	known   modbus.Identity // what the slave reported last; zero: nothing yet
	by      int             // index of the way by which it did
	reads   bool            // the last probe of a silent slave was a read
	settled bool            // samples may go: the slave was asked since the last missed reply
	missed  bool            // a reply was missed since it reported that: another device may be there now
	again   time.Duration   // when it is asked next, monotonic
	wait    time.Duration   // the pause after the last round in vain; 0: there was none since it was last identified

	way     int  // of the round under way: index of the way that is tried
	tries   int  // in vain on this way
	silent  bool // the last try was not answered: it counts once the slave answers something else
	unclear bool // a try of this round failed otherwise than by a refusal
}

// due reports whether the slave must be asked before its samples may go.
func (id *identification) due(elapsed time.Duration) bool {
	return !id.settled || elapsed >= id.again
}

// doubt notes a missed reply. A slave that has never reported anything is left in peace until it is due.
func (id *identification) doubt() {
	id.missed = true
	if id.known != (modbus.Identity{}) || id.wait == 0 {
		id.settled = false
	}
}

// reconsider begins again, with all tries: the slave was away for some time, or its port was.
func (id *identification) reconsider() {
	id.missed, id.settled, id.wait = true, false, 0
	id.newRound()
}

func (id *identification) newRound() {
	id.way, id.tries, id.silent, id.unclear = 0, 0, false, false
}

// answered takes what the slave reports.
func (id *identification) answered(by modbus.Identity, elapsed time.Duration) {
	id.known, id.by, id.settled, id.missed = by, id.way, true, false
	id.again, id.wait = elapsed+identifyEvery, 0
	id.newRound()
}

// probes reports whether the next probe of a silent slave is to ask what it is: every second one, of a slave that has
// reported it before.
func (id *identification) probes() bool {
	id.reads = !id.reads
	return !id.reads && id.known != (modbus.Identity{})
}

// failed counts a try in vain, of which so many are made on each way, and reports whether the round is over. A refusal
// says that the slave does not know the function. All other failures say nothing about it.
func (id *identification) failed(refused bool, tries int) (over bool) {
	id.unclear = id.unclear || !refused
	if id.wait > 0 {
		tries = 1
	}
	if id.tries++; id.tries < tries {
		return false
	}
	return id.nextWay()
}

// nextWay leaves a way that brings nothing, and reports whether the round is over.
func (id *identification) nextWay() (over bool) {
	id.way, id.tries, id.silent = id.way+1, 0, false
	return id.way >= len(identityWays())
}

// another reports at the end of a round in vain whether another device is there: one that refuses what the known one
// answered, and a reply was missed in between.
func (id *identification) another() bool {
	return id.known != (modbus.Identity{}) && id.missed && !id.unclear
}

// inVain ends a round in which the slave did not report what it is. What is known stays, unless another device is
// proven. The samples may go; the slave is asked again later.
func (id *identification) inVain(elapsed time.Duration) {
	if id.another() {
		id.known = modbus.Identity{}
	}
	id.settled = true
	id.wait = min(max(2*id.wait, againFirst), againLimit)
	id.again = elapsed + id.wait
	id.newRound()
}
