package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/modbus/modbustest"
)

// pairFamily is a device with two registers. The requests for them differ only in the address.
const pairFamily = `family: PAIR
max_registers: 20
objects:
  - {address: 0x0000, name: first, table: holding, encoding: u16, interval: 1m}
  - {address: 0x0001, name: second, table: holding, encoding: u16, interval: 1m}
`

const (
	firstValue  = 254
	secondValue = 777
)

// pairGateway listens on loopback and serves each connection with g until the test ends. A connection is closed after
// the time idle without a request; 0: never.
func pairGateway(t *testing.T, g *modbustest.Gateway, idle time.Duration) (address string) {
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
			if idle > 0 {
				conn = &idleConn{Conn: conn, idle: idle}
			}
			go g.Serve(conn, "us")
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		g.Stop()
	})
	return listener.Addr().String()
}

// idleConn is a connection that ends after a time without data.
type idleConn struct {
	net.Conn
	idle time.Duration
}

func (c *idleConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.idle)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// pairConfig writes a configuration that reads one object of a PAIR.
func pairConfig(t *testing.T, w *world, port, object string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pair.yaml"), []byte(pairFamily), 0o600); err != nil {
		t.Fatal(err)
	}
	return clitest.WriteConfig(t, fmt.Sprintf(`families_dir: %s
state_dir: %s/state
lines:
  - name: gw
    port: %s
    timeout: 20s
    slaves: [{id: 1, model: PAIR, product_code: PAIR, firmware: "1", objects: %s, intervals: {"*": 1s}}]
integrations:
  - {id: %s, type: gcp, topic: %s, endpoint: "%s"}
buffer: {commit_every: 50ms}
clock: {source: system}
status: {listen: "", socket: %s}
`, dir, w.dir, port, object, pubsubID, testTopic, w.pubsub.Addr(), w.socket()))
}

// pairSamples returns the published samples of an object. It fails if a value is not the object's.
func pairSamples(t *testing.T, w *world, object string) (n int) {
	t.Helper()
	own := map[string]string{"first": fmt.Sprint(firstValue), "second": fmt.Sprint(secondValue)}
	for _, m := range w.pubsub.Messages() {
		var sample struct {
			Object string
			Data   json.RawMessage
		}
		if err := json.Unmarshal(m.Body, &sample); err != nil {
			t.Fatal(err)
		}
		if want, ok := own[sample.Object]; ok && string(sample.Data) != want {
			t.Fatalf("WRONG VALUE: %s = %s, want %s", sample.Object, sample.Data, want)
		}
		if sample.Object == object {
			n++
		}
	}
	return n
}

func readPair(_ byte, addr, count uint16) ([]uint16, byte) {
	if addr+count > 2 {
		return nil, modbustest.IllegalAddress
	}
	return []uint16{firstValue, secondValue}[addr:][:count], 0
}

// TestReplyOfAnEarlierLifeIsNoValue: the agent is ended in the middle of a request. Its gateway sends the reply to
// the newest connection. This is the connection of the next agent, in the middle of a request of the same shape.
func TestReplyOfAnEarlierLifeIsNoValue(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"tcp://", "rtu+tcp://"} {
		t.Run(scheme, func(t *testing.T) {
			w := newWorld(t, fixedSlave())
			asked, release := make(chan uint16, 64), make(chan struct{})
			var holding atomic.Bool
			slave := &modbustest.Slave{Unit: 1, Delay: 100 * time.Millisecond, Read: func(function byte, addr, count uint16) ([]uint16, byte) {
				if addr == 0 && holding.Swap(false) {
					asked <- addr
					<-release
				}
				return readPair(function, addr, count)
			}}
			var lastOf atomic.Int64 // requests that the gateway has received
			g := &modbustest.Gateway{RTU: strings.HasPrefix(scheme, "rtu"), Slaves: []*modbustest.Slave{slave}, Route: modbustest.ToNewest}
			g.Received = func() { lastOf.Add(1) }
			port := scheme + pairGateway(t, g, 0)

			before := w.start(pairConfig(t, w, port, "first"), nil)
			eventually(t, "samples of the first", func() bool { return pairSamples(t, w, "first") > 0 })
			holding.Store(true)
			<-asked
			before.stop()
			mark := lastOf.Load()
			after := w.start(pairConfig(t, w, port, "second"), nil)
			eventually(t, "the next agent has asked", func() bool { return lastOf.Load() > mark })
			close(release)
			eventually(t, "samples of the second", func() bool { return pairSamples(t, w, "second") > 2 })
			after.stop()
			pairSamples(t, w, "second")
		})
	}
}

// TestGatewayThatClosesIdleConnectionsCostsNoSample: the connection is closed at the begin of each log interval.
func TestGatewayThatClosesIdleConnectionsCostsNoSample(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"tcp://", "rtu+tcp://"} {
		t.Run(scheme, func(t *testing.T) {
			w := newWorld(t, fixedSlave())
			g := &modbustest.Gateway{RTU: strings.HasPrefix(scheme, "rtu"), Slaves: []*modbustest.Slave{{Unit: 1, Read: readPair}}}
			port := scheme + pairGateway(t, g, 200*time.Millisecond)
			daemon := w.start(pairConfig(t, w, port, "second"), nil)
			eventually(t, "samples", func() bool { return pairSamples(t, w, "second") > 4 })
			var status struct {
				Lines []struct {
					Counters struct{ Requests, Replies, Redials, Reopens, Timeouts uint64 }
				}
				Problems []problemView
			}
			if err := json.Unmarshal(w.get("/api/v1/status"), &status); err != nil {
				t.Fatal(err)
			}
			daemon.stop()
			if c := status.Lines[0].Counters; c.Redials < 2 || c.Reopens != 0 || c.Timeouts != 0 || len(status.Problems) != 0 {
				t.Errorf("%+v %+v", c, status.Problems)
			}
		})
	}
}
