package modbus_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// TestSlaveOfIsolatedRegistersComesBack: a slave has some single registers, and does not answer a read that includes
// any other register. It was away for an hour, while the agent asked for its objects and its identification. When it
// is back, each object is read within twelve tries.
func TestSlaveOfIsolatedRegistersComesBack(t *testing.T) {
	type object struct{ addr, count uint16 }
	for _, objects := range [][]object{
		{{0x10, 1}, {0x20, 1}, {0x30, 1}},
		{{0x10, 1}, {0x20, 2}, {0x30, 1}},
		{{0x10, 2}, {0x20, 2}, {0x30, 2}},
		{{0x10, 1}, {0x20, 4}, {0x30, 1}},
	} {
		for _, named := range []bool{true, false} {
			t.Run(fmt.Sprintf("%v identified %v", objects, named), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					slave := ownAddress(1)
					line, _ := pipeLine(t, slave)
					away := false
					slave.Script = func(r modbustest.Request) modbustest.Fault {
						if r.Function != modbus.FuncReadInput && r.Function != modbus.FuncReadHolding {
							return modbustest.Fault{Silent: away}
						}
						for _, o := range objects {
							if r.Function == modbus.FuncReadInput && o.addr <= r.Addr && r.Addr+r.Count <= o.addr+o.count {
								return modbustest.Fault{Silent: away}
							}
						}
						return modbustest.Fault{Silent: true}
					}
					read := func(o object) (err error) {
						for range 12 {
							if _, err = line.Read(t.Context(), 1, modbus.FuncReadInput, o.addr, o.count); err == nil {
								return nil
							}
						}
						return err
					}
					for _, o := range objects {
						if err := read(o); err != nil {
							t.Errorf("at first: %v: %v", o, err)
						}
					}
					away = true
					if named {
						_, _ = line.Identify(t.Context(), 1)
					}
					for i := range 24 {
						o := objects[i%len(objects)]
						_, _ = line.Read(t.Context(), 1, modbus.FuncReadInput, o.addr, o.count)
						time.Sleep(5 * time.Minute)
					}
					away = false
					for _, o := range objects {
						if err := read(o); err != nil {
							t.Errorf("%v: %v", o, err)
						}
					}
				})
			})
		}
	}
}

// TestSlaveOfHolesBesideADamagedRead: one read of a slave always arrives damaged, and the slave does not answer reads
// of registers that it lacks. Its other objects are read at the first try each time: the line records, by length, the
// probes that the slave has answered.
func TestSlaveOfHolesBesideADamagedRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := ownAddress(1)
		line, _ := pipeLine(t, slave)
		slave.Script = func(r modbustest.Request) (f modbustest.Fault) {
			switch {
			case r.Function == modbus.FuncReadInput && r.Count == 1 && (r.Addr == 0x06 || r.Addr == 0x0A || r.Addr == 0x31):
			case r.Function == modbus.FuncReadInput && r.Addr == 0x34 && r.Count == 2:
				f.Mangle = func(reply []byte) []byte { reply[len(reply)-1] ^= 1; return reply }
			case r.Function == modbus.FuncReadInput || r.Function == modbus.FuncReadHolding:
				f.Silent = true
			}
			return f
		}
		failed := 0
		for range 100 {
			for _, addr := range []uint16{0x06, 0x0A, 0x31} {
				if _, err := line.Read(t.Context(), 1, modbus.FuncReadInput, addr, 1); err != nil {
					failed++
				}
			}
			for range 3 {
				_, _ = line.Read(t.Context(), 1, modbus.FuncReadInput, 0x34, 2)
			}
			time.Sleep(time.Second)
		}
		if failed > 6 {
			t.Errorf("%d of 300 reads failed, without the damaged ones", failed)
		}
	})
}

// TestSlaveThatRefusesComesIntoStepAfterDamage: a slave has single registers, and refuses all others with an
// exception. For some minutes all its replies arrive damaged. So a late reply to any kind of request may still come,
// as far as the line knows. The requests continue without a pause, and two minutes after the end of the damage the
// reads succeed again.
func TestSlaveThatRefusesComesIntoStepAfterDamage(t *testing.T) {
	for extra := range 6 {
		synctest.Test(t, func(t *testing.T) { refusesAfterDamage(t, extra) })
	}
}

// refusesAfterDamage ends the damage later than in the other cases, by so many reads.
func refusesAfterDamage(t *testing.T, extra int) {
	slave := ownAddress(1)
	line, _ := pipeLine(t, slave)
	addrs := []uint16{0x05, 0x12, 0x16, 0x24, 0x30, 0x49}
	damaged := false
	slave.Script = func(r modbustest.Request) (f modbustest.Fault) {
		if damaged {
			f.Mangle = func(reply []byte) []byte { reply[len(reply)-1] ^= 1; return reply }
		}
		isRead := r.Function == modbus.FuncReadInput || r.Function == modbus.FuncReadHolding
		if isRead && (r.Function != modbus.FuncReadInput || r.Count != 1 || !slices.Contains(addrs, r.Addr)) {
			f.Exception = 2
		}
		return f
	}
	read := func(n int) error {
		_, err := line.Read(t.Context(), 1, modbus.FuncReadInput, addrs[n%len(addrs)], 1)
		return err
	}
	poll := func(rounds int) (failed int) {
		for range rounds {
			for n := range addrs {
				if read(n) != nil {
					failed++
				}
			}
			time.Sleep(5 * time.Second)
		}
		return failed
	}
	damaged = true // from the start on
	for range 20 {
		poll(2)
		_, _ = line.Identify(t.Context(), 1)
	}
	for n := range extra {
		_ = read(n)
	}
	damaged = false
	poll(24)
	if failed := poll(10); failed > 0 {
		t.Errorf("after %d more: %d of 60 reads failed two minutes after the last damage", extra, failed)
	}
}

// TestAReadThatWasNotSentSaysSo: the slave is not in step, and it ignores the probe. The next probe is the
// identification, which the slave has answered before, and not another read that the slave may ignore too.
func TestAReadThatWasNotSentSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := ownAddress(1)
		line, _ := pipeLine(t, slave)
		var asked []modbustest.Request
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			asked = append(asked, r)
			known := r.Function == modbus.FuncReadInput && r.Addr == 0x10 && r.Count == 1
			return modbustest.Fault{Silent: !known && r.Function != modbus.FuncEncapsulated}
		}
		read := func(addr uint16) error {
			_, err := line.Read(t.Context(), 1, modbus.FuncReadInput, addr, 1)
			return err
		}
		_, _ = line.Identify(t.Context(), 1)
		for range 5 {
			time.Sleep(time.Minute) // then the slave is in step
			if err := read(0x10); err != nil {
				t.Fatal(err)
			}
			if _, err := line.Identify(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			if err := read(0x20); !errors.Is(err, modbus.ErrTimeout) || errors.Is(err, modbus.ErrUnasked) {
				t.Errorf("a read that was ignored: %v", err)
			}
			asked = nil
			err := read(0x10)
			if len(asked) == 1 && (!errors.Is(err, modbus.ErrTimeout) || !errors.Is(err, modbus.ErrUnasked)) {
				t.Errorf("%+v was sent before it: %v", asked, err)
			}
		}
		if len(asked) != 2 || asked[0].Function != modbus.FuncEncapsulated || read(0x10) != nil {
			t.Errorf("at last %+v", asked)
		}
	})
}
