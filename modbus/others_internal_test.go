package modbus

import (
	"testing"
	"time"
)

// TestAReadIsWidenedToALengthThatNobodyUses: whatever length is chosen at random, the read includes the wanted
// registers and stays within the unit's limits. Neither the other program nor an earlier read has used that length.
func TestAReadIsWidenedToALengthThatNobodyUses(t *testing.T) {
	now := time.Now()
	used := []uint16{11, 13, 17, 19}
	var o others
	for _, n := range used {
		o.note(shape{FuncReadInput, n}, now)
	}
	q := ask{unit: 1, function: FuncReadInput, addr: 100, count: 4}
	before := []wideRead{{asked: ask{unit: 1, function: FuncReadInput, addr: 98, count: 15}}}
	few := &unit{id: 1, most: 25}
	for _, u := range []*unit{few, {id: 1, avoid: []Range{{First: 60, Last: 65}}}} {
		for i := range 1000 {
			wide := o.widen(u, q, before, i%2 == 0, now)
			if wide.addr > q.addr || wide.addr+wide.count < q.addr+q.count {
				t.Fatalf("%+v does not include %+v", wide, q)
			}
			if wide.count <= q.count || wide.count > u.mostOf(q.function) || u.avoids(wide) {
				t.Fatalf("%+v is beyond the limits of the unit", wide)
			}
			if o.has(wide.shape(), now) || wide.count == 15 {
				t.Fatalf("%+v has a length that is in use", wide)
			}
		}
	}
	long := ask{unit: 1, function: FuncReadInput, addr: 100, count: 25}
	if wide := o.widen(few, long, nil, false, now); wide != long {
		t.Errorf("a read that cannot be widened became %+v", wide)
	}
}

// TestAnotherProgramIsForgottenInTime: the lengths that a program used count for an hour, its presence counts for
// twenty seconds. A program with long pauses counts longer.
func TestAnotherProgramIsForgottenInTime(t *testing.T) {
	start := time.Now()
	s := shape{FuncReadInput, 11}
	var o others
	o.note(s, start)
	for _, c := range []struct {
		after                      time.Duration
		use, near, isNew, spareOne bool
	}{
		{after: time.Second, use: true, near: true, isNew: true},
		{after: othersLeast, near: true, isNew: true},
		{after: othersNew, near: true},
		{after: othersMost + time.Second, near: true}, // the length still counts as used
		{after: nearLeast, spareOne: true},
	} {
		now := start.Add(c.after)
		spare := o.spare(ask{unit: 1, function: s.function, count: s.count}, now)
		if o.use(s, now) != c.use || o.near(now) != c.near || o.isNew(now) != c.isNew || spare != c.spareOne {
			t.Errorf("after %v: use %v, near %v, new %v, spare %v", c.after, o.use(s, now), o.near(now), o.isNew(now), spare)
		}
	}
	o.note(s, start.Add(time.Minute))
	if now := start.Add(3 * time.Minute); !o.use(s, now) {
		t.Error("a program with a pause of a minute is gone after two")
	}
}
