package sim

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"noi-agent/objects"
)

// Fault forces one object to show something for a time, whatever the model has.
type Fault struct {
	Object string
	// Value is the name of a bit, which is then set beside those that are; the name of a state; a number; a text; or
	// NoSensor.
	Value       string
	From, Until time.Duration // simulated time since the start; Until is not included any more, 0: for ever
}

// NoSensor is the Value of a Fault that takes a sensor away, where an object can say so.
const NoSensor = "none"

// UnknownError is a Fault that names what the family does not have. New returns it, wrapped.
type UnknownError struct {
	Kind  string   // "object", "bit" or "state"
	Name  string   // what was named
	Of    string   // the family, or the object
	Known []string // what it has, ascending
}

func (e *UnknownError) Error() string { return fmt.Sprintf("%s has no %s %q", e.Of, e.Kind, e.Name) }

// role is what a register of faults, alarms or states means to the plant.
type role int

const (
	chargeFault role = iota // no charging
	loadFault               // no load
	systemFault             // neither
	alarm                   // all goes on
	roles                   // how many have a mask of their own
	chargeState             // a state in which the charger rests
	switchState             // a state in which the load is off
	display                 // nothing: the register alone shows it
)

// forced is a Fault once its words are understood.
type forced struct {
	object      *objects.Object
	role        role
	bit         uint64        // of a bit field, as a mask
	value       objects.Value // of anything else
	from, until time.Duration // in the plant's time
}

func (f *forced) active(t time.Duration) bool { return f.from <= t && t < f.until }

// stopsCharge reports whether nothing flows into the battery while this is forced: a fault, or one of START,
// DISCONNECT, NIGHT and FAULT.
func (f *forced) stopsCharge() bool {
	resting := []uint16{0, 2, uint16(night), uint16(faulted)}
	return f.role == chargeFault || f.role == systemFault || f.role == chargeState && f.isState(resting)
}

// stopsLoad reports whether the load is off while this is forced: a fault, or START, LVD, FAULT, DISCONNECT or
// LOAD_OFF.
func (f *forced) stopsLoad() bool {
	off := []uint16{0, uint16(loadLow), uint16(loadFaulted), 5, 6}
	return f.role == loadFault || f.role == systemFault || f.role == switchState && f.isState(off)
}

func (f *forced) isState(numbers []uint16) bool {
	return slices.ContainsFunc(numbers, func(n uint16) bool { return stateOf(f.object, n).Equal(f.value) })
}

// faults is what is forced, and what follows from it at this moment.
type faults struct {
	forced  []forced
	lowLoad uint64 // the bit among the alarms that reports a load that is off to save the battery; 0: none

	now              [roles]uint64 // faults and alarms by bit
	noCharge, noLoad bool
}

// apply works out what is at fault now, and lets the charger and the load's switch trip.
func (f *faults) apply(p *plant) {
	f.now, f.noCharge, f.noLoad = [roles]uint64{}, false, false
	for i := range f.forced {
		if what := &f.forced[i]; what.active(p.time) {
			f.noCharge = f.noCharge || what.stopsCharge()
			f.noLoad = f.noLoad || what.stopsLoad()
			if what.role < roles {
				f.now[what.role] |= what.bit
			}
		}
	}
	if p.load == loadLow {
		f.now[alarm] |= f.lowLoad
	}
	if f.noLoad {
		p.load = loadFaulted
	}
	for _, b := range p.banks {
		if f.noCharge {
			b.stage = faulted
		}
	}
}

// over returns what an object shows: v, or what is forced upon it.
func (f *faults) over(o *objects.Object, v objects.Value, t time.Duration) objects.Value {
	for i := range f.forced {
		what := &f.forced[i]
		switch {
		case what.object.Name != o.Name || !what.active(t):
		case what.bit != 0:
			v = bitsOf(o, maskOf(o, v.Names())|what.bit)
		default:
			v = what.value
		}
	}
	return v
}

// understand finds what a fault names. start is the plant's time at which faults count from.
func understand(f Fault, o *objects.Object, start time.Duration) (forced, error) {
	out := forced{object: o, role: display, from: after(start, f.From), until: math.MaxInt64}
	if f.Until > 0 {
		out.until = after(start, f.Until)
	}
	var err error
	switch {
	case f.From < 0 || f.Until < 0 || f.Until > 0 && f.Until <= f.From:
		return out, fmt.Errorf("a fault of %s from %v until %v never comes", f.Object, f.From, f.Until)
	case f.Value == NoSensor:
		return out, nil
	case o.Kind() == objects.KindBits:
		var bit uint16
		bit, err = lookUp("bit", o, f.Value, "bit_", uint16(o.Bits().Width-1))
		out.bit = 1 << bit
	case o.Encoding == objects.State16:
		_, err = lookUp("state", o, f.Value, "UNKNOWN_", math.MaxUint16)
		out.value = objects.Text(f.Value)
	case o.Kind() == objects.KindNumber:
		var number float64
		if number, err = strconv.ParseFloat(f.Value, 64); err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
			return out, fmt.Errorf("%s takes a number, or %s; not %q", o.Name, NoSensor, f.Value)
		}
		out.value = objects.Number(number)
	default:
		out.value = objects.Text(f.Value)
	}
	return out, err
}

// after adds without running over.
func after(start, d time.Duration) time.Duration {
	if d > math.MaxInt64-start {
		return math.MaxInt64
	}
	return start + d
}

// lookUp finds a bit or a state by its name.
func lookUp(kind string, o *objects.Object, name, prefix string, most uint16) (uint16, error) {
	n, err := number(names(o), name, prefix, 0, most)
	if err != nil {
		known := slices.Sorted(maps.Values(names(o)))
		return 0, &UnknownError{Kind: kind, Name: name, Of: o.Name, Known: slices.Compact(known)}
	}
	return n, nil
}

// names returns the names of the object's states or bits; where a mode decides, those of mode 0, which is the model's.
func names(o *objects.Object) map[uint16]string {
	if o.NamesBy != nil {
		return o.NamesBy.Tables[0]
	}
	return o.Names
}

// stateOf returns the state of that number as the object names it.
func stateOf(o *objects.Object, n uint16) objects.Value {
	if name, ok := names(o)[n]; ok {
		return objects.Text(name)
	}
	return objects.Text("UNKNOWN_" + strconv.Itoa(int(n)))
}

// bitsOf returns the bits of a mask as the object names them.
func bitsOf(o *objects.Object, mask uint64) objects.Value {
	set := []string{}
	for n := range 16 * o.Registers {
		if mask>>n&1 == 0 {
			continue
		}
		name, ok := o.Names[n]
		if !ok {
			name = "bit_" + strconv.Itoa(int(n))
		}
		set = append(set, name)
	}
	return objects.Bits(set)
}

// maskOf is the reverse of bitsOf.
func maskOf(o *objects.Object, set []string) uint64 {
	var mask uint64
	for n := range 16 * o.Registers {
		if len(set) > 0 && bitsOf(o, 1<<n).Names()[0] == set[0] {
			mask |= 1 << n
			set = set[1:]
		}
	}
	return mask
}
