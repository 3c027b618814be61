package poll

import (
	"time"

	"noi-agent/modbus"
)

// A slave is asked for its identification at the start, after any missed reply, and every ten minutes. A slave that
// does not identify itself is asked again after againFirst, then after twice as long each time, up to againLimit.
const (
	identifyEvery = 10 * time.Minute
	identifyTries = 3 // failed tries before another way is tried; one in the following rounds
	againFirst    = time.Minute
	againLimit    = time.Hour
)

// identification is what is known of the identity of a slave, and when the slave is asked again. It is pure logic: its
// poller asks and waits (identify.go). The zero value knows nothing and is due. A round tries the ways of asking one
// after the other.
type identification struct {
	known   modbus.Identity // what the slave reported last; zero: nothing yet
	by      int             // index of the way that worked
	reads   bool            // the last probe of a silent slave was a read
	settled bool            // samples may be handed on: the slave was asked since the last missed reply
	missed  bool            // a reply was missed since then: another device may be there now
	again   time.Duration   // monotonic time of the next round
	wait    time.Duration   // the pause after the last failed round; 0: none failed since the last identification

	way    int  // index of the way that the present round tries
	tries  int  // failed tries of this way
	silent bool // the last try was not answered: it counts when the slave has answered another request
	denied bool // the slave has refused, in this round, what the known device has answered
}

// due reports whether the slave must be asked before its samples may go.
func (id *identification) due(elapsed time.Duration) bool {
	return !id.settled || elapsed >= id.again
}

// doubt notes a missed reply. A slave that has never identified itself is not asked before it is due.
func (id *identification) doubt() {
	id.missed = true
	if id.known != (modbus.Identity{}) || id.wait == 0 {
		id.settled = false
	}
}

// reconsider begins again with all tries, because the slave or its port was away for some time.
func (id *identification) reconsider() {
	id.missed, id.settled, id.wait = true, false, 0
	id.newRound()
}

func (id *identification) newRound() {
	id.way, id.tries, id.silent, id.denied = 0, 0, false, false
}

// answered notes the identity that the slave reports.
func (id *identification) answered(by modbus.Identity, elapsed time.Duration) {
	id.known, id.by, id.settled, id.missed = by, id.way, true, false
	id.again, id.wait = elapsed+identifyEvery, 0
	id.newRound()
}

// probes reports whether the next probe of a silent slave is an identification: every second probe, if the slave has
// identified itself before.
func (id *identification) probes() bool {
	id.reads = !id.reads
	return !id.reads && id.known != (modbus.Identity{})
}

// failed counts a failed try, and reports whether the round is over. tries is the number of tries of each way. A
// refusal means that the slave does not know the function. Other failures prove nothing.
func (id *identification) failed(refused bool, tries int) (over bool) {
	id.denied = id.denied || refused && id.way == id.by
	if id.wait > 0 {
		tries = 1
	}
	if id.tries++; id.tries < tries {
		return false
	}
	return id.nextWay()
}

// untold notes an answer that does not identify the slave, and reports whether the round is over.
func (id *identification) untold() (over bool) {
	id.denied = id.denied || id.way == id.by
	return id.nextWay()
}

// nextWay changes to the next way, and reports whether the round is over.
func (id *identification) nextWay() (over bool) {
	id.way, id.tries, id.silent = id.way+1, 0, false
	return id.way >= len(identityWays())
}

// another reports at the end of a failed round whether another device is there: a reply was missed, and then the slave
// refused what the known device has answered. Silence in the same round does not change this: replies may be lost, and
// many devices do not answer unknown functions.
func (id *identification) another() bool {
	return id.known != (modbus.Identity{}) && id.missed && id.denied
}

// inVain ends a round in which the slave did not identify itself. The known identity stays, except if there is proof of
// another device. The samples may be handed on. The slave is asked again later.
func (id *identification) inVain(elapsed time.Duration) {
	if id.another() {
		id.known = modbus.Identity{}
	}
	id.settled = true
	id.wait = min(max(2*id.wait, againFirst), againLimit)
	id.again = elapsed + id.wait
	id.newRound()
}
