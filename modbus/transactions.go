package modbus

import (
	"math/rand/v2"
	"time"
)

// maxTransaction is the largest id that is sent: some devices may not accept the sign bit.
const maxTransaction = 0x7FFF

// remembered is the number of transactions kept to recognise late and repeated replies. It is more than the number of
// unanswered requests after which a slave is only probed.
const remembered = 32

// transaction is one request of ours on Modbus TCP.
type transaction struct {
	id       uint16 // 0: none
	at       time.Time
	dial     int  // number of the connection it went over
	answered bool // a frame with its id has come
}

// transactions makes the ids of a line, knows the latest ones, and how much an id proves. Ids are random, and never
// follow one another. So ids of this program before a restart, or of a client that counts, hardly ever equal ours.
type transactions struct {
	ring [remembered]transaction
	last int // index of the newest
	dial int // number of the connection in use

	strict  bool // the port in use accepts only a reply with the id of the request
	crossed bool // replies for another program came over Modbus TCP: ids alone prove nothing
	doubled bool // one of them had an id of ours
}

// connect begins a new connection. strict: its replies have the ids of their requests.
func (t *transactions) connect(strict bool) {
	t.dial++
	t.strict = strict
}

// cross notes a reply for another program. doubled: it had an id of ours.
func (t *transactions) cross(doubled bool) { t.crossed, t.doubled = true, t.doubled || doubled }

// proven reports whether the ids match replies with requests, so that a line begins without doubt.
func (t *transactions) proven() bool { return t.strict && !t.crossed }

// ambiguous reports whether a reply may be for another program even with the right id, or because there are no ids.
func (t *transactions) ambiguous() bool { return !t.strict || t.doubled }

// begin draws the id of a new request.
func (t *transactions) begin(now time.Time) uint16 {
	before := t.ring[t.last].id
	id := before
	for id == before || id == before+1 || id+1 == before || t.find(id) != nil {
		id = uint16(1 + rand.IntN(maxTransaction))
	}
	t.last = (t.last + 1) % remembered
	t.ring[t.last] = transaction{id: id, at: now, dial: t.dial}
	return id
}

// newest returns the latest request; its id is 0 before the first.
func (t *transactions) newest() *transaction { return &t.ring[t.last] }

// find returns the request with this id; nil if it is not one of the latest.
func (t *transactions) find(id uint16) *transaction {
	for i := range t.ring {
		if id != 0 && t.ring[i].id == id {
			return &t.ring[i]
		}
	}
	return nil
}

// belongs reports whether a frame with this id may answer the latest request. loose also accepts the id 0 and the next
// number, for devices that answer so.
func (t *transactions) belongs(id uint16, loose bool) bool {
	own := t.newest().id
	return own != 0 && (id == own || loose && (id == 0 || id == own+1))
}
