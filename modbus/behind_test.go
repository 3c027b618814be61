package modbus_test

import (
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// TestARequestBehindAnAnswerIsHeardWhole: noise of one byte comes before an answer, so the line reads one byte too
// many. This byte is the first of another master's request. The line must not lose the rest of the request, because
// the reply to it fits the next read.
func TestARequestBehindAnAnswerIsHeardWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const theirs, ours = 110, 810
		one, two := ownAddress(1), ownAddress(2)
		noisy := false
		one.Script = func(r modbustest.Request) (f modbustest.Fault) {
			switch {
			case noisy:
				f.Before, noisy = []byte{0x45}, false
			case r.Addr == theirs:
				f.Late = 100 * time.Millisecond
			}
			return f
		}
		two.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: true} }
		line, pipe := pipeLine(t, one, two)
		for range 3 { // brings the line in step with the first unit
			if _, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 500, 1); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second)
		}
		_, _ = line.Read(t.Context(), 2, modbus.FuncReadInput, 500, 8) // from now on a late reply of unit 2 may come
		<-time.After(time.Second)
		noisy = true
		go func() {
			<-time.After(time.Millisecond) // our request is on the wire
			pipe.Overhear(question{1, modbus.FuncReadInput, theirs, 2}.request())
		}()
		if _, err := line.Read(t.Context(), 1, modbus.FuncReadInput, 501, 1); err != nil {
			t.Fatal(err)
		}
		reply, err := line.Read(t.Context(), 1, modbus.FuncReadInput, ours, 2)
		if err == nil && reply.Registers[0] != ours {
			t.Errorf("register %d is %d", ours, reply.Registers[0])
		}
		if line.Counters().Rivals == 0 {
			t.Error("the other master was not noticed")
		}
	})
}
