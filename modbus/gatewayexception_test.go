package modbus_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// scriptedLine opens a line to a device of one unit. reply gets the number of the request and its PDU. It returns the
// PDUs that are sent with the id of this request; none means silence.
func scriptedLine(t *testing.T, port string, reply func(n int, pdu []byte) [][]byte, check func(line *modbus.Line)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		line := modbus.NewLine(modbus.Options{
			Settings: modbus.Settings{Port: port}, Timeout: timeout,
			Connect: func(string) (net.Conn, error) {
				here, there := modbustest.NewConns()
				go func() {
					for {
						pdu, pack, err := nextRequest(port, there)
						if err != nil {
							return
						}
						n++
						for _, r := range reply(n, pdu) {
							_, _ = there.Write(pack(r))
						}
					}
				}()
				return here, nil
			},
		})
		if err := line.Open(); err != nil {
			t.Fatal(err)
		}
		check(line)
		_ = line.Close()
		synctest.Wait()
	})
}

// nextRequest reads a request, and returns the function that packs a reply to it.
func nextRequest(port string, conn io.Reader) (pdu []byte, pack func([]byte) []byte, err error) {
	if port == overRTU {
		head := make([]byte, 2)
		if _, err := io.ReadFull(conn, head); err != nil {
			return nil, nil, err
		}
		rest := make([]byte, map[byte]int{3: 6, 4: 6, 0x2B: 5}[head[1]])
		_, err = io.ReadFull(conn, rest)
		return append(head[1:], rest...), func(p []byte) []byte { return modbustest.AppendCRC(append([]byte{1}, p...)) }, err
	}
	head := make([]byte, 7)
	if _, err := io.ReadFull(conn, head); err != nil {
		return nil, nil, err
	}
	pdu = make([]byte, binary.BigEndian.Uint16(head[4:])-1)
	_, err = io.ReadFull(conn, pdu)
	return pdu, func(p []byte) []byte {
		frame := binary.BigEndian.AppendUint16(append([]byte{}, head[:4]...), uint16(len(p)+1))
		return append(append(frame, 1), p...)
	}, err
}

// addressed answers a read with the address of each register.
func addressed(pdu []byte) []byte {
	if pdu[0] != modbus.FuncReadInput && pdu[0] != modbus.FuncReadHolding {
		return []byte{pdu[0] | 0x80, 1}
	}
	addr, count := binary.BigEndian.Uint16(pdu[1:]), binary.BigEndian.Uint16(pdu[3:])
	out := []byte{pdu[0], byte(2 * count)}
	for i := range count {
		out = binary.BigEndian.AppendUint16(out, addr+i)
	}
	return out
}

// TestExceptionOfAGatewayDoesNotAnswerForTheDevice: a gateway ends its wait for the device with an exception. Then it
// takes the device's late reply for the reply to the next request. From then on the gateway is one reply behind, with
// the right ids.
func TestExceptionOfAGatewayDoesNotAnswerForTheDevice(t *testing.T) {
	for _, port := range []string{overTCP, overRTU} {
		for _, code := range []byte{0x04, 0x05, 0x06, 0x0A, 0x0B} {
			var behind []byte
			good := 0
			scriptedLine(t, port, func(n int, pdu []byte) [][]byte {
				own := addressed(pdu)
				switch {
				case n%15 == 5:
					behind = own
					return [][]byte{{pdu[0] | 0x80, code}}
				case n%15 == 12: // the gateway is in step again
					behind = nil
				case behind != nil:
					own, behind = behind, own
				}
				return [][]byte{own}
			}, func(line *modbus.Line) {
				for i := range uint16(200) {
					reply, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0x20+i, 2)
					if err != nil {
						<-time.After(time.Second)
						continue
					}
					if good++; reply.Registers[0] != 0x20+i {
						t.Errorf("%s, exception %02X: register 0x%04X is 0x%04X", port, code, 0x20+i, reply.Registers[0])
					}
				}
			})
			if good < 50 {
				t.Errorf("%s, exception %02X: only %d of 200 reads had a value", port, code, good)
			}
		}
	}
}

