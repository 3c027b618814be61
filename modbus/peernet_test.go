package modbus_test

import (
	"errors"
	"net"
	"strconv"
	"testing"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// startPymodbusClient starts a second client of the gateway at address.
func startPymodbusClient(t *testing.T, address, mode string) *modbustest.Peer {
	t.Helper()
	const python = "/usr/bin/python3"
	modbustest.NeedPeer(t, "pymodbus", "python3-pymodbus python3-serial-asyncio", python, "-c", "import pymodbus.client")
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return modbustest.StartPeer(t, python, "testdata/peers/pymodbus_client.py", host, port, mode,
		strconv.Itoa(peerUnit), strconv.Itoa(imageFirst), strconv.Itoa(imageCount))
}

// TestRealTCPServer reads a Modbus TCP device of another project, while a client of another project reads it too.
func TestRealTCPServer(t *testing.T) {
	address := modbustest.FreeAddress(t)
	startPymodbus(t, address)
	startPymodbusClient(t, address, "tcp").Await(t, "asks")
	line := dialLine(t, "tcp://"+address, patience)
	for _, function := range []byte{modbus.FuncReadHolding, modbus.FuncReadInput} {
		for _, count := range []uint16{1, 2, 52, 125} {
			mustReadImage(t, line, function, imageFirst+77, count)
		}
	}
	id, err := line.Identify(t.Context(), peerUnit)
	if err != nil || id.ProductCode != "PS-PWM-30M" || id.Revision != "v01.04.06" {
		t.Errorf("identified as %+v, %v", id, err)
	}
	var refusal *modbus.Exception
	if _, err := line.Read(t.Context(), peerUnit, modbus.FuncReadInput, imageEnd, 1); !errors.As(err, &refusal) || refusal.Code != 0x02 {
		t.Errorf("%v, want exception 02", err)
	}
	c := line.Counters()
	if c.Replies != c.Requests || c.Timeouts+c.FrameErrors+c.ForeignFrames+c.DiscardedBytes+c.Probes+c.Rivals != 0 {
		t.Errorf("there were failed exchanges or bytes too many: %+v", c)
	}
}

// TestRealSecondClient shares a gateway with another project's client. The gateway sends every reply to both. The
// test proves, with real sockets and with the frames of another library, that the values are right and that the line
// notices the other client. rivals_test.go proves in virtual time how each of the client's replies counts.
func TestRealSecondClient(t *testing.T) {
	for _, mode := range []string{"tcp", "rtu"} {
		t.Run(mode, func(t *testing.T) {
			slave := &modbustest.Slave{Unit: peerUnit, Read: imageOf}
			g := &modbustest.Gateway{RTU: mode == "rtu", Slaves: []*modbustest.Slave{slave}, Route: modbustest.ToAll}
			address := serveGateway(t, g)
			client := startPymodbusClient(t, address, mode)
			client.Await(t, "asks")
			scheme := map[string]string{"tcp": "tcp://", "rtu": "rtu+tcp://"}[mode]
			line := dialLine(t, scheme+address, timeout) // a reply that only the other client gets costs this timeout
			for i := range uint16(15) {
				untilAnsweredShared(t, line, imageFirst+7*i, []uint16{1, 2, 8}[i%3])
			}
			client.Await(t, "again")
			for i := range uint16(15) {
				untilAnsweredShared(t, line, imageFirst+9*i, []uint16{1, 2, 8}[i%3])
			}
			for n := uint16(0); line.Counters().Rivals == 0; n++ { // the other client may start late
				if n == 5000 {
					t.Fatal("the other client was not noticed")
				}
				untilAnsweredShared(t, line, imageFirst+n%9, 1)
			}
		})
	}
}

// imageOf returns the image of the slaves in testdata/peers.
func imageOf(function byte, addr, count uint16) ([]uint16, byte) {
	if addr < imageFirst || addr+count > imageEnd {
		return nil, modbustest.IllegalAddress
	}
	regs := make([]uint16, count)
	for i := range regs {
		regs[i] = imageAt(function, addr+uint16(i))
	}
	return regs, 0
}

// serveGateway serves g on loopback until the test ends.
func serveGateway(t *testing.T, g *modbustest.Gateway) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.Start()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go g.Serve(conn, conn.RemoteAddr().String())
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		g.Stop()
	})
	return listener.Addr().String()
}

// untilAnsweredShared reads until there is a value, which must be right. The limit only ends a broken test.
func untilAnsweredShared(t *testing.T, line *modbus.Line, addr, count uint16) {
	t.Helper()
	for range 200 {
		reply, err := line.Read(t.Context(), peerUnit, modbus.FuncReadInput, addr, count)
		switch {
		case err == nil:
			checkImage(t, modbus.FuncReadInput, addr, count, reply)
			return
		case !errors.Is(err, modbus.ErrTimeout) && !errors.Is(err, modbus.ErrFrame) && !errors.As(err, new(*modbus.Exception)):
			t.Fatal(err)
		}
	}
	t.Fatalf("no value in 200 reads: %+v", line.Counters())
}
