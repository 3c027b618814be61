// Package modbus is one Modbus line: a serial port or a TCP gateway, the frames on it, and the plan of what to read.
//
// It promises that a value it returns is the asked register's of the asked unit, answered to this very request. It
// refuses to send anything but functions 01, 02, 03, 04, 0x11 and 0x2B/0x0E (ErrRefused), which all only read. It fails
// with ErrTimeout, ErrFrame or *Exception, after which the next call may succeed, and with ErrPort, after which only
// Open helps. No call outlasts a few times its timeout; [Line] is for one goroutine.
//
// A reply is found behind noise, by unit, function, byte count and CRC. Our own request that comes back is an echo and
// is taken off; another master's request ends the exchange, for what follows may be the answer to him.
//
// # Why a late reply is never another register's value
//
// A read's reply holds unit, function and byte count, but no address. If it comes after its timeout, the
// next read of the same length would take it for its own: right checksum, wrong register. No short waiting time
// excludes that. What does: a slave answers in the order it was asked, at most once each, and
// bytes do not overtake one another. So the reply to a request proves that no reply to an earlier one will come.
//
// The line keeps, for each unit, the requests whose reply may still come: those that timed out, were
// garbled, or were cut off. While there is one, no data is asked. First goes a probe: a short read, or an
// identification, whose reply looks like none that is expected (its byte count or function differs). Where only
// identifications are unanswered, the read that is wanted is such a probe itself. What comes
// before its reply is passed over; with its reply, everything older is settled. A probe that went unanswered
// may be sent again and its own replies may be confused with one another: they are never read as values. One
// more probe, never sent before, settles those.
//
// Some units answer reads of one length only, and say nothing to all probes. So doubt ends by time too, on a serial
// line only: half a minute after its timeout a reply is lost (lostAfter).
//
// What is taken as in doubt as well: any unit after the port was opened, for one frame of unknown shape may be on its
// way to the program that had the line before; all units after a foreign frame; a unit for each request of another
// master to it; and a reply that equals, byte for byte, the one before it to another address (a frame sent twice).
// Modbus TCP needs none of this at first: its ids are random, so that unit, function, byte count and id fit the asked
// request only. A reply with an id that was not ours, or twice with one of ours, ends that: from then on the line is
// distrusted too.
//
// Behind a gateway other programs' replies may come without their requests. After the first such reply reads are
// widened to lengths that the other program was not seen to use. Without ids, or with equal ones, and in the first 20 s
// after connecting, a value needs a second read of another length, which shows that no second answer to the first
// comes. Of a program that is new, or reads such lengths itself, both must have the same values (shared.go).
//
// The argument ends here, without ids or with equal ones: the first reply to another program on an unsuspected line, if
// it comes in the place of ours; a first reply of just the length drawn, if ours is lost as well. It ends everywhere
// here: a reply on a serial line that comes more than half a minute after its timeout; a slave that answers out of
// order, or one request twice with another's reply between (a frame sent twice may also stand for the same read asked
// again at once); two slaves with one unit id; another master whose requests cannot be heard; damage that a CRC-16 does
// not see (one in 65,536, and none of up to three bits); after a dozen requests of different shape went unanswered in a
// row, all but one of them coming late; and an exception, which names no request: a late one may be taken for the
// present request's. It is no value, and the request stays in doubt.
// After a failed exchange the line also stays quiet until a reply would have passed, lest two of them collide.
//
// # Use
//
//	line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: "/dev/ttyUSB0"}})
//	if err := line.Open(); err != nil {
//		return err // an *OpenError with a hint
//	}
//	defer line.Close()
//	for _, r := range planner.Plan(spans) { // of NewPlanner; report to it what was Answered or Refused
//		reply, err := line.Read(ctx, 1, r.Function, r.Addr, r.Count) // each object of r.Members is whole in it
//	}
package modbus