// TestRefusalOfEverythingIsNamed: a gateway that cannot reach its device, or a device that refuses all requests, is
// not out of step. The read returns the exception.
func TestRefusalOfEverythingIsNamed(t *testing.T) {
	for _, port := range []string{overTCP, overRTU} {
		for _, code := range []byte{0x04, 0x05, 0x06, 0x0A, 0x0B} {
			scriptedLine(t, port, func(_ int, pdu []byte) [][]byte { return [][]byte{{pdu[0] | 0x80, code}} }, func(line *modbus.Line) {
				for range 20 {
					_, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0x20, 2)
					var refusal *modbus.Exception
					if !errors.As(err, &refusal) || refusal.Code != code {
						t.Errorf("%s, exception %02X: %v", port, code, err)
					}
					<-time.After(5 * time.Second)
				}
			})
		}
	}
}

// TestWrongLengthIsNotTakenForLate: a device that always answers with one register more, or with another function, is
// not slow. Its replies look like replies to earlier requests that got no answer.
func TestWrongLengthIsNotTakenForLate(t *testing.T) {
	for _, port := range []string{overTCP, overRTU} {
		for name, answer := range map[string]func(pdu []byte) []byte{
			"a register more":  func(pdu []byte) []byte { return addressed([]byte{pdu[0], pdu[1], pdu[2], pdu[3], pdu[4] + 1}) },
			"a register less":  func(pdu []byte) []byte { return addressed([]byte{pdu[0], pdu[1], pdu[2], pdu[3], max(pdu[4], 2) - 1}) },
			"another function": func(pdu []byte) []byte { return addressed(append([]byte{pdu[0] ^ 7}, pdu[1:]...)) },
		} {
			scriptedLine(t, port, func(_ int, pdu []byte) [][]byte {
				if pdu[0] == modbus.FuncEncapsulated {
					return [][]byte{{pdu[0] | 0x80, 1}}
				}
				return [][]byte{answer(pdu)}
			}, func(line *modbus.Line) {
				for i := range 20 {
					_, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 0x20, 3)
					if err == nil || errors.Is(err, modbus.ErrLate) || i > 10 && !errors.Is(err, modbus.ErrLength) {
						t.Errorf("%s, %s: %v", port, name, err)
					}
					<-time.After(5 * time.Second)
				}
			})
		}
	}
}

// TestDoubledReplyIsNotAnotherProgram: a reply comes twice in one segment, so that the line sees the second one
// before it uses the first.
func TestDoubledReplyIsNotAnotherProgram(t *testing.T) {
	scriptedLine(t, overTCP, func(_ int, pdu []byte) [][]byte { return [][]byte{addressed(pdu), addressed(pdu)} }, func(line *modbus.Line) {
		for i := range uint16(20) {
			mustRead(t, line, i, 2)
			<-time.After(time.Second)
		}
		if c := line.Counters(); c.Rivals != 0 {
			t.Errorf("%+v", c)
		}
	})
}

// TestTimeOfALateAnswerIsBounded: it lay in the socket until the line was used again, so that its time is no more than a bound.
func TestTimeOfALateAnswerIsBounded(t *testing.T) {
	for _, port := range []string{overTCP, overRTU} {
		slave := ownAddress(1)
		slave.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Late: 800 * time.Millisecond} }
		g := &modbustest.Gateway{RTU: port == overRTU, Slaves: []*modbustest.Slave{slave}}
		served(t, g, modbus.Settings{Port: port, Baud: 115200}, func(line *modbus.Line) {
			var err error
			for i := range 8 {
				_, err = line.Read(t.Context(), 1, modbus.FuncReadInput, 0x20, 2)
				<-time.After(time.Duration(1+i%3*4) * time.Second)
			}
			if !errors.Is(err, modbus.ErrLate) || !strings.Contains(fmt.Sprint(err), "came at most 1.") {
				t.Errorf("%s: %v", port, err)
			}
		})
	}
}
