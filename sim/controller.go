package sim

import (
	"fmt"
	"time"

	"noi-agent/objects"
)

// MidMorning is a time of day at which a demo may start: the battery still takes all that the sun gives.
const MidMorning = 9*time.Hour + 30*time.Minute

// Modbus exception codes (MODBUS Application Protocol V1.1b3 §7).
const (
	illegalFunction = 0x01
	illegalAddress  = 0x02
	illegalValue    = 0x03
	deviceFailure   = 0x04
)

// maxRegisters is the most one request may ask for (MODBUS Application Protocol V1.1b3 §6.3).
const maxRegisters = 125

// Options say which controller and when.
type Options struct {
	Family *objects.Family // whose registers to hold; only PSPWM is known
	Seed   uint64          // of the weather; the same seed gives the same weather
	Start  time.Duration   // time of day when Elapsed is zero, 0 to 24 h; 0 is midnight, see MidMorning

	// Elapsed returns the simulated time since the start. It may run faster than real time; going back is ignored.
	// Nil: time stands still.
	Elapsed func() time.Duration
}

// Controller answers for one simulated ProStar PWM. It belongs to one goroutine.
type Controller struct {
	family  []objects.Object // with every disputed encoding chosen
	plant   *plant
	start   time.Duration
	elapsed func() time.Duration

	blocks []block
	filled time.Duration // the plant's time that the blocks show
}

// block is a run of registers that all answer, whether an object names them or not.
type block struct {
	first uint16
	regs  []uint16
}

// New returns a controller that has lived from midnight to Start, so that its daily values are those of a day. It fails for a
// start that is no time of day and for a family that the model does not know.
func New(o Options) (*Controller, error) {
	if o.Start < 0 || o.Start >= day {
		return nil, fmt.Errorf("simulate a controller: the start %v is no time of day", o.Start)
	}
	set := sealed()
	c := &Controller{
		plant: newPlant(set, o.Seed), start: o.Start, elapsed: o.Elapsed,
		// The blocks of MS-001838: RAM, EEPROM, and the serial number and versions that it leaves out.
		blocks: []block{
			{first: 0x0000, regs: make([]uint16, 0x4F)},
			{first: 0xE000, regs: make([]uint16, 0x50)},
			{first: 0xE080, regs: make([]uint16, 6)},
		},
	}
	for _, object := range o.Family.Objects {
		if len(object.Choices) > 0 {
			chosen, err := object.With(string(objects.F16))
			if err != nil {
				return nil, fmt.Errorf("simulate a controller: %w", err)
			}
			object = chosen
		}
		c.family = append(c.family, object)
	}
	c.plant.advance(o.Start)
	if err := c.fill(); err != nil {
		return nil, fmt.Errorf("simulate a controller of the family %s: %w", o.Family.Slug, err)
	}
	return c, nil
}

// Read answers function 03 or 04: the registers as they are now, or an exception code (then registers is nil).
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

// find returns the registers asked for, nil when they are not all within one block.
func (c *Controller) find(addr, count uint16) []uint16 {
	for _, b := range c.blocks {
		from, to := int(addr)-int(b.first), int(addr)-int(b.first)+int(count)
		if from >= 0 && to <= len(b.regs) {
			return b.regs[from:to:to]
		}
	}
	return nil
}

// refresh lets the plant catch up with the time and shows its new state, if a step has passed.
func (c *Controller) refresh() error {
	if c.elapsed == nil {
		return nil
	}
	c.plant.advance(c.start + c.elapsed())
	if c.plant.time == c.filled {
		return nil
	}
	return c.fill()
}

// fill writes every object's value into its registers.
func (c *Controller) fill() error {
	values := c.plant.registers()
	for i := range c.family {
		o := &c.family[i]
		v, ok := values[o.Name]
		if !ok {
			return fmt.Errorf("the model does not know the object %s", o.Name)
		}
		place := c.find(o.Address, o.Registers)
		if place == nil {
			return fmt.Errorf("the object %s at 0x%04X is in no block", o.Name, o.Address)
		}
		regs, err := Encode(o, v)
		if err != nil {
			return err
		}
		copy(place, regs)
	}
	c.filled = c.plant.time
	return nil
}
