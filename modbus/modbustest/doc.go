// Package modbustest has Modbus RTU slaves to test against, and to simulate with: a scripted [Slave],
// a [Pipe] that is a serial port in memory, and a [PTY] that is one on a pseudo-terminal.
//
// It promises time as on a wire. Each byte, of requests and of replies, arrives one character time after
// the one before it at the earliest, and a slave sees a request only when its last byte has arrived. The
// Pipe runs in the virtual time of testing/synctest; the PTY in real time, with a precision of about 0.1 ms.
// Bytes arrive in the order in which they were sent: what a slave answers late delays all that it answers later,
// as on any serial line.
//
// What it gets wrong together with package modbus, other people's programs find: [NeedPeer] says that one is missing,
// [StartPeer] runs it until the test ends, and [MustCable] is a pair of ports to meet it on.
//
// It is no model of a controller. What registers hold is a function that the caller gives; the package
// does framing, functions 01 to 04, 0x11 and 0x2B/0x0E, and faults. It shares no code with package modbus, so that one
// checks the other.
//
//	slave := &modbustest.Slave{Unit: 1, Read: modbustest.OwnAddress}
//	slave.Script = func(r modbustest.Request) modbustest.Fault {
//		return modbustest.Fault{Silent: r.N%10 == 0}
//	}
//	pipe := modbustest.NewPipe(9600, 11, slave)
//	line := modbus.NewLine(modbus.Options{Open: func() (modbus.Port, error) { return pipe.Dial() }})
package modbustest
