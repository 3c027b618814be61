package modbustest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
)

// FreeAddress returns an address on 127.0.0.1 where no program listens now, for a program that listens on it later. The
// port is not one that the kernel gives to outgoing connections or to listeners without a port: such a port may belong
// to another test before the program listens.
func FreeAddress(tb TB) string {
	tb.Helper()
	from, to := givenPorts()
	for range 1000 {
		port := 10000 + rand.IntN(65536-10000)
		if from <= port && port <= to {
			continue
		}
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer listener.Close()
		return listener.Addr().String()
	}
	tb.Fatalf("no free port in 1,000 tries; the kernel gives %d to %d to connections", from, to)
	return ""
}

// givenPorts returns the range of ports that the kernel gives to connections (ip(7)).
func givenPorts() (from, to int) {
	from, to = 32768, 60999 // the kernel's own setting
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, _ = fmt.Sscan(string(text), &from, &to)
	}
	return from, to
}
