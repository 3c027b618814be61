package objects

import "fmt"

// Some registers mean nothing by themselves: a TriStar MPPT's voltage is a fraction of a full scale that stands in
// registers of its own, a state's name depends on the mode. What an object leans on must come in the same read as the
// object, or the answer of another controller, or of another moment, could give a wrong value.

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
	// more than one read brings is refused when the family is loaded
	return uint16(first), uint16(min(end-first, 0xFFFF))
}

// leans reports whether the object's registers do not suffice to decode it, or do not adjoin.
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
		// A mode without a table names no state: it comes out as UNKNOWN_3.
		p := &o.NamesBy.Object
		names = o.NamesBy.Tables[uint16(p.Raw(regs[p.Address-addr:][:1]))]
	}
	own := regs[o.Address-addr:]
	if o.High != nil {
		return o.value([]uint16{regs[*o.High-addr], own[0]}, factor, names)
	}
	return o.value(own[:o.Registers], factor, names)
}

// within decodes the object out of the registers that begin at addr.
func (o *Object) within(regs []uint16, addr uint16) (Value, error) {
	from, count := o.Span()
	return o.DecodeSpan(regs[from-addr:][:count])
}

// checkFirmware compares the version the object asks for.
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

// factor is the product of the objects that scale this one; 1 without any. A scale of zero is none: it would make a
// plausible 0 of every value.
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
