package sim

import (
	"fmt"
	"slices"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/objects"
)

// MidMorning is 9:30, a good start for a demo: the battery still accepts all the current that the sun gives.
const MidMorning = 9*time.Hour + 30*time.Minute

// Modbus exception codes (MODBUS Application Protocol V1.1b3 §7).
const (
	illegalFunction = 0x01
	illegalAddress  = 0x02
	illegalValue    = 0x03
	deviceFailure   = 0x04
)

// maxRegisters is the most registers of one request (MODBUS Application Protocol V1.1b3 §6.3).
const maxRegisters = 125

// Options describe a controller and its start.
type Options struct {
	Family *objects.Family // one of the built-in families
	Unit   byte            // unit id, 1 to 247; 0 means 1
	Seed   uint64          // the same seed gives the same weather
	Start  time.Duration   // time of day when Elapsed is 0: 0 (midnight) or more, and less than 24 h; see MidMorning
	Faults []Fault

	// Elapsed returns the simulated time since the start. It may run faster than real time. A time that is earlier than
	// the one before has no effect. Nil: the time is always Start.
	Elapsed func() time.Duration
}

// Controller is one simulated controller. Only one goroutine may use it.
type Controller struct {
	slug    string           // of the family
	family  []objects.Object // each disputed object has the first of its encodings
	model   model
	plant   *plant
	start   time.Duration
	elapsed func() time.Duration

	blocks []block
	filled time.Duration // plant.time of the values in the blocks
}

// block has the values of a run of registers.
type block struct {
	first uint16
	regs  []uint16
}

// New returns a controller that was simulated from midnight to Start, so its daily values agree with the time of day.
// It fails for a Start outside of a day, a Unit above 247, a family without a model, an object that the model does not
// know, and a fault that the family cannot have. The error is an *UnknownError if a Fault has an unknown name.
func New(o Options) (*Controller, error) {
	m, ok := modelOf(o.Family.Slug)
	switch {
	case !ok:
		return nil, fmt.Errorf("simulate a controller: there is no model of the family %s", o.Family.Slug)
	case o.Start < 0 || o.Start >= day:
		return nil, fmt.Errorf("simulate a controller: the start %v is no time of day", o.Start)
	case o.Unit > 247:
		return nil, fmt.Errorf("simulate a controller: want a unit id of 1 to 247, not %d", o.Unit)
	}
	c := &Controller{
		slug: o.Family.Slug, model: m, start: o.Start, elapsed: o.Elapsed,
		plant: newPlant(m.site, sealed(), max(o.Unit, 1), o.Seed),
	}
	for _, r := range m.blocks {
		c.blocks = append(c.blocks, block{first: r.first, regs: make([]uint16, int(r.last)-int(r.first)+1)})
	}
	if err := c.live(o); err != nil {
		return nil, fmt.Errorf("simulate a controller of the family %s: %w", o.Family.Slug, err)
	}
	return c, nil
}

// live simulates the controller from midnight to its start.
func (c *Controller) live(o Options) error {
	if err := c.choose(o.Family); err != nil {
		return err
	}
	c.plant.begin()
	if err := c.fill(); err != nil { // force needs the scales in the registers
		return err
	}
	for _, f := range o.Faults {
		if err := c.force(f); err != nil {
			return err
		}
	}
	c.plant.begin()
	c.plant.advance(o.Start)
	return c.fill()
}

// choose sets family: for each disputed object it uses the first encoding.
func (c *Controller) choose(f *objects.Family) (err error) {
	for _, object := range f.Objects {
		if len(object.Choices) > 0 {
			if object, err = object.With(object.Choices[0].Name); err != nil {
				return err
			}
		}
		c.family = append(c.family, object)
	}
	for i := range c.family {
		o := &c.family[i]
		if c.model.roles[o.Name] == alarm && o.Kind() == objects.KindBits && c.model.lowLoad != "" {
			c.plant.faults.lowLoad = maskOf(o, []string{c.model.lowLoad})
		}
	}
	return nil
}

