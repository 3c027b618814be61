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

// Fault forces one object to a value for a time.
type Fault struct {
	Object string
	// Value is the name of a bit, the name of a state, a number, a text, or NoSensor. A bit is set; the other bits of
	// the object do not change.
	Value string
	// From and Until are simulated times since the start. The fault ends just before Until. Until 0: it does not end.
	From, Until time.Duration
}

// NoSensor is the Value of a Fault that removes a sensor. The object must have an encoding for "no value".
const NoSensor = "none"

// UnknownError means that a Fault names an object, a bit or a state that the family does not have. New wraps it.
type UnknownError struct {
	Kind  string   // "object", "bit" or "state"
	Name  string   // the unknown name
	Of    string   // the family (for an object), or the object (for a bit or a state)
	Known []string // the names that exist, ascending
}

func (e *UnknownError) Error() string { return fmt.Sprintf("%s has no %s %q", e.Of, e.Kind, e.Name) }

// role is the effect of a register of faults, alarms or states on the plant.
type role int

const (
	chargeFault role = iota // no charging
	loadFault               // no load
	systemFault             // no charging and no load
	alarm                   // no effect but the bit
	roles                   // number of roles above, which have a mask in faults.now
	chargeState             // some states mean: no charging
	switchState             // some states mean: no load
	display                 // no effect but the value of the register
)

// forced is a Fault with its object, and with its value as a mask or an objects.Value.
type forced struct {
	object      *objects.Object
	role        role
	bit         uint64        // mask of the bit, for a bit field; 0 for other objects
	value       objects.Value // for other objects than a bit field
	from, until time.Duration // as plant.time
}

func (f *forced) active(t time.Duration) bool { return f.from <= t && t < f.until }

// stopsCharge reports whether f stops the charge: f is a fault of the charger or of the system, or one of the charge
// states START, DISCONNECT, NIGHT and FAULT.
func (f *forced) stopsCharge() bool {
	resting := []uint16{0, 2, uint16(night), uint16(faulted)}
	return f.role == chargeFault || f.role == systemFault || f.role == chargeState && f.isState(resting)
}

// stopsLoad reports whether f switches the load off: f is a fault of the load or of the system, or one of the load
// states START, LVD, FAULT, DISCONNECT and LOAD_OFF.
func (f *forced) stopsLoad() bool {
	off := []uint16{0, uint16(loadLow), uint16(loadFaulted), 5, 6}
	return f.role == loadFault || f.role == systemFault || f.role == switchState && f.isState(off)
}

func (f *forced) isState(numbers []uint16) bool {
	return slices.ContainsFunc(numbers, func(n uint16) bool { return stateOf(f.object, n).Equal(f.value) })
}

// faults has the forced values, and their effects at this moment.
type faults struct {
	forced  []forced
	lowLoad uint64 // mask of the alarm that means "load off because the battery is low"; 0: none

	now              [roles]uint64 // masks of the current faults and alarms
	noCharge, noLoad bool
}

// apply updates the effects of the forced values. A fault of the charger or of the load has its effect on p at once.
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

// over returns the value of an object: v, or the value that is forced at time t.
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

// understand finds the bit, the state or the number that a fault names. start is the plant.time for From 0.
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

// after returns start + d, at most the largest Duration.
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

// names returns the names of the object's states or bits. If they depend on a mode, it returns the names of mode 0: the
// simulated controllers are in mode 0.
func names(o *objects.Object) map[uint16]string {
	if o.NamesBy != nil {
		return o.NamesBy.Tables[0]
	}
	return o.Names
}

// stateOf returns the value of state n, with the object's name for it.
func stateOf(o *objects.Object, n uint16) objects.Value {
	if name, ok := names(o)[n]; ok {
		return objects.Text(name)
	}
	return objects.Text("UNKNOWN_" + strconv.Itoa(int(n)))
}

// bitsOf returns the bits of a mask, with the object's names for them.
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
