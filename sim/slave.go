package sim

import "noi-agent/modbus/modbustest"

// Who the controller says it is. The revision is hardware 1.4 (hw_version 0x0104) and software 6 (sw_ver 0x0006).
const (
	Vendor   = "Morningstar Corp."
	Product  = "PS-PWM-30M"
	Revision = "v01.04.06"
)

// Slave returns the controller as it stands on a line, to be served by a modbustest line. It is the caller's.
func (c *Controller) Slave(unit byte) *modbustest.Slave {
	return &modbustest.Slave{
		Unit:     unit,
		Read:     c.Read,
		Identity: &modbustest.Identity{Vendor: Vendor, Product: Product, Revision: Revision},
	}
}