// force adds a fault. It fails if the registers cannot hold the value of the fault.
func (c *Controller) force(f Fault) error {
	i := slices.IndexFunc(c.family, func(o objects.Object) bool { return o.Name == f.Object })
	if i < 0 {
		known := []string{}
		for i := range c.family {
			known = append(known, c.family[i].Name)
		}
		slices.Sort(known)
		return &UnknownError{Kind: "object", Name: f.Object, Of: c.slug, Known: known}
	}
	o := &c.family[i]
	what, err := understand(f, o, c.start)
	if err != nil {
		return err
	}
	if r, ok := c.model.roles[o.Name]; ok {
		what.role = r
	}
	if name, ok := c.leaning(o); ok {
		return fmt.Errorf("%s cannot be forced: what %s means depends on it", o.Name, name)
	}
	if what.bit == 0 {
		if err := EncodeSpan(o, what.value, slices.Clone(c.span(o))); err != nil {
			return err
		}
	}
	c.plant.faults.forced = append(c.plant.faults.forced, what)
	return nil
}

// leaning returns the name of an object whose scale or names depend on o.
func (c *Controller) leaning(o *objects.Object) (name string, ok bool) {
	for i := range c.family {
		other := &c.family[i]
		scaled := slices.ContainsFunc(other.Times, func(scale objects.Object) bool { return scale.Name == o.Name })
		if scaled || other.NamesBy != nil && other.NamesBy.Object.Name == o.Name {
			return other.Name, true
		}
	}
	return "", false
}

// Slave returns a new slave for a line of modbustest, which answers with the controller's registers. The caller may
// change it. Its Identity is nil if the controller does not identify itself.
func (c *Controller) Slave() *modbustest.Slave {
	return &modbustest.Slave{Unit: c.plant.unit, Read: c.Read, Identity: c.model.identity()}
}

// Read answers a request of function 03 or 04. It returns the registers as they are now, or nil and an exception code.
func (c *Controller) Read(function byte, addr, count uint16) (registers []uint16, exception byte) {
	switch {
	case function != 0x03 && function != 0x04:
		return nil, illegalFunction
	case count < 1 || count > maxRegisters:
		return nil, illegalValue
	}
	regs := c.find(addr, count)
	if regs == nil {
		return nil, illegalAddress
	}
	if err := c.refresh(); err != nil {
		return nil, deviceFailure
	}
	return append([]uint16(nil), regs...), 0
}

// find returns count registers beginning at addr; nil if they are not all in one block.
func (c *Controller) find(addr, count uint16) []uint16 {
	for _, b := range c.blocks {
		from, to := int(addr)-int(b.first), int(addr)-int(b.first)+int(count)
		if from >= 0 && to <= len(b.regs) {
			return b.regs[from:to:to]
		}
	}
	return nil
}

// span returns the registers that an object is decoded from; nil if they are not in one block.
func (c *Controller) span(o *objects.Object) []uint16 { return c.find(o.Span()) }

// refresh advances the plant to the current time, and updates the registers if at least one step has passed.
func (c *Controller) refresh() error {
	if c.elapsed == nil {
		return nil
	}
	c.plant.advance(after(c.start, c.elapsed()))
	if c.plant.time == c.filled {
		return nil
	}
	return c.fill()
}

// fill writes the value of every object into its registers. An object that another one depends on has a lower address,
// so it is written first.
func (c *Controller) fill() error {
	for i := range c.family {
		o := &c.family[i]
		q, ok := c.model.table[o.Name]
		if !ok {
			return fmt.Errorf("the model does not know the object %s", o.Name)
		}
		place := c.span(o)
		if place == nil {
			return fmt.Errorf("the object %s at 0x%04X is in no block", o.Name, o.Address)
		}
		if err := EncodeSpan(o, c.plant.faults.over(o, q(c.plant, o), c.plant.time), place); err != nil {
			return err
		}
	}
	c.filled = c.plant.time
	return nil
}
