package objects

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"noi-agent/internal/strictyaml"
)

// This file checks the addresses of objects, and the objects that they depend on.

// checkPlace checks the address of an object, the order of the family file (see FamilyFile), and that no two objects
// use the same bits.
func (b *familyBuilder) checkPlace(path string, o *Object) {
	if !b.doc.Has(path + ".address") {
		b.fault(path+".address", "an object needs the address of its first register, as in 0x0012")
		return
	}
	if int(o.Address)+int(o.Registers) > 1<<16 && o.High == nil {
		b.fault(path+".address", "%d registers from 0x%04X on reach beyond 0xFFFF", o.Registers, o.Address)
		return
	}
	if n := len(b.family.Objects); n > 0 {
		last := &b.family.Objects[n-1]
		if slices.Index(Tables(), o.Table) < slices.Index(Tables(), last.Table) {
			b.fault(path+".table", "objects of the %s table come before those of the %s table", o.Table, last.Table)
		}
		if last.Table == o.Table && (o.Address < last.Address || o.Address == last.Address &&
			o.Bits().Low < last.Bits().Low) {
			b.fault(path+".address", "0x%04X comes before %s; objects stand in the order of their addresses and bits",
				o.Address, last.Name)
		}
	}
	for i, addr := range o.own() {
		at, mine := place{o.Table, addr}, o.bitsOf(i)
		for _, other := range b.owners[at] {
			if other.bits&mine == 0 {
				continue
			}
			switch {
			case o.Table.OfBits():
				b.fault(path+".address", "bit 0x%04X is already used by %s", addr, other.name)
			case other.bits|mine == math.MaxUint16:
				b.fault(path+".address",
					"register 0x%04X is already used by %s; if they share it, give each its `bits`", addr, other.name)
			default:
				b.fault(path+".bits", "some bits of 0x%04X are already used by %s", addr, other.name)
			}
			return
		}
		b.owners[at] = append(b.owners[at], owner{o.Name, mine})
	}
}

// bitsOf returns a mask: the bits of the object in its i-th register, in the order of own.
func (o *Object) bitsOf(i int) uint16 {
	if slices.ContainsFunc(o.encodings(), Encoding.text) {
		return math.MaxUint16
	}
	if !o.lowFirst() && o.High == nil {
		i = int(o.Registers) - 1 - i // index of the word in the raw number; 0 is the lowest word
	}
	mine := uint16(o.Bits().mask() >> (16 * i))
	if o.Order.swapped() {
		mine = bits.ReverseBytes16(mine)
	}
	return mine
}

// own returns the addresses of the object's own registers.
func (o *Object) own() []uint16 {
	if o.High != nil {
		return []uint16{o.Address, *o.High}
	}
	addrs := make([]uint16, o.Registers)
	for i := range addrs {
		addrs[i] = o.Address + uint16(i)
	}
	return addrs
}

// connect finds the objects that o depends on. All objects must be in the family already. It checks that one read can
// include them all.
func (b *familyBuilder) connect(path string, f *ObjectFile, o *Object) {
	b.connectTimes(path, f, o)
	b.connectSince(path, f, o)
	b.connectNames(path, f, o)
	b.checkReach(path, o)
	switch addr, count := o.Span(); {
	case count > b.family.MaxRegisters && o.leans():
		b.fault(path, "%s needs the %d registers from 0x%04X in one read, and max_registers is %d", o.Name, count, addr,
			b.family.MaxRegisters)
	case count > b.family.MaxRegisters:
		b.fault(path, "%s has %d registers, and max_registers is %d", o.Name, count, b.family.MaxRegisters)
	}
}

func (b *familyBuilder) connectTimes(path string, f *ObjectFile, o *Object) {
	if len(f.Times) > 0 && !b.numeric(path, "times", o) {
		return
	}
	for i, name := range f.Times {
		if p := b.support(strictyaml.Index(path+".times", i), name, o); p != nil {
			if p.Kind() != KindNumber {
				b.fault(strictyaml.Index(path+".times", i), "%s is no number", name)
			}
			o.Times = append(o.Times, *p)
		}
	}
}

func (b *familyBuilder) connectSince(path string, f *ObjectFile, o *Object) {
	if f.Since == nil {
		return
	}
	p := b.support(path+".since", f.Since.Object, o)
	if p == nil {
		return
	}
	if p.Kind() != KindNumber {
		b.fault(path+".since", "%s is no number", p.Name)
	}
	o.Since = &Firmware{Object: *p, Least: f.Since.Least}
}

func (b *familyBuilder) connectNames(path string, f *ObjectFile, o *Object) {
	if f.NamesBy == nil {
		return
	}
	p := b.support(path+".names_by", f.NamesBy.Object, o)
	if p == nil {
		return
	}
	if p.Registers != 1 || p.Encoding.text() || p.Encoding.float() {
		b.fault(path+".names_by", "%s is no whole number of one register", p.Name)
	}
	if len(f.NamesBy.Tables) == 0 {
		b.fault(path+".names_by.tables", "want the tables by the number of the mode, as in 0: %s", anyKey(b.tables))
	}
	o.NamesBy = &Mode{Object: *p, Tables: map[uint16]map[uint16]string{}}
	for text, table := range f.NamesBy.Tables {
		n, ok := parseState(text)
		names, known := b.tables[table]
		if !ok || !known {
			b.fault(path+".names_by.tables", "want the number of a mode and one of the tables, as in 0: %s; not %s: %s",
				anyKey(b.tables), text, table)
		}
		if !p.fits(uint64(n)) {
			b.fault(path+".names_by.tables", "%s has %d bits, which cannot hold %d", p.Name, p.Bits().Width, n)
		}
		b.checkNames(path+".names_by.tables", o, table, names)
		o.NamesBy.Tables[n] = names
	}
}

func anyKey(tables map[string]map[uint16]string) string {
	least := ""
	for name := range tables {
		if least == "" || name < least {
			least = name
		}
	}
	return cmp.Or(least, "charge_state")
}

// support returns the object with this name, on which o depends. It checks that the object is in the family, that it
// does not depend on others, and that one read can include both. It returns nil if a check fails.
func (b *familyBuilder) support(path, name string, o *Object) *Object {
	i, ok := b.family.byName[name]
	if !ok || name == o.Name {
		b.fault(path, "there is no other object %q in this family", name)
		return nil
	}
	p := &b.family.Objects[i]
	f := &b.file.Objects[i]
	if f.Times != nil || f.Since != nil || f.NamesBy != nil || p.High != nil || len(p.Choices) > 0 {
		b.fault(path, "%s leans on others itself, or its encoding is disputed", name)
		return nil
	}
	together := b.file.OneAddressSpace && !p.Table.OfBits() && !o.Table.OfBits()
	if p.Table != o.Table && !together {
		b.fault(path, "%s stands in the %s table and %s in the %s table; no one read brings both", name, p.Table,
			o.Name, o.Table)
		return nil
	}
	return p
}
