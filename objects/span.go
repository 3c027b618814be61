package objects

import "fmt"

// Some registers need other registers. For example, a TriStar MPPT's voltage is a fraction of a full scale, which is in
// other registers; and the name of a state may depend on a mode. All of them must come in one read: with registers of
// another controller, or of another time, the value could be wrong.

// Span returns the registers that one read must include to decode the object: its own registers, those on which it
// depends, and those between. For most objects it is Address and Registers.
func (o *Object) Span() (addr, count uint16) {
	first, end := int(o.Address), int(o.Address)+int(o.Registers)
	if o.High != nil {
		end = int(o.Address) + 1
		first, end = min(first, int(*o.High)), max(end, int(*o.High)+1)
	}
	widen := func(p *Object) {
		from, n := p.Span()
		first, end = min(first, int(from)), max(end, int(from)+int(n))
	}
	for i := range o.Times {
		widen(&o.Times[i])
	}
	if o.Since != nil {
		widen(&o.Since.Object)
	}
	if o.NamesBy != nil {
		widen(&o.NamesBy.Object)
	}
	// loading the family has checked that one read can include all of them
	return uint16(first), uint16(min(end-first, 0xFFFF))
}

// leans reports whether the object depends on other registers, or its own registers are not next to each other.
func (o *Object) leans() bool {
	return o.High != nil || o.Times != nil || o.Since != nil || o.NamesBy != nil
}

// DecodeSpan turns the registers of the object's Span into its value. Its errors are those of Decode. ErrNoSample also
// means that a register on which the object depends gives no value.
func (o *Object) DecodeSpan(regs []uint16) (Value, error) {
	if !o.leans() {
		return o.Decode(regs)
	}
	addr, count := o.Span()
	if len(regs) != int(count) {
		return Value{}, fmt.Errorf("decode %s: %d registers, want the %d from 0x%04X", o.Name, len(regs), count, addr)
	}
	if err := o.checkFirmware(regs, addr); err != nil {
		return Value{}, err
	}
	factor, err := o.factor(regs, addr)
	if err != nil {
		return Value{}, err
	}
	names := o.Names
	if o.NamesBy != nil {
		// For a mode without a table, no state has a name: the value is UNKNOWN_3.
		p := &o.NamesBy.Object
		names = o.NamesBy.Tables[uint16(p.Raw(regs[p.Address-addr:][:1]))]
	}
	own := regs[o.Address-addr:]
	if o.High != nil {
		return o.value([]uint16{regs[*o.High-addr], own[0]}, factor, names)
	}
	return o.value(own[:o.Registers], factor, names)
}

// within decodes the object from registers that begin at addr.
func (o *Object) within(regs []uint16, addr uint16) (Value, error) {
	from, count := o.Span()
	return o.DecodeSpan(regs[from-addr:][:count])
}

// checkFirmware returns ErrFirmware if the slave's firmware is older than the object needs.
func (o *Object) checkFirmware(regs []uint16, addr uint16) error {
	if o.Since == nil {
		return nil
	}
	v, err := o.Since.Object.within(regs, addr)
	if err != nil {
		return fmt.Errorf("decode %s: %w", o.Name, err)
	}
	if v.Float() < o.Since.Least {
		return fmt.Errorf("decode %s: %s is %s, want %g and later: %w", o.Name, o.Since.Object.Name, v, o.Since.Least,
			ErrFirmware)
	}
	return nil
}

// factor returns the product of the objects that scale this one; 1 if there are none. A scale of zero is an error:
// otherwise every value would be 0, which looks right.
func (o *Object) factor(regs []uint16, addr uint16) (float64, error) {
	product := 1.0
	for i := range o.Times {
		v, err := o.Times[i].within(regs, addr)
		if err != nil {
			return 0, fmt.Errorf("decode %s: %w", o.Name, err)
		}
		if v.Float() == 0 {
			return 0, fmt.Errorf("decode %s: %s is %s, which is no scale: %w", o.Name, o.Times[i].Name, v, ErrNoSample)
		}
		product *= v.Float()
	}
	return product, nil
}
