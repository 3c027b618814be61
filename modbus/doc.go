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
// read of the same length could accept it: right checksum, wrong register. No short wait excludes this. The order of
// replies does: a slave answers requests in their order, at most once each, and bytes do not overtake one another. So
// the reply to a request proves that no reply to an earlier request will come.
//
// For each unit the line keeps the requests whose reply may still come (in doubt): they timed out, or their reply was
// damaged or cut off. While there is one, the line sends no read for data, but first a probe: a short read, or an
// identification, whose reply differs from every expected reply in byte count or function. The reply to the probe
// settles all older requests; bytes before it are ignored. trust.go lists all requests that are in doubt, and how
// doubt ends. shared.go has the rules for a gateway that also sends replies to other programs.
//
// The argument has these limits. Without ids, or with equal ids: the first reply to another program on an unsuspected
// line, if it comes in place of ours; and a first reply of exactly the length drawn, if ours is lost too. On every
// line: a reply on a serial line more than half a minute after its timeout; a slave that answers out of order, or
// answers one request twice with another reply between (a frame sent twice may also count for the same read sent again
// at once); two slaves with one unit id; another master whose requests cannot be received; damage that CRC-16 misses
// (one in 65,536, none of up to three bits); a dozen unanswered requests of different shapes in a row, if all but one
// reply come late; and a late exception, which names no request and may be taken for the answer to the present request.
// An exception is no value, and the request stays in doubt.
//
// In reading order:
//
//   - line.go, unit.go, errors.go, settings.go: Line, its units and errors, the settings of a port
//   - exchange.go, frame.go, await.go, receive.go, echo.go: one request and its reply
//   - trust.go, previous.go, others.go, shared.go: late replies, other masters, other programs
//   - network.go, tcp.go, mbap.go, transactions.go: lines over the network
//   - plan.go, planner.go, identify.go, scan.go: reads, identification, search for units
//   - counters.go, faults.go, openerror.go: what the status shows
//   - wire.go, sleeper.go: bytes in and out, and the waits for them
//   - dial.go, serial.go, reader.go, ioctl.go, modem.go, rs485.go, latency.go: the port
//
// Use:
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
