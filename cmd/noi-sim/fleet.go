package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"noi-agent/internal/strictyaml"
	"noi-agent/modbus/modbustest"
	"noi-agent/objects"
	"noi-agent/sim"
)

// weather is the seed of the weather at unit 1: every demo has the same day. Each other unit has its own weather.
const weather = 1

// fleet has the controllers on the line.
type fleet struct {
	units   []*unit // ascending by id
	speed   float64
	started time.Time // start of the line; zero: not started yet
}

// unit is one controller of the fleet.
type unit struct {
	id     byte
	family *objects.Family
	slave  *modbustest.Slave

	refused int // Modbus requests that got an exception; only the line's goroutine uses it until the world is closed
}

// newFleet returns the controllers of --slaves with the faults of --fault. Its errors are errors of the command line.
func newFleet(o runOptions) (*fleet, error) {
	catalog, err := objects.LoadCatalog()
	if err != nil {
		return nil, err
	}
	f := &fleet{speed: o.Speed}
	if f.units, err = parseSlaves(o.Slaves, catalog); err != nil {
		return nil, fmt.Errorf("--slaves: %w", err)
	}
	faults := map[byte][]sim.Fault{}
	for _, text := range o.Fault {
		if err := f.assign(text, faults); err != nil {
			return nil, fmt.Errorf("--fault %s: %w", text, err)
		}
	}
	for _, u := range f.units {
		if err := f.build(u, faults[u.id]); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// build gives a unit its simulated controller.
func (f *fleet) build(u *unit, faults []sim.Fault) error {
	controller, err := sim.New(sim.Options{
		Family: u.family, Unit: u.id, Seed: weather + uint64(u.id) - 1, Start: sim.MidMorning, Faults: faults,
		Elapsed: f.elapsed,
	})
	if err != nil {
		return err
	}
	u.slave = controller.Slave()
	u.slave.Read = func(function byte, addr, count uint16) ([]uint16, byte) {
		regs, exception := controller.Read(function, addr, count)
		if exception != 0 {
			u.refused++
		}
		return regs, exception
	}
	return nil
}

// elapsed returns the simulated time since the start of the line; 0 before the start.
func (f *fleet) elapsed() time.Duration {
	if f.started.IsZero() {
		return 0
	}
	return accelerate(time.Since(f.started), f.speed)
}

// slaves returns the Modbus slaves of all units.
func (f *fleet) slaves() []*modbustest.Slave {
	var all []*modbustest.Slave
	for _, u := range f.units {
		all = append(all, u.slave)
	}
	return all
}

// String returns "1=PSPWM (PS-PWM-30M), 2=SURESINE".
func (f *fleet) String() string {
	var words []string
	for _, u := range f.units {
		text := fmt.Sprintf("%d=%s", u.id, u.family.Slug)
		if u.slave.Identity != nil {
			text += " (" + u.slave.Identity.Product + ")"
		}
		words = append(words, text)
	}
	return strings.Join(words, ", ")
}

// accelerate converts real time to simulated time. The result is at most the largest Duration.
func accelerate(real time.Duration, speed float64) time.Duration {
	if t := speed * float64(real); t < math.MaxInt64 {
		return time.Duration(t)
	}
	return math.MaxInt64
}

// parseSlaves reads "1=PSPWM,2=TSMPPT". Several units may have the same id: their replies collide.
func parseSlaves(text string, catalog *objects.Catalog) ([]*unit, error) {
	var units []*unit
	for part := range strings.SplitSeq(text, ",") {
		number, slug, ok := strings.Cut(part, "=")
		id, err := strconv.ParseUint(number, 10, 8)
		if !ok || err != nil || id < 1 || id > 247 {
			return nil, fmt.Errorf("want UNIT=FAMILY with a unit id of 1 to 247, as in 1=PSPWM,2=TSMPPT; not %q", part)
		}
		family, known := catalog.Family(slug)
		if !known {
			var slugs []string
			for _, f := range catalog.Families() {
				slugs = append(slugs, f.Slug)
			}
			return nil, fmt.Errorf("there is no family %q%s", slug, hint(slug, slugs))
		}
		units = append(units, &unit{id: byte(id), family: family})
	}
	slices.SortStableFunc(units, func(a, b *unit) int { return cmp.Compare(a.id, b.id) })
	return units, nil
}

// mostNamed is the most names that a hint lists: enough for the bits of a fault field, not for the objects of a family.
const mostNamed = 32

// hint returns the known name that was probably meant, or the list of known names, or "".
func hint(name string, known []string) string {
	if near := strictyaml.Nearest(name, known); near != "" {
		return "; did you mean " + near + "?"
	}
	if len(known) <= mostNamed {
		return "; there are " + strings.Join(known, ", ")
	}
	return ""
}

// assign adds the fault in text to the faults of its unit. If text has no unit, it adds the fault to each unit whose
// family has the object.
func (f *fleet) assign(text string, faults map[byte][]sim.Fault) error {
	id, fault, err := parseFault(text)
	if err != nil {
		return err
	}
	fault.From, fault.Until = f.simulated(fault.From, fault.Until)
	units, err := f.concerned(id, fault.Object)
	if err != nil {
		return err
	}
	for _, u := range units {
		// This checks that the family can have the fault. It starts at midnight, because then there is nothing to
		// simulate.
		if _, err := sim.New(sim.Options{Family: u.family, Unit: u.id, Faults: []sim.Fault{fault}}); err != nil {
			return explain(err)
		}
		faults[u.id] = append(faults[u.id], fault)
	}
	return nil
}

// simulated returns a fault's times in simulated time.
func (f *fleet) simulated(from, until time.Duration) (time.Duration, time.Duration) {
	from = accelerate(from, f.speed)
	if until > 0 {
		until = max(accelerate(until, f.speed), from+1) // at a very low speed both would be the same
	}
	return from, until
}

// concerned returns the unit with that id. For id 0 it returns all units that have the object.
func (f *fleet) concerned(id byte, object string) ([]*unit, error) {
	var units []*unit
	var known []string
	for _, u := range f.units {
		if id != 0 && u.id != id {
			continue
		}
		if _, has := u.family.Object(object); has || id != 0 {
			units = append(units, u)
		}
		for i := range u.family.Objects {
			known = append(known, u.family.Objects[i].Name)
		}
	}
	switch {
	case len(units) > 0:
		return units, nil
	case id != 0:
		return nil, fmt.Errorf("there is no unit %d; there are %s", id, f.ids())
	default:
		return nil, fmt.Errorf("no controller here has an object %q%s", object, hint(object, known))
	}
}

func (f *fleet) ids() string {
	var ids []string
	for _, u := range f.distinct() {
		ids = append(ids, strconv.Itoa(int(u.id)))
	}
	return strings.Join(ids, ", ")
}

// distinct returns the units, of those with the same id only the first.
func (f *fleet) distinct() []*unit {
	return slices.CompactFunc(slices.Clone(f.units), func(a, b *unit) bool { return a.id == b.id })
}

// explain adds a hint to an error about an unknown name.
func explain(err error) error {
	var unknown *sim.UnknownError
	if !errors.As(err, &unknown) {
		return err
	}
	return fmt.Errorf("%w%s", unknown, hint(unknown.Name, unknown.Known))
}

// parseFault reads "2/array_fault:rts_shorted@30s-90s". The times are real times. The unit and the end may be missing;
// then id and Until are 0.
func parseFault(text string) (id byte, f sim.Fault, err error) {
	wrong := errors.New("want [UNIT/]OBJECT:VALUE@FROM[-UNTIL], as in 2/array_fault:rts_shorted@30s-90s")
	at := strings.LastIndex(text, "@")
	object, value, ok := strings.Cut(text[:max(at, 0)], ":")
	if !ok || value == "" {
		return 0, f, wrong
	}
	if unit, rest, named := strings.Cut(object, "/"); named {
		n, err := strconv.ParseUint(unit, 10, 8)
		if err != nil || n < 1 {
			return 0, f, wrong
		}
		id, object = byte(n), rest
	}
	from, until, ends := strings.Cut(text[at+1:], "-")
	f = sim.Fault{Object: object, Value: value}
	if f.From, err = time.ParseDuration(from); err != nil || f.From < 0 {
		return 0, f, fmt.Errorf("want a time as in 30s or 5m, not %q", from)
	}
	if !ends {
		return id, f, nil
	}
	if f.Until, err = time.ParseDuration(until); err != nil || f.Until <= f.From {
		return 0, f, fmt.Errorf("want an end after %v, as in 30s-90s, not %q", f.From, until)
	}
	return id, f, nil
}
