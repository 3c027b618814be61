package configs

import "noi-agent/objects"

// neverSampled adds a notice for each polled object that can never give a sample: its read needs more registers than
// the slave allows in one read, or includes registers of `avoid`.
func (v *validator) neverSampled(path string, s *Slave, family *objects.Family) {
	most := int(family.MaxRegisters)
	if s.MaxRegisters > 0 {
		most = s.MaxRegisters
	}
	for _, p := range s.Polled(family) {
		o := &p.Object
		addr, count := o.Span()
		if int(count) > most && !o.Table.OfBits() {
			v.notice(path+".max_registers",
				"%s can never give a sample: it needs the %d registers from 0x%04X in one read, and max_registers is "+
					"%d", o.Name, count, addr, most)
			continue
		}
		if addr == o.Address && count == o.Registers {
			continue // it needs no other registers
		}
		for _, r := range s.Avoid {
			if !o.Table.OfBits() && int(r.First) < int(addr)+int(count) && r.Last >= addr {
				v.notice(path+".avoid",
					"%s can never give a sample: it is read with the registers from 0x%04X to 0x%04X, and avoid says "+
						"that 0x%04X is not there",
					o.Name, addr, int(addr)+int(count)-1, max(r.First, addr))
				break
			}
		}
	}
}
