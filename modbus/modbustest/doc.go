// Package modbustest has Modbus RTU slaves for tests and for the simulator: a scripted [Slave], a [Pipe] (a serial port
// in memory), and a [PTY] (a serial port on a pseudo-terminal).
//
// Promise: the timing is that of a wire. Each byte of a request or reply arrives at least one character time after the
// byte before it, and a slave sees a request only when its last byte has arrived. The Pipe runs in the virtual time of
// testing/synctest. The PTY runs in real time, with a precision of about 0.1 ms. Bytes arrive in the order in which
// they were sent: a late reply delays all later replies, as on any serial line.
//
// If modbustest and package modbus have the same error, a program of another author finds it: [NeedPeer] reports that
// the program is missing, [StartPeer] runs it until the test ends, and [MustCable] is a pair of connected ports.
//
// The package is no model of a controller. The caller gives a function with the content of the registers. The package
// does framing, functions 01 to 04, 0x11 and 0x2B/0x0E, and faults. It shares no code with package modbus, so that each
// checks the other.
//
// In reading order:
//
//   - slave.go, frame.go: a slave and its frames
//   - wire.go, pipe.go, pty.go: bytes at the pace of a wire; the two serial ports
//   - tcp.go, net.go, gateway.go, address.go: Modbus TCP, connections in memory, a gateway
//   - serve.go, peer.go: helpers of tests; programs of other authors
//
// Example:
//
//	slave := &modbustest.Slave{Unit: 1, Read: modbustest.OwnAddress}
//	slave.Script = func(r modbustest.Request) modbustest.Fault {
//		return modbustest.Fault{Silent: r.N%10 == 0}
//	}
//	pipe := modbustest.NewPipe(9600, 11, slave)
//	line := modbus.NewLine(modbus.Options{Open: func() (modbus.Port, error) { return pipe.Dial() }})
package modbustest
