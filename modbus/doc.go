// Package modbus is one Modbus line: a serial port or a TCP gateway, the frames on it, and the plan of the reads.
//
// Promise: a returned value is from the requested register of the requested unit, and answers this very request.
// Refused: any request but the functions 01, 02, 03, 04, 0x11 and 0x2B/0x0E, which only read (ErrRefused). Failure:
// after ErrTimeout, ErrFrame or *Exception the next call may succeed; after ErrPort only Open helps. No call takes
// longer than a few times its timeout. A [Line] is for one goroutine.
//
// A reply is found behind noise, by unit, function, byte count and CRC. An echo of our own request is removed. Another
// master's request ends the exchange, because the next reply may be for the other master.
//
// # Why a late reply never becomes another register's value
//
// The reply to a read has unit, function and byte count, but no address. If a reply comes after its timeout, the next
// read of the same length could take it for its own: right checksum, wrong register. No short wait excludes this. The
// order of replies does: a slave answers requests in their order, at most once each, and bytes do not overtake one
// another. So the reply to a request proves that no reply to an earlier request will come.
//
// For each unit the line keeps the requests whose reply may still come (in doubt): they timed out, or their reply was
// damaged or cut off. While there is one, the line sends no read for data, but first a probe: a short read, or an
// identification, whose reply differs from every expected reply in byte count or function. If only identifications are
// unanswered, the wanted read is such a probe itself. Bytes before the reply to the probe are ignored, and the reply
// settles all older requests. An unanswered probe may be sent again. Its replies may be confused with one another, but
// are never read as values; one more probe, which was never sent before, settles them.
//
// Some units answer reads of one length only, and no probe. So on a serial line doubt also ends by time: half a minute
// after its timeout a reply is lost (lostAfter).
//
// These are in doubt too: every unit after the port was opened, for one frame of unknown shape, because a reply to the
// previous user of the line may be on its way; all units after a foreign frame; a unit after each request of another
// master to it; and a reply that equals, byte by byte, the reply before it to another address (a frame sent twice).
// Modbus TCP begins without doubt: its ids are random, so unit, function, byte count and id fit only one request. After
// a reply with an unknown id, or a second reply with a known id, the line is distrusted like a serial line.
//
// Behind a gateway, replies to other programs may come without their requests. After the first such reply, reads are
// widened to lengths that the other program was not seen to use. Without ids, with equal ids, and in the first 20 s
// after connecting, a value needs a second read of another length. It shows that no second answer to the first read
// comes. If the other program is new, or reads such lengths itself, both reads must have the same values (shared.go).
//
// The argument has these limits. Without ids, or with equal ids: the first reply to another program on an unsuspected
// line, if it comes in place of ours; and a first reply of exactly the length drawn, if ours is lost too. On every
// line: a reply on a serial line more than half a minute after its timeout; a slave that answers out of order, or
// answers one request twice with another reply between (a frame sent twice may also count for the same read sent again
// at once); two slaves with one unit id; another master whose requests cannot be received; damage that CRC-16 misses
// (one in 65,536, none of up to three bits); a dozen unanswered requests of different shapes in a row, if all but one
// reply come late; and a late exception, which names no request and may be taken for the answer to the present request.
// An exception is no value, and the request stays in doubt. After a failed exchange the line also stays silent until a
// late reply would have passed, so that the two do not collide.
//
// # Use
//
//	line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: "/dev/ttyUSB0"}})
//	if err := line.Open(); err != nil {
//		return err // an *OpenError with a hint
//	}
//	defer line.Close()
//	for _, r := range planner.Plan(spans) { // of NewPlanner; report Answered or Refused to it
//		reply, err := line.Read(ctx, 1, r.Function, r.Addr, r.Count) // each object of r.Members is whole in it
//	}
package modbus
